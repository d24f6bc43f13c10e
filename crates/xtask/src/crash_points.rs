//! `cargo xtask crash-points`: the store ended at every one of its system calls, by a kill and by
//! losses of power, and its database damaged in many ways. The tests of the crate do some of each.

use anyhow::Result;
use clap::Args;

use crate::process::{self, cargo};
use crate::setup::tools;

/// How much.
#[derive(Args)]
pub(crate) struct Options {
    /// How many damages of the database, and as many of its log.
    #[arg(long, default_value_t = 3_000)]
    damages: u32,
}

/// Runs them; each says how many ends or damages there were.
pub(crate) fn run(options: &Options) -> Result<()> {
    process::run(
        cargo(&["nextest", "run", "--package", "pkgfs-store", "--no-capture"])
            .args(["--test", "crash", "--test", "damage", "-E", "not test(kills)"])
            .env("PKGFS_STORE_ALL_POINTS", "1")
            .env("PKGFS_STORE_DAMAGES", options.damages.to_string())
            .env("PATH", tools::search_path()),
    )
}
