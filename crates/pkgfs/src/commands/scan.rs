//! `pkgfs scan`: the packages of repositories, as rez enumerates them.
//!
//! No daemon is asked and no definition opened. What cannot be read is a line on standard error each,
//! and everything else is printed.

use std::{
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use pkgfs_rez::RezSettings;
use pkgfs_scan::{Options, Package, Part, Repository, Rules, scan};
use serde::Serialize;

use crate::{
    cli::ScanArguments,
    config,
    output::{Outcome, note},
};

/// Bytes of a line, about.
const LINE: usize = 192;

pub(crate) fn run(arguments: &ScanArguments) -> anyhow::Result<Outcome> {
    let by_rez = arguments.repositories.is_empty();
    let settings = (by_rez || arguments.ask_rez).then(|| ask_rez(arguments)).transpose()?;
    let rules = settings.as_ref().map(Rules::from).unwrap_or_default();
    let repositories = match &settings {
        Some(settings) if by_rez => packages_path(settings),
        _ => arguments.repositories.clone(),
    };
    let options = Options { jobs: arguments.jobs, fresh: arguments.fresh, ..Options::default() };
    let found = scan(&repositories, &rules, &options);
    let mut outcome = Outcome::default();
    for repository in &found.repositories {
        for problem in &repository.problems {
            note(&problem.to_string());
            // rez takes a repository that does not exist for an empty one.
            let nothing_there = by_rez && problem.is_absence();
            if problem.part == Part::Repository && !nothing_there {
                outcome.code = 1;
            }
        }
        outcome.text.reserve(LINE * repository.packages.len());
        for package in &repository.packages {
            match arguments.json {
                true => json(&mut outcome.text, repository, package)?,
                false => plain(&mut outcome.text, repository, package)?,
            }
        }
    }
    Ok(outcome)
}

fn ask_rez(arguments: &ScanArguments) -> anyhow::Result<RezSettings> {
    let keys = config::load_with(&arguments.file)?.settings.rez;
    super::block_on(async { Ok(pkgfs_daemon::rez_settings(&keys).await?) }).context(
        "rez's settings are needed: put rez on PATH, set rez.config_command, or name the \
         repositories and leave out --ask-rez",
    )
}

/// The repositories of files that rez looks in (`PackageRepositoryManager.get_repository`).
fn packages_path(settings: &RezSettings) -> Vec<PathBuf> {
    let of_files = |entry: &String| match entry.split_once('@') {
        None => Some(PathBuf::from(entry)),
        Some(("filesystem", location)) => Some(PathBuf::from(location)),
        Some((kind, _)) => {
            note(&format!("{entry}: a repository of the kind {kind} is not files; passed over"));
            None
        }
    };
    settings.packages_path.iter().filter_map(of_files).collect()
}

/// `numpy-2.2.6<TAB>/sw/pkg/numpy/2.2.6/package.py`; where there is no definition the directory, with
/// a slash, or Windows' own, at its end.
fn plain(text: &mut Vec<u8>, repository: &Repository, package: &Package) -> anyhow::Result<()> {
    text.extend_from_slice(package.family.as_bytes());
    if let Some(version) = &package.version {
        text.push(b'-');
        text.extend_from_slice(version.as_encoded_bytes());
    }
    text.push(b'\t');
    match &package.definition {
        Some(definition) => text.extend_from_slice(definition.path.as_os_str().as_encoded_bytes()),
        None => {
            let mut directory = repository.path.join(&*package.family);
            directory.extend(&package.version);
            directory.push("");
            text.extend_from_slice(directory.as_os_str().as_encoded_bytes());
        }
    }
    text.push(b'\n');
    Ok(())
}

/// A line of the JSON output.
#[derive(Serialize)]
struct Line<'a> {
    repository: Text<'a>,
    family: &'a str,
    version: Option<Text<'a>>,
    format: Option<&'static str>,
    path: Option<Text<'a>>,
    combined: bool,
}

/// Text as it is, or the bytes where they are none.
#[derive(Serialize)]
#[serde(untagged)]
enum Text<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> From<&'a OsStr> for Text<'a> {
    fn from(name: &'a OsStr) -> Self {
        name.to_str().map_or(Self::Bytes(name.as_encoded_bytes()), Self::Text)
    }
}

impl<'a> From<&'a Path> for Text<'a> {
    fn from(path: &'a Path) -> Self {
        path.as_os_str().into()
    }
}

fn json(text: &mut Vec<u8>, repository: &Repository, package: &Package) -> anyhow::Result<()> {
    let definition = package.definition.as_ref();
    let line = Line {
        repository: repository.path.as_path().into(),
        family: &package.family,
        version: package.version.as_deref().map(Into::into),
        format: definition.map(|definition| definition.format.extension()),
        path: definition.map(|definition| definition.path.as_path().into()),
        combined: package.is_combined,
    };
    serde_json::to_writer(&mut *text, &line)?;
    writeln!(text)?;
    Ok(())
}
