//! `cargo xtask bench`: figures, measured on this machine.

mod definitions;
mod scan;

use anyhow::Result;
use clap::{Args, Subcommand};

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Reading literal definitions, on one core.
    Definitions,
    /// `pkgfs scan` beside rez's own enumeration.
    Scan(scan::Options),
}

/// Measures it.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.what {
        What::Definitions => definitions::run(),
        What::Scan(options) => scan::run(options),
    }
}
