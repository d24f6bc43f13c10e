//! `cargo xtask check`: format, dependencies, lints, documentation.

mod dependencies;
mod macos;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::process::{self, cargo};
use crate::setup::{debian, tools};
use crate::windows;

/// What to check.
#[derive(Args)]
pub(crate) struct Options {
    /// Checks to run instead of all of this platform's own.
    #[arg(value_enum)]
    steps: Vec<Step>,
}

/// One check.
#[derive(Clone, Copy, ValueEnum)]
enum Step {
    /// rustfmt.
    Format,
    /// Licences, sources, direction of crates, advisories, yanked versions.
    Dependencies,
    /// clippy with warnings as errors.
    Lints,
    /// rustdoc with warnings as errors.
    Docs,
    /// clippy for Windows, with warnings as errors.
    Windows,
    /// clippy for macOS, with warnings as errors, of what has a part for it.
    Macos,
}

/// The checks of this platform.
const OWN: &[Step] = &[Step::Format, Step::Dependencies, Step::Lints, Step::Docs];

/// Runs the checks, the quick ones first.
pub(crate) fn run(options: &Options) -> Result<()> {
    let steps = if options.steps.is_empty() { OWN } else { &options.steps };
    for step in steps {
        step.run()?;
    }
    Ok(())
}

impl Step {
    fn run(self) -> Result<()> {
        match self {
            Self::Format => process::run(&mut cargo(&["fmt", "--all", "--check"])),
            Self::Dependencies => {
                debian::install(&["git", "python3", "python3-venv"])?;
                tools::install()?;
                dependencies::check()
            }
            Self::Lints => process::run(
                cargo(&["clippy", "--workspace", "--all-targets"]).args(["--", "-D", "warnings"]),
            ),
            Self::Docs => process::run(
                cargo(&["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings"),
            ),
            Self::Windows => windows::check(),
            Self::Macos => macos::check(),
        }
    }
}
