//! `cargo xtask fuzz`: parsers, driven by libFuzzer for as long as is wanted.
//!
//! The targets are those of `tests/fuzz`, whose short form is part of `cargo xtask test`. Here the
//! compiler notes each branch that an input takes and each value it is compared with (LLVM's
//! SanitizerCoverage, which a stable toolchain has), and libFuzzer keeps what takes new ones. What
//! it kept lies in `.work/fuzz/<target>`, so that the next run goes on from there; what broke a
//! target lies in `.work/fuzz/broken-<target>-…`, and belongs into `tests/fuzz/seeds/<target>` once
//! it is mended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::process::{self, cargo};
use crate::workspace;

/// What the compiler adds: a counter for each branch, a table of them, and the operands of
/// comparisons.
const INSTRUMENTS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// Bytes of the longest input: room for what grows faster than its input to show.
const LONGEST: u32 = 32 << 10;
/// Seconds that one input may take.
const DEADLINE: u32 = 10;

/// What to fuzz, and for how long.
#[derive(Args)]
pub(crate) struct Options {
    /// The target, a directory of tests/fuzz/seeds; all, one after the other, if none is given.
    target: Option<String>,
    /// Minutes for each target.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Build only.
    #[arg(long)]
    build: bool,
}

/// Builds the targets with instruments, and runs them.
pub(crate) fn run(options: &Options) -> Result<()> {
    let seeds = workspace::root().join("tests/fuzz/seeds");
    let mut targets = Vec::new();
    for directory in fs::read_dir(&seeds).context("cannot read tests/fuzz/seeds")? {
        targets.push(directory?.file_name().to_string_lossy().into_owned());
    }
    targets.sort();
    if let Some(wanted) = &options.target {
        if !targets.contains(wanted) {
            bail!("there is no target `{wanted}`: there are {}", targets.join(", "));
        }
        targets.retain(|target| target == wanted);
    }
    let program = build()?;
    if options.build {
        return Ok(());
    }
    let mut broken = Vec::new();
    for target in targets {
        if let Err(error) = fuzz(&program, &target, &seeds.join(&target), options.minutes) {
            eprintln!("{error:#}");
            broken.push(target);
        }
    }
    if !broken.is_empty() {
        bail!("broken: {}; the inputs are in {}", broken.join(", "), kept().display());
    }
    Ok(())
}

fn build() -> Result<PathBuf> {
    let platform = process::output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let platform = platform.trim();
    // A platform that is named has a directory of its own, and build scripts go without instruments.
    let target = kept().join("target");
    process::run(
        cargo(&["build", "--package", "pkgfs-fuzz", "--features", "libfuzzer"])
            .args(["--profile", "fuzz", "--target", platform])
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_ENCODED_RUSTFLAGS", INSTRUMENTS.join("\u{1f}")),
    )?;
    Ok(target.join(platform).join("fuzz/pkgfs-fuzz"))
}

fn fuzz(program: &Path, target: &str, seeds: &Path, minutes: f64) -> Result<()> {
    let corpus = kept().join(target);
    fs::create_dir_all(&corpus)?;
    let seconds = (minutes * 60.0).max(1.0).round();
    process::run(
        process::command(program)
            .env("PKGFS_FUZZ_TARGET", target)
            .args([&corpus, seeds])
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={LONGEST}"))
            .arg(format!("-timeout={DEADLINE}"))
            .arg(format!("-artifact_prefix={}/broken-{target}-", kept().display()))
            .args(["-use_value_profile=1", "-print_final_stats=1"]),
    )
}

/// Where all of it lies.
fn kept() -> PathBuf {
    workspace::work_dir().join("fuzz")
}
