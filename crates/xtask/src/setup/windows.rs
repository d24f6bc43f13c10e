//! `cargo xtask setup windows`: what builds Windows programs on Linux, and runs them under Wine.
//!
//! A linker (mingw-w64), Rust's standard library for the target, Wine with a prefix of its own below
//! `.work/wine`, a user who is not root for it, and the one DLL that Wine lacks
//! (`tests/wine/bcryptprimitives.c`). Idempotent, and without network when everything is there.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{debian, tools, windows_std};
use crate::{process, workspace};

const PACKAGES: &[&str] = &["gcc-mingw-w64-x86-64-win32", "wine64"];

/// Who runs Wine where root runs the tests.
const USER: &str = "pkgfs-wine";

const WINESERVER: &str = "/usr/lib/wine/wineserver";

/// What is enough to build and lint.
pub(crate) fn compiler() -> Result<()> {
    debian::install(&PACKAGES[..1])?;
    windows_std::install()
}

/// All of it.
pub(crate) fn run() -> Result<()> {
    debian::install(PACKAGES)?;
    tools::install()?;
    windows_std::install()?;
    let ready = directory().join("ready");
    if ready.exists() {
        return Ok(());
    }
    make_user()?;
    make_prefix()?;
    fs::write(&ready, "").with_context(|| format!("cannot write {}", ready.display()))
}

/// The script that starts a Windows program, as cargo and nextest want it.
pub(crate) fn runner() -> PathBuf {
    workspace::root().join("tests/wine/run")
}

/// Wine's server, kept between the programs of one run: each first program would wait a second for
/// it. Ended when dropped, with whatever runs under it.
pub(crate) struct Server;

impl Server {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        process::run(wineserver().arg("--persistent=60"))?;
        Ok(Self)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is left to end where it has ended by itself.
        let _ = process::output(wineserver().arg("--kill"));
    }
}

fn directory() -> PathBuf {
    workspace::work_dir().join("wine")
}

fn prefix() -> PathBuf {
    directory().join("prefix")
}

fn wineserver() -> Command {
    let mut command = as_user(WINESERVER);
    command.env("WINEPREFIX", prefix()).env("HOME", directory().join("home"));
    command
}

/// A command that root runs as the other user, and anybody else as himself.
fn as_user(program: &str) -> Command {
    if !debian::is_root() {
        return process::command(program);
    }
    let mut command = process::command("setpriv");
    command.args([&format!("--reuid={USER}"), &format!("--regid={USER}"), "--clear-groups", "--"]);
    command.arg(program);
    command
}

fn make_user() -> Result<()> {
    if !debian::is_root() || process::output(process::command("id").arg(USER)).is_ok() {
        return Ok(());
    }
    let nowhere = ["--system", "--user-group", "--home-dir", "/nonexistent", "--shell"];
    process::run(process::command("useradd").args(nowhere).args(["/usr/sbin/nologin", USER]))
}

fn make_prefix() -> Result<()> {
    let directory = directory();
    if directory.exists() {
        fs::remove_dir_all(&directory)
            .with_context(|| format!("cannot remove the unfinished {}", directory.display()))?;
    }
    for part in ["prefix", "home"] {
        let part = directory.join(part);
        fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        if debian::is_root() {
            process::run(process::command("chown").arg(format!("{USER}:{USER}")).arg(&part))?;
        }
    }
    if process::output(as_user("test").arg("-x").arg(runner())).is_err() {
        bail!(
            "{USER} cannot reach {}: Wine is not run as root, so let others enter the directories \
             above (chmod o+x)",
            workspace::root().display()
        );
    }
    process::run(process::command(runner()).args(["wineboot", "--init"]))?;
    process::run(wineserver().arg("--wait"))?;
    let library = directory.join("bcryptprimitives.dll");
    let mut compiler = process::command("x86_64-w64-mingw32-gcc");
    compiler.args(["-O1", "-shared", "-s", "-Wall", "-Werror", "-o"]).arg(&library);
    process::run(compiler.args(["tests/wine/bcryptprimitives.c", "-ladvapi32"]))?;
    let system = prefix().join("drive_c/windows/system32/bcryptprimitives.dll");
    fs::copy(&library, &system).with_context(|| format!("cannot write {}", system.display()))?;
    Ok(())
}
