//! Two real rezzes to ask, and one form for their answers and ours.
//!
//! They are those that `cargo xtask setup` installs. Without them the tests fail: nothing here may
//! pass unasked.

use std::{
    env,
    ffi::OsStr,
    io::Write as _,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use pkgfs_scan::{Options, Repository, Rules, Scan};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The rez that is followed where two differ, and the oldest.
pub(crate) const VERSIONS: [&str; 2] = ["3.4.0", "2.112.0"];

/// A package as both sides tell it. Text is given byte for byte, as Latin-1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) family: String,
    pub(crate) version: Option<String>,
    pub(crate) format: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) is_combined: bool,
}

/// The directory of an installed rez.
pub(crate) fn installation(version: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let directory = workspace.join(".work").join(format!("rez-{version}"));
    assert!(directory.exists(), "{}: run `cargo xtask setup`", directory.display());
    directory
}

/// What a rez enumerates in each of the repositories, under the rules beside it.
pub(crate) fn ask(version: &str, cases: &[(PathBuf, Rules)]) -> Vec<Vec<Row>> {
    let home = scratch();
    let mut command = Command::new(installation(version).join("bin/python"));
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REZ_")) {
        command.env_remove(name);
    }
    let mut child = command
        .env("HOME", home.path())
        .env("REZ_DISABLE_HOME_CONFIG", "1")
        .env("PYTHONUTF8", "1")
        .args(["-c", include_str!("../../../../tests/rez/enumerate.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let asked: Vec<Value> = cases
        .iter()
        .map(|(repository, rules)| json!({ "repository": repository, "settings": settings(rules) }))
        .collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || stdin.write_all(json!(asked).to_string().as_bytes()));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "rez {version} did not answer: {said}");
    writer.join().unwrap().unwrap();
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), cases.len());
    answers.iter().map(|answer| rows(&answer["packages"])).collect()
}

/// The rules as rez's settings.
pub(crate) fn settings(rules: &Rules) -> Value {
    json!({
        "package_filenames": rules.package_filenames,
        "check_package_definition_files": rules.check_package_definition_files,
        "allow_unversioned_packages": rules.allow_unversioned_packages,
        "file_lock_dir": rules.file_lock_dir,
    })
}

fn rows(answer: &Value) -> Vec<Row> {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let row = |row: &Value| Row {
        family: text(&row[0]).unwrap(),
        version: text(&row[1]),
        format: text(&row[2]),
        path: text(&row[3]),
        is_combined: row[4].as_bool().unwrap(),
    };
    answer.as_array().unwrap().iter().map(row).collect()
}

/// What a scan finds, in the same form. It must have no problem but those of `tolerated`.
pub(crate) fn ours(repository: &Repository) -> Vec<Row> {
    let latin = |text: &OsStr| text.as_bytes().iter().map(|byte| char::from(*byte)).collect();
    let row = |package: &pkgfs_scan::Package| Row {
        family: package.family.to_string(),
        version: package.version.as_deref().map(latin),
        format: package.definition.as_ref().map(|d| d.format.extension().to_owned()),
        path: package.definition.as_ref().map(|d| latin(d.path.as_os_str())),
        is_combined: package.is_combined,
    };
    repository.packages.iter().map(row).collect()
}

/// Scans one repository.
pub(crate) fn scan(repository: &Path, rules: &Rules, options: &Options) -> Repository {
    let Scan { mut repositories } = pkgfs_scan::scan(&[repository.to_owned()], rules, options);
    assert_eq!(repositories.len(), 1);
    repositories.remove(0)
}

/// Fails unless both are the same packages, in the same order where rez has one: families always,
/// versions where it looks for their definitions.
pub(crate) fn assert_same(ours: Vec<Row>, theirs: Vec<Row>, rules: &Rules, about: &str) {
    let families = |rows: &[Row]| {
        let mut families: Vec<_> =
            rows.iter().map(|row| (row.family.clone(), row.is_combined)).collect();
        families.dedup();
        families
    };
    assert_eq!(families(&ours), families(&theirs), "order of families: {about}");
    let ordered = |mut rows: Vec<Row>| {
        if !rules.check_package_definition_files {
            rows.sort();
        }
        rows
    };
    assert_eq!(ordered(ours), ordered(theirs), "{rules:?}: {about}");
}

/// No index, so everything is read.
pub(crate) fn without_index() -> Options {
    Options { index: None, ..Options::default() }
}

/// A directory that is gone with the value.
pub(crate) fn scratch() -> TempDir {
    tempfile::Builder::new().prefix("pkgfs-scan-").tempdir_in("/var/tmp").unwrap()
}

/// The same where making and removing many files costs least.
pub(crate) fn in_memory() -> TempDir {
    match tempfile::Builder::new().prefix("pkgfs-scan-").tempdir_in("/dev/shm") {
        Ok(directory) => directory,
        Err(_) => scratch(),
    }
}
