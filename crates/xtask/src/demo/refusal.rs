//! An attempt to change a payload, and its refusal.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Result, bail};

/// A way to change a file, as typed in a shell and as done here.
type Attempt = (&'static str, fn(&Path) -> io::Result<()>);

/// Tries to change `file`, which lies in a payload, in the ways a person would; returns what the
/// system said to each. An attempt that succeeds is an error.
pub(super) fn attempt(file: &Path) -> Result<Vec<String>> {
    let attempts: [Attempt; 5] = [
        ("echo '# mine' >> FILE", |file| OpenOptions::new().append(true).open(file).map(drop)),
        ("> FILE", |file| File::create(file).map(drop)),
        ("chmod u+w FILE", |file| fs::set_permissions(file, fs::Permissions::from_mode(0o644))),
        ("mv FILE FILE.old", |file| fs::rename(file, file.with_extension("old"))),
        ("rm FILE", |file| fs::remove_file(file)),
    ];
    let before = fs::read(file)?;
    let mut said = Vec::new();
    for (shown, attempt) in attempts {
        match attempt(file) {
            Ok(()) => bail!("`{shown}` changed {}: a payload must refuse this", file.display()),
            Err(refusal) => said.push(format!("  $ {shown:24} {}", reason(&refusal))),
        }
    }
    if fs::read(file)? != before {
        bail!("{} reads differently after the refusals", file.display());
    }
    Ok(said)
}

/// The system's words, without Rust's number behind them.
fn reason(refusal: &io::Error) -> String {
    let said = refusal.to_string();
    said.split(" (os error").next().unwrap_or(&said).to_owned()
}
