//! The dependency check: licences, sources, direction of crates, advisories, yanked versions.
//!
//! cargo-deny does the work by `deny.toml`. Advisories need the RustSec database, a git repository
//! which some networks do not reach. There the check does not fail for the network's sake, but
//! says loudly what it did not check; yanked versions, which the crate index tells, are checked
//! all the same, against a stand-in database that holds no advisory of any crate used here.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{self, cargo};
use crate::setup::tools;
use crate::workspace;

const PLACEHOLDER: &str = "```toml
[advisory]
id = \"RUSTSEC-2020-0000\"
package = \"not-a-crate\"
date = \"2020-01-01\"

[versions]
patched = []
```

# Placeholder
";

const DATABASE: &str = "https://github.com/RustSec/advisory-db";

/// Runs all dependency checks.
pub(crate) fn check() -> Result<()> {
    // Direction is a matter of what ships: a crate's tests may mount a file system of their own.
    process::run(&mut deny(&["--exclude-dev"], &["bans"]))?;
    process::run(&mut deny(&[], &["licenses", "sources"]))?;
    let advisories = deny(&[], &["advisories"])
        .output()
        .context("cannot start cargo-deny: run `cargo xtask setup`")?;
    let said = String::from_utf8_lossy(&advisories.stderr);
    if advisories.status.success() {
        eprintln!("{}", said.trim());
        return Ok(());
    }
    if !said.contains("failed to fetch advisory database") {
        bail!("advisories: {}", said.trim());
    }
    eprintln!(
        "WARNING: known vulnerabilities were NOT checked: {DATABASE} cannot be reached from here"
    );
    yanked()
}

/// Checks for yanked versions alone.
fn yanked() -> Result<()> {
    let directory = workspace::work_dir().join("no-advisories");
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    let database = directory.join("database");
    make_database(&database)?;
    // A configuration of its own: what cargo-deny would keep of this database must never be taken
    // for the real one.
    let configuration = directory.join("deny.toml");
    let clones = directory.join("clones");
    fs::write(
        &configuration,
        format!(
            "[graph]\nall-features = true\n[advisories]\nyanked = \"deny\"\ngit-fetch-with-cli = true\ndb-path = {}\n",
            serde_json::to_string(&clones.to_string_lossy())?
        ),
    )?;
    let configuration = configuration.to_string_lossy();
    process::run(
        deny(&["--config", &configuration], &["advisories"])
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", format!("url.file://{}.insteadOf", database.display()))
            .env("GIT_CONFIG_VALUE_0", DATABASE),
    )
    .context("yanked versions")
}

fn deny(options: &[&str], checks: &[&str]) -> Command {
    let mut deny = cargo(&["deny", "--log-level", "error"]);
    deny.args(options).arg("check").args(checks).env("PATH", tools::search_path());
    deny
}

/// Makes a git repository in the shape of the advisory database. cargo-deny takes an empty one for
/// a failed download, so it holds one advisory, for no crate of ours.
fn make_database(database: &Path) -> Result<()> {
    let advisories = database.join("crates/not-a-crate");
    fs::create_dir_all(&advisories)?;
    fs::write(advisories.join("RUSTSEC-2020-0000.md"), PLACEHOLDER)?;
    let git = |arguments: &[&str]| {
        let mut git = process::command("git");
        git.current_dir(database).args(arguments);
        process::output(&mut git)
    };
    git(&["init", "--quiet", "--initial-branch=main"])?;
    git(&["add", "crates"])?;
    let author = ["-c", "user.name=xtask", "-c", "user.email=xtask@localhost"];
    git(&[&author[..], &["commit", "--quiet", "--message", "Placeholder"]].concat())?;
    Ok(())
}
