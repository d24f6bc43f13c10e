//! `cargo xtask soak`: for hours what the tests do for seconds.
//!
//! First daemons are killed under load in each mode, then everything happens at random, with
//! applications of PyPI packages among it. Both are tests that are told to go on for longer; they
//! print what they counted.

use anyhow::{Context, Result};
use clap::Args;

use crate::bench;
use crate::process::{self, cargo};
use crate::setup::{self, tools};

/// How long.
#[derive(Args)]
pub(crate) struct Options {
    /// Minutes of everything at random.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Kills of the daemon under load, in each mode.
    #[arg(long, default_value_t = 200)]
    kills: u64,
}

/// Sets up, builds, and lets the tests run for as long.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::run()?;
    process::run(&mut cargo(&["build", "--workspace", "--bins"]))?;
    let packages = bench::soak_packages().context("cannot make the packages to start")?;
    let test = |filter: &str| -> Result<()> {
        let arguments = ["nextest", "run", "-p", "pkgfs-tests", "--test", "crash", "--no-capture"];
        process::run(
            cargo(&arguments)
                .args(["-E", filter])
                .env("PATH", tools::search_path())
                .env("PKGFS_KILLS", options.kills.to_string())
                .env("PKGFS_SOAK_SECONDS", (options.minutes * 60).to_string())
                .env("PKGFS_SOAK_PACKAGES", &packages),
        )
    };
    if options.kills > 0 {
        test("test(hand_over::programs_notice_no_death)")?;
    }
    test("test(soak::whatever_happens)")
}
