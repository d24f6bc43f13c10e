//! `pkgfs profile`: what starts touch, shown, taken elsewhere and forgotten.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context, bail};
use pkgfs_daemon::{Client, ExchangedProfile, ProfileList, TargetsOrder};
use serde::{Deserialize, Serialize};

use super::{change, targets};
use crate::{
    cli::{FileFlag, ListArguments, ProfileAction, VariantArguments},
    output::{Outcome, bytes, note},
};

/// The format of what is exported.
const FORMAT: u32 = 1;

/// What is exported.
#[derive(Serialize, Deserialize)]
struct Exported {
    pkgfs_profiles: u32,
    profiles: Vec<ExchangedProfile>,
}

pub(crate) fn run(action: &ProfileAction) -> anyhow::Result<Outcome> {
    match action {
        ProfileAction::Show(arguments) => show(arguments),
        ProfileAction::Export { what, output } => export(what, output.as_deref()),
        ProfileAction::Import { input, mountpoint, file } => {
            import(input, mountpoint.as_deref(), file)
        }
        ProfileAction::Clear(what) => clear(what),
    }
}

fn show(arguments: &ListArguments) -> anyhow::Result<Outcome> {
    let list = told(&arguments.targets, &arguments.file)?;
    let code = u8::from(!list.unknown.is_empty());
    if arguments.json {
        let object = serde_json::json!({ "profiles": list.profiles });
        let text = format!("{}\n", serde_json::to_string_pretty(&object)?);
        return Ok(Outcome { text: text.into(), code });
    }
    let mut text = String::new();
    for profile in &list.profiles {
        let context = match &*profile.context {
            "" => "outside contexts".to_owned(),
            digest => format!("context {digest}"),
        };
        let size: u64 = profile.files.iter().map(|file| file.size).sum();
        let (files, launches) = (profile.files.len(), profile.launches);
        writeln!(text, "{}", profile.uri)?;
        writeln!(text, "    {context}: {files} files, {} in {launches} launches", bytes(size))?;
    }
    if list.profiles.is_empty() && code == 0 {
        text.push_str("no launch was learnt yet\n");
    }
    Ok(Outcome { text: text.into(), code })
}

fn export(what: &VariantArguments, output: Option<&Path>) -> anyhow::Result<Outcome> {
    let list = told(&what.targets, &what.file)?;
    let code = u8::from(!list.unknown.is_empty());
    let exported = Exported { pkgfs_profiles: FORMAT, profiles: list.profiles };
    let text = serde_json::to_string(&exported)? + "\n";
    let Some(output) = output else { return Ok(Outcome { text: text.into(), code }) };
    fs::write(output, text).with_context(|| format!("cannot write {}", output.display()))?;
    let count = exported.profiles.len();
    let text = format!("{count} profiles were written to {}\n", output.display());
    Ok(Outcome { text: text.into(), code })
}

fn import(input: &Path, mountpoint: Option<&Path>, file: &FileFlag) -> anyhow::Result<Outcome> {
    let text = if input == "-" {
        let mut text = Vec::new();
        io::stdin().read_to_end(&mut text).context("cannot read standard input")?;
        text
    } else {
        fs::read(input).with_context(|| format!("cannot read {}", input.display()))?
    };
    let shown = input.display();
    let exported: Exported = serde_json::from_slice(&text)
        .with_context(|| format!("{shown} is not what `pkgfs profile export` writes"))?;
    if exported.pkgfs_profiles != FORMAT {
        bail!("{shown} has format {}: this pkgfs reads {FORMAT}", exported.pkgfs_profiles);
    }
    let mountpoint: Vec<_> = mountpoint.into_iter().map(Path::to_owned).collect();
    let (mount, others) = targets::read(&mountpoint, file)?;
    if !others.is_empty() {
        bail!("an import takes a file and a mountpoint: nothing is mounted at what was named");
    }
    let list = ProfileList { profiles: exported.profiles, unknown: Vec::new() };
    let report = super::block_on(async {
        Ok(Client::connect(&mount.source).await?.import_profiles(&list).await?)
    })?;
    change::tell(&report, "imported", "already there")
}

fn clear(what: &VariantArguments) -> anyhow::Result<Outcome> {
    let (mount, targets) = targets::read(&what.targets, &what.file)?;
    let order = TargetsOrder { targets };
    let report = super::block_on(async {
        Ok(Client::connect(&mount.source).await?.clear_profiles(&order).await?)
    })?;
    change::tell(&report, "forgotten", "not known")
}

/// Profiles, those that there are none of told.
fn told(arguments: &[std::path::PathBuf], file: &FileFlag) -> anyhow::Result<ProfileList> {
    let (mount, targets) = targets::read(arguments, file)?;
    let order = TargetsOrder { targets };
    let list = super::block_on(async {
        Ok(Client::connect(&mount.source).await?.profiles(&order).await?)
    })?;
    list.unknown.iter().for_each(|reason| note(reason));
    Ok(list)
}
