//! `cargo xtask bench`: figures, measured on this machine.
//!
//! Each part does the same work in every way in turns: on the local disk, straight from the
//! stand-in for shared storage, in a copy that rez made, through rclone's cache, and through
//! pkgfs in each of its modes. Whatever is timed is timed inside the program that does it, and
//! what storage was asked meanwhile is counted exactly.

mod cold;
mod definitions;
mod faults;
mod figures;
mod graveyard;
mod ground;
mod herd;
mod load;
mod mount;
mod namespace;
mod pace;
mod programs;
mod rclone;
mod reading;
mod report;
mod repository;
mod rez;
mod scale;
mod scan;
mod user;
mod warm;
mod way;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::demo::interrupt;
use crate::{setup, workspace};
use figures::Part;
use pace::Pace;
use programs::Programs;
use repository::Repository;
use rez::Rez;

/// What to measure: everything, unless a part is named.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    measuring: Measuring,
}

#[derive(Subcommand)]
enum What {
    /// What is local already: imports, files read, found and mapped.
    Warm(Measuring),
    /// What is not: first imports, whole packages, a large file, and what storage is asked.
    Cold(Measuring),
    /// Memory, the time a mount takes, and the cost of a look-up, by how much is known.
    Scale(Measuring),
    /// Many fresh stores that start the same application at once.
    Herd(Measuring),
    /// Storage that hangs: local reads with and without it, and how cold ones end.
    Faults(Measuring),
    /// Reading literal definitions, on one core.
    Definitions,
    /// `pkgfs scan` beside rez's own enumeration.
    Scan(scan::Options),
}

/// How to measure.
#[derive(Args, Clone)]
pub(crate) struct Measuring {
    /// Repetitions, interleaved; medians are shown. A way that is slow is measured less often.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Do everything once with small loads and development builds, and check counts: that it
    /// works, never how fast it is.
    #[arg(long)]
    quick: bool,
    /// Write the report, its plots and the JSON there instead of `.work/bench`.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Measure only the rows with this in their names.
    #[arg(long, value_name = "TEXT", conflicts_with = "quick")]
    rows: Option<String>,
}

/// What every part needs.
struct Bench {
    programs: Programs,
    repository: Repository,
    rez: Rez,
    pace: Pace,
    quick: bool,
}

/// Measures it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let all: [fn(&Bench) -> Result<Part>; 5] =
        [warm::run, cold::run, scale::run, herd::run, faults::run];
    match &options.what {
        None => {
            measure(&options.measuring, &all)?;
            if !options.measuring.quick {
                definitions::run()?;
                scan::run(&scan::Options::default())?;
            }
            Ok(())
        }
        Some(What::Warm(measuring)) => measure(measuring, &[warm::run]),
        Some(What::Cold(measuring)) => measure(measuring, &[cold::run]),
        Some(What::Scale(measuring)) => measure(measuring, &[scale::run]),
        Some(What::Herd(measuring)) => measure(measuring, &[herd::run]),
        Some(What::Faults(measuring)) => measure(measuring, &[faults::run]),
        Some(What::Definitions) => definitions::run(),
        Some(What::Scan(options)) => scan::run(options),
    }
}

/// Real packages that `soak` starts: directory, name, version and module of each, between colons.
pub(crate) fn soak_packages() -> Result<String> {
    let repository = repository::Repository::prepare(true)?;
    let packages = repository.imports.iter().filter_map(|package| {
        let (directory, module) = (repository.root(package), package.module?);
        Some(format!("{}:{}:{}:{module}", directory.display(), package.name, package.version))
    });
    Ok(packages.collect::<Vec<_>>().join(" "))
}

/// Does each part once and checks what it counts.
pub(crate) fn quick() -> Result<()> {
    run(&Options {
        what: None,
        measuring: Measuring { runs: 1, quick: true, to: None, rows: None },
    })
}

/// Measures some parts, and reports each when it is done.
fn measure(measuring: &Measuring, parts: &[fn(&Bench) -> Result<Part>]) -> Result<()> {
    interrupt::note()?;
    let installed = setup::run()?;
    let quick = measuring.quick;
    let bench = Bench {
        programs: Programs::build(quick)?,
        repository: Repository::prepare(quick)?,
        rez: Rez::new(&installed.rez)?,
        pace: Pace::new(if quick { 1 } else { measuring.runs }, measuring.rows.clone()),
        quick,
    };
    let to = measuring.to.clone().unwrap_or_else(|| workspace::work_dir().join("bench"));
    let mut wrong = Vec::new();
    for part in parts {
        let mut part = part(&bench)?;
        if measuring.rows.is_some() {
            part.keep_measured();
        }
        report::write(&part, &to, quick)?;
        wrong.extend(part.claims.into_iter().filter(|claim| claim.is_exact() && !claim.is_met()));
    }
    // A time depends on the machine; a count that is off is a fault.
    if quick && !wrong.is_empty() {
        let wrong: Vec<_> = wrong.iter().map(ToString::to_string).collect();
        bail!("counts that must hold do not: {}", wrong.join("; "));
    }
    Ok(())
}
