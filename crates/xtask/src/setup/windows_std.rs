//! Rust's standard library for Windows: from rustup, or built from Debian's copy of its source.
//!
//! Some machines reach package mirrors and not rustup's server. Debian's backports carry `rust-src`
//! in the versions of Rust's releases. Of exactly our compiler's version, the library is built once
//! by cargo (`-Zbuild-std`, unlocked by `RUSTC_BOOTSTRAP` for that one build), and its parts put
//! where rustup would have put them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{self, cargo};
use crate::{windows::TARGET, workspace};

/// Where Debian's own programs come from, read for the mirror in use.
const SOURCES: &str = "/etc/apt/sources.list.d/debian.sources";
const SUITE: &str = "trixie-backports";
const CRATES: &str = "-Zbuild-std=std,panic_unwind,panic_abort,proc_macro,test";

/// Installs it, if it is missing.
pub(crate) fn install() -> Result<()> {
    let parts = PathBuf::from(rustc(&["--print", "target-libdir", "--target", TARGET])?);
    if has_std(&parts) {
        return Ok(());
    }
    let by_rustup = process::command("rustup").args(["target", "add", TARGET]).status();
    if by_rustup.is_ok_and(|status| status.success()) && has_std(&parts) {
        return Ok(());
    }
    eprintln!("rustup cannot install {TARGET}: its standard library is built from Debian's source");
    let work = workspace::work_dir().join("windows-std");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    build(&work, &parts).with_context(|| {
        format!(
            "cannot build Rust's standard library for {TARGET}: try `rustup target add {TARGET}`"
        )
    })?;
    Ok(fs::remove_dir_all(&work)?)
}

fn has_std(parts: &Path) -> bool {
    let Ok(entries) = fs::read_dir(parts) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

fn build(work: &Path, parts: &Path) -> Result<()> {
    let version = rustc(&["--version"])?;
    let version = version.split(' ').nth(1).context("rustc tells no version")?.to_owned();
    let source = fetch_source(work, &version)?;
    // Where cargo looks for the source; taken away again, since rustup knows nothing of it.
    let sysroot = PathBuf::from(rustc(&["--print", "sysroot"])?);
    let expected = sysroot.join("lib/rustlib/src/rust");
    let is_there = expected.exists();
    if !is_there {
        fs::create_dir_all(sysroot.join("lib/rustlib/src"))?;
        symlink(&source, &expected)?;
    }
    let built = build_parts(work);
    if !is_there {
        fs::remove_file(&expected)?;
    }
    built?;
    fs::create_dir_all(parts)?;
    let made = work.join("empty/target").join(TARGET).join("release/deps");
    for entry in fs::read_dir(&made)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libempty") {
            fs::copy(entry.path(), parts.join(&name))?;
        }
    }
    Ok(())
}

/// Builds a crate with nothing in it, and with it the library.
fn build_parts(work: &Path) -> Result<()> {
    let empty = work.join("empty");
    fs::create_dir_all(empty.join("src"))?;
    let manifest =
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(empty.join("Cargo.toml"), manifest)?;
    fs::write(empty.join("src/lib.rs"), "#![no_std]\n")?;
    let mut build = cargo(&["build", "--quiet", "--release", "--target", TARGET, CRATES]);
    build.current_dir(&empty).env("CARGO_TARGET_DIR", empty.join("target"));
    process::run(build.env("RUSTC_BOOTSTRAP", "1"))
}

/// Downloads and unpacks the source, with lists and state of apt's apart from the machine's.
fn fetch_source(work: &Path, version: &str) -> Result<PathBuf> {
    let apt = work.join("apt");
    for directory in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(apt.join(directory))?;
    }
    fs::write(apt.join("status"), "")?;
    let sources = fs::read_to_string(SOURCES).with_context(|| format!("cannot read {SOURCES}"))?;
    let field = |name: &str| {
        let line = sources.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().to_owned()).with_context(|| format!("{SOURCES}: no {name}"))
    };
    let list =
        format!("deb [signed-by={}] {} {SUITE} main\n", field("Signed-By:")?, field("URIs:")?);
    fs::write(apt.join("sources.list"), list)?;
    let apt_command = |program: &str| apt_command(program, &apt);
    process::run(apt_command("apt-get").args(["-qq", "update"]))?;
    // A line each: package | version | where from.
    let known = process::output(apt_command("apt-cache").args(["madison", "rust-src"]))?;
    let package = known
        .lines()
        .filter_map(|line| line.split('|').nth(1).map(str::trim))
        .find(|known| known.strip_prefix(version).is_some_and(|rest| rest.starts_with(['+', '-'])));
    let Some(package) = package else {
        bail!("Debian's {SUITE} has no rust-src of version {version}: {}", known.trim());
    };
    let mut download = apt_command("apt-get");
    download.current_dir(work).args(["-qq", "download", &format!("rust-src={package}")]);
    process::run(&mut download)?;
    let archive = fs::read_dir(work)?.flatten().map(|entry| entry.path());
    let archive = archive.into_iter().find(|path| path.extension().is_some_and(|e| e == "deb"));
    let archive = archive.context("apt-get downloaded nothing")?;
    process::run(process::command("dpkg-deb").arg("-x").arg(archive).arg(work.join("source")))?;
    Ok(work.join("source/usr/src").join(format!("rustc-{version}")))
}

fn apt_command(program: &str, apt: &Path) -> Command {
    let mut command = process::command(program);
    let options = [
        ("Dir::State", apt.to_path_buf()),
        ("Dir::State::status", apt.join("status")),
        ("Dir::Cache", apt.join("cache")),
        ("Dir::Etc::sourcelist", apt.join("sources.list")),
        ("Dir::Etc::sourceparts", PathBuf::from("/dev/null")),
        // The download lies where apt's own user may not write.
        ("APT::Sandbox::User", PathBuf::from("root")),
    ];
    for (name, value) in options {
        command.arg("-o").arg(format!("{name}={}", value.display()));
    }
    command
}

fn rustc(arguments: &[&str]) -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Ok(process::output(process::command(rustc).args(arguments))?.trim().to_owned())
}
