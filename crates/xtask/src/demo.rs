//! `cargo xtask demo`: pkgfs at work under an unmodified rez, beside rez's own cache.
//!
//! A rez repository of real packages is served by the stand-in for shared storage, which takes
//! 0.5 ms for every operation and counts them. For each package, three ways run side by side in
//! turns, each from a cold start: straight from that storage, through rez's own cache, and through
//! a mount of pkgfs. A way's work is one `rez-env` that imports the package, and then the same
//! again. Medians are shown, then an attempt to edit a payload.

mod binaries;
mod figures;
pub(crate) mod interrupt;
mod measurement;
mod mount;
mod refusal;
mod repository;
mod scene;
pub(crate) mod strays;
mod table;
mod way;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::setup;
use binaries::Binaries;
use figures::PackageFigures;
use repository::{PACKAGES, Package, Repository};
use scene::Scene;
use way::Way;

/// How to show it.
#[derive(Args)]
pub(crate) struct Options {
    /// Repetitions, interleaved; medians are shown.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Packages to show instead of all.
    #[arg(long = "package", value_parser = PACKAGES.iter().map(|package| package.name).collect::<Vec<_>>())]
    packages: Vec<String>,
    /// Write the figures, each run included, to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Use the development build, which is made sooner and runs slower.
    #[arg(long)]
    debug: bool,
    /// Leave pkgfs out: for a look at the other ways while it does not mount.
    #[arg(long, hide = true)]
    without_pkgfs: bool,
}

/// Runs the demo.
pub(crate) fn run(options: &Options) -> Result<()> {
    interrupt::note()?;
    let installed = setup::run()?;
    let binaries = Binaries::build(options.debug, !options.without_pkgfs)?;
    let repository = Repository::prepare()?;
    let packages: Vec<&Package> = PACKAGES
        .iter()
        .filter(|package| {
            options.packages.is_empty() || options.packages.iter().any(|name| name == package.name)
        })
        .collect();
    let mut all = Vec::new();
    for package in &packages {
        all.push(PackageFigures::new(package, repository.extent(package)?));
    }
    for run in 0..usize::from(options.runs) {
        for (package, figures) in packages.iter().zip(&mut all) {
            for place in 0..Way::ALL.len() {
                // Whoever goes first in one run goes last in another: what the machine does
                // meanwhile strikes each way alike.
                let way = Way::ALL[(place + run) % Way::ALL.len()];
                if options.without_pkgfs && way == Way::Pkgfs {
                    continue;
                }
                eprintln!(
                    "run {} of {}: {}, {}",
                    run + 1,
                    options.runs,
                    package.name,
                    way.heading()
                );
                let scene = Scene::set(way, &repository, &binaries, &installed.rez.bin)?;
                let measured = measurement::measure(&scene, way, package, &repository)
                    .with_context(|| format!("{}, {}", package.name, way.heading()))?;
                figures.add(way, measured);
            }
        }
    }
    show(&all);
    if let Some(path) = &options.json {
        write(path, options, &all)?;
    }
    if !options.without_pkgfs {
        show_refusal(&repository, &binaries, &installed)?;
    }
    all.iter().try_for_each(all_remapped)
}

fn show(all: &[PackageFigures]) {
    println!(
        "\nEach operation on shared storage takes {} ms; every way starts with nothing local.\n",
        scene::DELAY.as_secs_f64() * 1e3
    );
    for figures in all {
        println!("{}", table::part(figures));
    }
    println!(
        "Operations are those on payloads, failed look-ups and background copying included; rez's\nown reading of package definitions is the same in every column and left out."
    );
}

/// From the very first rez-env, pkgfs has every root in the mount.
fn all_remapped(figures: &PackageFigures) -> Result<()> {
    match figures.medians.get(&Way::Pkgfs) {
        Some(pkgfs) if pkgfs.remapped != pkgfs.roots => bail!(
            "{}: only {} of {} roots lay in the mount at the first rez-env",
            figures.name,
            pkgfs.remapped,
            pkgfs.roots
        ),
        _ => Ok(()),
    }
}

fn show_refusal(
    repository: &Repository,
    binaries: &Binaries,
    installed: &setup::Installed,
) -> Result<()> {
    let scene = Scene::set(Way::Pkgfs, repository, binaries, &installed.rez.bin)?;
    let package = &PACKAGES[0];
    let root = measurement::root(&scene, package)?;
    let file = root.join("python").join(package.module).join("__init__.py");
    println!("\nAn attempt to edit a file of {} in the mount:", package.name);
    for line in refusal::attempt(&file)? {
        println!("{line}");
    }
    Ok(())
}

fn write(path: &PathBuf, options: &Options, all: &[PackageFigures]) -> Result<()> {
    let ratios: Vec<_> = all.iter().map(|figures| (figures.name, figures.ratios())).collect();
    let written = serde_json::json!({
        "delay_ms": scene::DELAY.as_secs_f64() * 1e3,
        "runs": options.runs,
        "optimised": !options.debug,
        "ratios": ratios.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "packages": all,
    });
    fs::write(path, serde_json::to_string_pretty(&written)? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))
}
