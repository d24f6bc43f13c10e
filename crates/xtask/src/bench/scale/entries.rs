//! Known entries: memory, and the cost of a look-up that the daemon answers.
//!
//! The same 1,000 names are looked up in a fresh mount: all in one directory, and spread over all.
//! The kernel looks up each directory once, too, so that what is spread over 1,000 directories is
//! 2,000 look-ups; times are of one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;
use pkgfs_standin::Options as Cost;

use super::{Found, megabytes};
use crate::bench::Bench;
use crate::bench::figures::{Claim, Curve, Limit};
use crate::bench::ground::Ground;
use crate::bench::mount::Mount;
use crate::bench::reading;
use crate::bench::repository::Package;
use crate::bench::way::Way;

const IN_DIRECTORY: usize = 1_000;
/// ext4 allows 65,000 names of one file.
const NAMES_OF_ONE: usize = 60_000;
/// Fresh mounts that look-ups are measured in.
const MOUNTS: usize = 5;

/// The most resident megabytes with the most entries.
const MEMORY: f64 = 120.0;
/// The most that a look-up costs with the most entries, to the fewest.
const GROWTH: f64 = 1.3;

pub(super) fn measure(bench: &Bench, found: &mut Found) -> Result<()> {
    let counts: &[usize] =
        if bench.quick { &[1_000, 3_000] } else { &[1_000, 10_000, 100_000, 1_000_000] };
    let mut memory = Vec::new();
    let mut one = Vec::new();
    let mut spread = Vec::new();
    for &count in counts {
        let ground = Ground::new(bench, &Cost::default())?;
        let at = ground.file("entries");
        let package = Package::made("entries");
        fill(&at, &package, count)?;
        let mount = Mount::of(&ground, Way::Passthrough, "pkgfs", &at)?;
        let place = mount.add(std::slice::from_ref(&package))?.remove(package.name);
        let root = mount.mountpoint().join(place.unwrap_or_default());
        let walked = reading::read(&bench.programs, Way::Passthrough.user(), "walk", &root, None)?;
        let entries = walked.files as f64;
        let what = format!("names found by a walk of {count} files");
        found.claims.push(Claim::exact(what, entries, Limit::AtLeast(count as f64)));
        let (daemon, all) = mount.memory()?;
        memory.push((entries, megabytes(daemon)));
        eprintln!(
            "{count} entries: {} MB, {} MB with the worker",
            megabytes(daemon),
            megabytes(all)
        );
        one.push((entries, looked_up(bench, &ground, &mount, &root, 1)?));
        let directories = (count / IN_DIRECTORY).min(IN_DIRECTORY);
        spread.push((entries, looked_up(bench, &ground, &mount, &root, directories)?));
    }
    claim(&memory, &one, &spread, found);
    let axes = |up: &str| ["entries known".to_owned(), up.to_owned()];
    found.curves.push(Curve {
        name: "Resident memory".to_owned(),
        axes: axes("MB"),
        lines: BTreeMap::from([("daemon".to_owned(), memory)]),
    });
    found.curves.push(Curve {
        name: "A look-up that the daemon answers".to_owned(),
        axes: axes("µs"),
        lines: BTreeMap::from([
            ("1,000 names of one directory".to_owned(), one),
            ("1,000 names of all directories".to_owned(), spread),
        ]),
    });
    Ok(())
}

fn claim(memory: &[(f64, f64)], one: &[(f64, f64)], spread: &[(f64, f64)], found: &mut Found) {
    if let Some((entries, megabytes)) = memory.last() {
        let what = format!("resident MB of the daemon, {entries} entries known");
        found.claims.push(Claim::of(what, *megabytes, Limit::AtMost(MEMORY)));
    }
    for (line, name) in [(one, "in one directory"), (spread, "in all directories")] {
        if let [first, .., last] = line {
            let what = format!("a look-up {name}, {} entries to {}", last.0, first.0);
            found.claims.push(Claim::of(what, last.1 / first.1, Limit::AtMost(GROWTH)));
        }
    }
}

/// Microseconds of one look-up of names in so many directories, in a mount whose kernel knows
/// nothing yet: the median over some mounts of the same store.
fn looked_up(
    bench: &Bench,
    ground: &Ground,
    mount: &Mount,
    root: &Path,
    directories: usize,
) -> Result<f64> {
    let list = ground.file("names");
    let lines = (0..IN_DIRECTORY).map(|place| {
        let directory = place * directories / IN_DIRECTORY;
        format!("{}/part_{directory:04}/file_{place:04}\n", root.display())
    });
    fs::write(&list, lines.collect::<String>())?;
    let mut times = Vec::new();
    for _ in 0..if bench.quick { 1 } else { MOUNTS } {
        mount.unmount()?;
        mount.mount()?;
        let done = reading::read(&bench.programs, Way::Passthrough.user(), "names", &list, None)?;
        times.push(done.seconds() * 1e6 / (IN_DIRECTORY + directories) as f64);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Empty files, as names of few: inodes are dear to make.
fn fill(repository: &Path, package: &Package, count: usize) -> Result<()> {
    let root = repository.join(package.payload());
    let mut file = repository.join("none");
    for number in 0..count {
        let directory = root.join(format!("part_{:04}", number / IN_DIRECTORY));
        if number % IN_DIRECTORY == 0 {
            fs::create_dir_all(&directory)?;
        }
        let name = directory.join(format!("file_{:04}", number % IN_DIRECTORY));
        if number % NAMES_OF_ONE == 0 {
            fs::write(&name, "")?;
            file = name;
        } else {
            fs::hard_link(&file, name)?;
        }
    }
    package.define(repository)
}
