//! The one door to everything a developer does: `cargo xtask <task>`.
//!
//! Each task is a module of its own and runs ordinary commands (cargo, pip, apt-get, rez) in the
//! foreground, saying what it runs. A task ends non-zero with the first command that fails, and
//! what it installs lies in `<workspace>/.work`, which git ignores and which may be deleted at any
//! time.

#[cfg_attr(windows, allow(dead_code, reason = "tasks of Linux use the rest"))]
mod process;
mod windows;
#[cfg_attr(windows, allow(dead_code, reason = "tasks of Linux use the rest"))]
mod workspace;

// What runs on Linux, which is everything but the tests of Windows on Windows.
#[cfg(unix)]
mod bench;
#[cfg(unix)]
mod check;
#[cfg(unix)]
mod crash_points;
#[cfg(unix)]
mod demo;
#[cfg(unix)]
mod fuzz;
#[cfg(unix)]
mod model;
#[cfg(unix)]
mod setup;
#[cfg(unix)]
mod soak;
#[cfg(unix)]
mod test;
#[cfg(unix)]
mod wheel;

use clap::{Parser, Subcommand};

/// Everything a developer does with pkgfs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[cfg(unix)]
#[derive(Subcommand)]
enum Task {
    /// Install what the tests and the demo need: Debian packages, rez in two versions, tools.
    Setup(setup::Options),
    /// Check format, lints, dependencies (licences, advisories, direction of crates) and docs.
    Check(check::Options),
    /// Set up, build and run every test, mounts and rez included.
    Test(test::Options),
    /// Give every parser inputs that are searched for by what code they reach.
    Fuzz(fuzz::Options),
    /// End the store at each of its system calls, and damage its database in many ways.
    CrashPoints(crash_points::Options),
    /// Run the suites for POSIX file systems in full: minutes.
    Posix,
    /// Build the Python package as a wheel.
    Wheel(wheel::Options),
    /// Measure pkgfs beside the local disk, shared storage, rez and rclone.
    Bench(bench::Options),
    /// For hours what the tests do for seconds: kills, faults, evictions, upgrades, at random.
    Soak(soak::Options),
    /// Run random histories beside the reference model, and orders of steps within the view.
    Model(model::Options),
    /// Show pkgfs at work under an unmodified rez, beside rez's own cache.
    Demo(demo::Options),
}

/// What Windows itself is for.
#[cfg(windows)]
#[derive(Subcommand)]
enum Task {
    /// Run the tests of Windows: `cargo xtask test windows --real`.
    Test(windows::RealOptions),
}

#[cfg(windows)]
fn run(task: Task) -> anyhow::Result<()> {
    let Task::Test(options) = task;
    windows::test_real(&options.filter)
}

#[cfg(unix)]
fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Setup(options) => setup::from_command(&options),
        Task::Check(options) => check::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::CrashPoints(options) => crash_points::run(&options),
        Task::Posix => test::posix(),
        Task::Wheel(options) => wheel::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Soak(options) => soak::run(&options),
        Task::Model(options) => model::run(&options),
        Task::Demo(options) => demo::run(&options),
    }
}

fn main() -> std::process::ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
