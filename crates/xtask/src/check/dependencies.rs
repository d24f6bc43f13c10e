//! The dependency check: licences, sources, direction of crates, advisories, yanked versions.
//!
//! cargo-deny does the work by `deny.toml`. Advisories need the RustSec database, a git repository
//! which some networks do not reach. There the check does not fail for the network's sake, but
//! says loudly what it did not check; yanked versions, which the crate index tells, are checked
//! all the same, against a stand-in database that holds no advisory.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{self, cargo};
use crate::setup::tools;
use crate::workspace;

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
    let database = empty_database()?;
    process::run(
        deny(&[], &["advisories"])
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

/// A git repository in the shape of the advisory database, with nothing in it.
fn empty_database() -> Result<PathBuf> {
    let database = workspace::work_dir().join("no-advisories");
    if database.join("crates/.keep").exists() {
        return Ok(database);
    }
    fs::create_dir_all(database.join("crates"))?;
    fs::write(database.join("crates/.keep"), "")?;
    let git = |arguments: &[&str]| {
        let mut git = process::command("git");
        git.current_dir(&database).args(arguments);
        process::run(&mut git)
    };
    git(&["init", "--quiet", "--initial-branch=main"])?;
    git(&["add", "crates"])?;
    git(&[
        "-c",
        "user.name=xtask",
        "-c",
        "user.email=xtask@localhost",
        "commit",
        "--quiet",
        "--message",
        "No advisories",
    ])?;
    Ok(database)
}
