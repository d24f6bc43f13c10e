//! Debian packages, installed only where missing.

use anyhow::{Context, Result, bail};

use crate::process;

/// What tests, demo and benchmark call: FUSE's mount helper, a real network file system, another
/// cache, comparison tools.
pub(crate) const PACKAGES: &[&str] = &[
    "acl",
    "attr",
    "curl",
    "fuse3",
    "openssh-server",
    "procps",
    "python3",
    "python3-venv",
    "rclone",
    "rsync",
    "sqlite3",
    "sshfs",
    "strace",
];

/// Installs those of `packages` that are not installed; root or passwordless sudo is needed then.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> =
        packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !process::on_path("apt-get") {
        bail!(
            "missing: {}; apt-get is not here, install them with this system's own package manager",
            missing.join(", ")
        );
    }
    // Package lists of a fresh machine are absent or stale: a 404 on a superseded version is the
    // usual way this fails without the update.
    process::run(as_root("apt-get").args(["update", "-qq"]))?;
    process::run(
        as_root("apt-get").args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing),
    )
    .with_context(|| format!("cannot install {}", missing.join(", ")))
}

/// A command run as root: directly where we are root, else through sudo.
pub(crate) fn as_root(program: &str) -> std::process::Command {
    let mut command = if is_root() {
        process::command(program)
    } else {
        let mut sudo = process::command("sudo");
        sudo.args(["-n", program]);
        sudo
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Whether this process is root's.
pub(crate) fn is_root() -> bool {
    process::output(process::command("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0")
}

fn is_installed(package: &str) -> bool {
    process::output(process::command("dpkg-query").args(["-W", "-f", "${Status}", package]))
        .is_ok_and(|status| status.trim() == "install ok installed")
}
