//! A real rez to ask: one Python process per batch of questions.
//!
//! `ask.py` runs in the interpreter of the rez that `cargo xtask setup` installs, or in the one
//! `TEST_REZ_PYTHON` names. Without one the tests fail: nothing here may pass unasked.

use std::{
    env,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The workspace's own installation of rez `version`.
pub(crate) fn installation(version: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    workspace.join(".work").join(format!("rez-{version}"))
}

fn python() -> PathBuf {
    let python = match env::var_os("TEST_REZ_PYTHON") {
        Some(python) => PathBuf::from(python),
        None => installation("3.4.0").join("bin/python"),
    };
    assert!(
        python.exists(),
        "{}: no Python with rez is there to compare with; run `cargo xtask setup`, or set \
         TEST_REZ_PYTHON",
        python.display()
    );
    python
}

/// A command that sees rez's defaults, whatever the caller's own configuration is.
pub(crate) fn undisturbed(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REZ_")) {
        command.env_remove(name);
    }
    command.env("HOME", home).env("REZ_DISABLE_HOME_CONFIG", "1").env("PYTHONUTF8", "1");
    command
}

/// Asks rez one batch of questions.
pub(crate) fn ask(question: &str, about: Value) -> Value {
    let home = scratch();
    let mut child = undisturbed(&python(), home.path())
        .args(["-c", include_str!("ask.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let asked = json!({ "ask": question, "about": about }).to_string();
    let writer = thread::spawn(move || stdin.write_all(asked.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "rez did not answer {question:?}: {said}");
    writer.join().unwrap().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The answers to a batch, one for each thing asked about.
pub(crate) fn ask_each(question: &str, about: Value) -> Vec<Value> {
    let count = about.as_array().unwrap().len();
    let Value::Array(answers) = ask(question, about) else { panic!("{question}: not a list") };
    assert_eq!(answers.len(), count, "{question}");
    answers
}

/// A directory that rez does not take for temporary, gone with the value.
pub(crate) fn scratch() -> TempDir {
    tempfile::Builder::new().prefix("pkgfs-rez-").tempdir_in("/var/tmp").unwrap()
}
