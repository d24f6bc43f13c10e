//! `cargo xtask check macos`: clippy for macOS, of what has a part for it. Nothing is linked or run.
//!
//! There is no C compiler for macOS here. What build scripts want compiled is made by programs that
//! leave empty files, which a check never looks at.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::Result;

use crate::process::{self, cargo};

const TARGET: &str = "aarch64-apple-darwin";
const CRATES: &[&str] = &[
    "pkgfs-darwin",
    "pkgfs-manifest",
    "pkgfs-rez",
    "pkgfs-rez-worker",
    "pkgfs-origin",
    "pkgfs-scan",
    "pkgfs-store",
    "pkgfs-view",
    "pkgfs-fuse",
    "pkgfs-daemon",
    "pkgfs",
];

/// Stands for a compiler: makes an empty file of the name that follows `-o`.
const COMPILER: &str = "#!/bin/sh\n\
    while [ $# -gt 0 ]; do [ \"$1\" = -o ] && : > \"$2\"; shift; done\n";
/// Stands for an archiver: makes an empty archive.
const ARCHIVER: &str = "#!/bin/sh\n\
    for name; do case $name in *.a) : > \"$name\" ;; esac; done\n";

/// Runs the check.
pub(super) fn check() -> Result<()> {
    process::run(process::command("rustup").args(["target", "add", TARGET]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let directory = std::path::absolute(Path::new(&target).join("no-compiler"))?;
    fs::create_dir_all(&directory)?;
    let program = |name: &str, text: &str| -> Result<_> {
        let path = directory.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    };
    let (compiler, archiver) = (program("cc", COMPILER)?, program("ar", ARCHIVER)?);
    let mut command = cargo(&["clippy", "--target", TARGET]);
    command.args(CRATES.iter().flat_map(|name| ["-p", name]));
    command.args(["--", "-D", "warnings"]);
    command.env("CC_aarch64_apple_darwin", compiler).env("AR_aarch64_apple_darwin", archiver);
    // Without one, build scripts look for Apple's tools.
    command.env("SDKROOT", "/");
    process::run(&mut command)
}
