//! `cargo xtask test`: every test, on a machine that has what they need.
//!
//! Nothing is skipped: a missing `/dev/fuse`, rez or registry ends the task in the set-up, with
//! what to do about it.

use std::thread;

use anyhow::Result;
use clap::Args;

use crate::process::{self, cargo};
use crate::setup::{self, tools};
use crate::windows::{self, Platform};
use crate::{bench, model, wheel};

/// What to run.
#[derive(Args)]
pub(crate) struct Options {
    /// Tests of another platform instead: of Windows, under Wine.
    #[arg(value_enum)]
    platform: Option<Platform>,
    /// On a machine with Windows: without Wine, and with ProjFS itself.
    #[arg(long, requires = "platform")]
    real: bool,
    /// Passed on to `cargo nextest run`, for example a filter.
    #[arg(last = true)]
    nextest: Vec<String>,
}

/// Sets up, builds the binaries that tests start, and runs tests, documentation examples,
/// schedules of the view, and the benchmark for its counts.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.platform == Some(Platform::Windows) {
        return match options.real {
            true => windows::test_real(&options.nextest),
            false => windows::test(&options.nextest),
        };
    }
    setup::run()?;
    // Whole-system tests start these from the target directory; cargo builds only the binaries of
    // the package under test.
    process::run(&mut cargo(&["build", "--workspace", "--bins"]))?;
    wheel::build(true)?;
    // The whole suite meets real clocks, on whatever machine. What fails once and passes then is told
    // as FLAKY at the end, and is a fault to be found; the others' word counts none the less.
    let retries = if options.nextest.is_empty() { "--retries=1" } else { "--retries=0" };
    process::run(
        cargo(&["nextest", "run", "--workspace", retries])
            .env("NEXTEST_TEST_THREADS", at_once())
            .args(&options.nextest)
            .env("PATH", tools::search_path()),
    )?;
    process::run(&mut cargo(&["test", "--workspace", "--doc"]))?;
    if options.nextest.is_empty() {
        model::schedules(None)?;
        bench::quick()?;
    }
    Ok(())
}

/// How many tests run at the same time. Most of them wait for storage that is slow on purpose, or for
/// a clock, and not for a processor.
pub(crate) fn at_once() -> String {
    let processors = thread::available_parallelism().map_or(1, |number| number.get());
    (2 * processors).to_string()
}

/// Runs the suites for POSIX file systems in full (`docs/posix.md`).
pub(crate) fn posix() -> Result<()> {
    setup::run()?;
    process::run(&mut cargo(&["build", "--workspace", "--bins"]))?;
    let filter = ["--package", "pkgfs-tests", "--test", "protocol", "-E", "test(/^posix::/)"];
    process::run(
        cargo(&["nextest", "run", "--run-ignored", "all", "--no-capture"])
            .args(filter)
            .env("PATH", tools::search_path()),
    )
}
