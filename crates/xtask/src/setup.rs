//! `cargo xtask setup`: what the tests and the demo need, installed once.
//!
//! Idempotent, and quick (no network) when everything is there: Debian's packages, a `/dev/fuse`
//! that ordinary users may open, two production installs of rez, the cargo tools, and suites for
//! POSIX file systems.

pub(crate) mod debian;
mod fuse_device;
pub(crate) mod python;
pub(crate) mod rez;
mod suites;
pub(crate) mod tools;
pub(crate) mod windows;
mod windows_std;

use anyhow::Result;
use clap::Args;

use crate::windows::Platform;

/// What to install.
#[derive(Args)]
pub(crate) struct Options {
    /// For the tests of another platform instead: a cross compiler, and what runs its programs.
    #[arg(value_enum)]
    platform: Option<Platform>,
}

/// `cargo xtask setup`.
pub(crate) fn from_command(options: &Options) -> Result<()> {
    match options.platform {
        Some(Platform::Windows) => windows::run(),
        None => run().map(|_| ()),
    }
}

/// What `setup` leaves behind for other tasks.
pub(crate) struct Installed {
    /// The newest rez that pkgfs supports.
    pub(crate) rez: rez::Install,
}

/// Installs whatever is missing.
pub(crate) fn run() -> Result<Installed> {
    debian::install(debian::PACKAGES)?;
    fuse_device::open_to_everyone()?;
    tools::install()?;
    suites::install()?;
    let mut newest = None;
    for version in rez::VERSIONS {
        let install = rez::install(version)?;
        eprintln!("rez {version}: {}", install.bin.display());
        newest = Some(install);
    }
    newest
        .map(|rez| Installed { rez })
        .ok_or_else(|| anyhow::anyhow!("no version of rez is listed for installation"))
}
