//! `cargo xtask model`: the reference model and the schedules, for as long as is wanted.
//!
//! Two things that a test run does for seconds: random histories, on the view and through the
//! mount, beside a model (`tests/tests/model`); and schedules that shuttle takes hydration,
//! eviction and commit through (`crates/pkgfs-view/src/interleavings`). Each time they are new.

use std::thread;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use crate::process::{self, cargo};

/// What both of them take for how long a test goes on, in seconds.
const SECONDS: &str = "PKGFS_MODEL_SECONDS";

/// The tests that run under shuttle: this crate with its feature.
const SCHEDULES: [&str; 8] =
    ["test", "--package", "pkgfs-view", "--features", "shuttle", "--lib", "interleavings::", "--"];

/// How long to go on, and with what.
#[derive(Args)]
pub(crate) struct Options {
    /// Minutes in all.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// One of them instead of both.
    #[arg(value_enum)]
    only: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Random histories beside a reference model.
    Histories,
    /// Orders of steps within the view.
    Schedules,
}

/// Goes on for as long as is wanted.
pub(crate) fn run(options: &Options) -> Result<()> {
    let parts = options.only.map_or(vec![Part::Histories, Part::Schedules], |only| vec![only]);
    let seconds = options.minutes * 60 / parts.len() as u64;
    for part in parts {
        match part {
            Part::Histories => histories(seconds)?,
            Part::Schedules => schedules(Some(seconds))?,
        }
    }
    Ok(())
}

fn histories(seconds: u64) -> Result<()> {
    process::run(&mut cargo(&["build", "--workspace", "--bins"]))?;
    // Both its tests run at the same time.
    let arguments = ["test", "--package", "pkgfs-tests", "--test", "model", "--", "--nocapture"];
    process::run(cargo(&arguments).env(SECONDS, seconds.to_string()))
}

/// All tests of schedules: few of each without a time.
pub(crate) fn schedules(seconds: Option<u64>) -> Result<()> {
    let mut tests = cargo(&SCHEDULES);
    if let Some(seconds) = seconds {
        let listed = process::output(cargo(&SCHEDULES).arg("--list"))?;
        let number = listed.lines().filter(|line| line.ends_with(": test")).count() as u64;
        ensure!(number > 0, "there are no tests of schedules in pkgfs-view any more");
        let at_once = thread::available_parallelism().map_or(1, |number| number.get() as u64);
        let each = (seconds * at_once / number).max(1);
        tests.arg("--nocapture").env(SECONDS, each.to_string());
    }
    process::run(&mut tests)
}
