//! What is not local: every run begins with storage mounted anew and nothing kept.
//!
//! Storage takes 0.5 ms an operation, 16 at a time. What a way asks of it is counted until it is
//! quiet again, so that what goes on in the background is in.

mod economy;
mod import;
mod large;
mod profile;
mod whole;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use pkgfs_standin::Options as Cost;

use super::Bench;
use super::figures::{Cell, Claim, Part, Row};
use super::ground::{Asked, Ground};
use super::mount::Mount;
use super::rclone::Rclone;
use super::repository::Package;
use super::way::Way;

/// Runs it.
pub(super) fn run(bench: &Bench) -> Result<Part> {
    let ground = Ground::new(bench, &Cost::default())?;
    let probe = Mount::make(&ground, Way::Passthrough, "probe")?;
    let places = probe.add(&bench.repository.packages())?;
    drop(probe);
    let mut cold = Cold { bench, ground, places, rows: Vec::new(), claims: Vec::new() };
    let measures =
        [import::measure, profile::measure, whole::measure, large::measure, economy::measure];
    for measure in measures {
        measure(&mut cold)?;
    }
    let Cold { rows, claims, .. } = cold;
    let heading = "Cold: 0.5 ms an operation of storage";
    Ok(Part { name: "cold", heading, rows, claims, curves: Vec::new() })
}

/// The part under way.
struct Cold<'a> {
    bench: &'a Bench,
    ground: Ground,
    /// Where packages are in any mount of the storage.
    places: BTreeMap<&'static str, PathBuf>,
    rows: Vec<Row>,
    claims: Vec<Claim>,
}

/// A way that knows nothing yet.
enum Entry {
    Straight,
    /// A cache that nothing was copied into.
    Rez(PathBuf),
    Rclone(Rclone),
    Pkgfs(Mount),
}

impl Cold<'_> {
    /// Begins anew.
    fn enter(&mut self, way: Way) -> Result<Entry> {
        self.ground.renew()?;
        let name = way.heading();
        let entry = match way {
            Way::Rclone => Entry::Rclone(Rclone::mount(&self.ground, name)?),
            Way::Rez => Entry::Rez(self.ground.file("rez")),
            way if way.mode().is_some() => Entry::Pkgfs(Mount::make(&self.ground, way, name)?),
            _ => Entry::Straight,
        };
        self.ground.reset()?;
        Ok(entry)
    }

    /// Where a package is, and the seconds that it takes to be there.
    fn root(&self, entry: &Entry, package: &Package) -> Result<(PathBuf, f64)> {
        Ok(match entry {
            Entry::Straight => (self.ground.location().join(package.payload()), 0.0),
            Entry::Rclone(rclone) => (rclone.root().join(package.payload()), 0.0),
            Entry::Pkgfs(mount) => (mount.mountpoint().join(&self.places[package.name]), 0.0),
            Entry::Rez(cache) => {
                let packages = [package.clone()];
                let mut copied = self.bench.rez.copy(&self.ground.location(), cache, &packages)?;
                let copied = copied.remove(package.name).context("rez has not copied it")?;
                (copied.root, copied.seconds)
            }
        })
    }

    /// What storage was asked, once it is quiet; and the end of the entry.
    fn leave(&self, entry: Entry) -> Result<Asked> {
        let asked = self.quiet(&entry)?;
        if let Entry::Rez(cache) = &entry {
            self.ground.programs().graveyard.bury(cache)?;
        }
        Ok(asked)
    }

    fn quiet(&self, entry: &Entry) -> Result<Asked> {
        let partial = match entry {
            Entry::Pkgfs(mount) => Some(mount.partial()),
            _ => None,
        };
        self.ground.settle(partial.as_deref())
    }

    /// Measures a row; `work` tells the seconds that it took at a package's root.
    fn row(
        &mut self,
        name: &str,
        ways: &[Way],
        package: &Package,
        work: impl Fn(&Self, Way, &PathBuf, &Entry) -> Result<f64>,
    ) -> Result<Row> {
        let pace = self.bench.pace.clone();
        let row = pace.row(name, ways, |way, _| {
            let entry = self.enter(way)?;
            let (root, copying) = self.root(&entry, package)?;
            let seconds = copying + work(self, way, &root, &entry)?;
            Ok(Cell::of(seconds, self.leave(entry)?))
        })?;
        self.compare(&row);
        self.rows.push(row.clone());
        Ok(row)
    }

    /// No row may be worse than with rclone or with rez's copy.
    fn compare(&mut self, row: &Row) {
        for way in Way::PKGFS {
            for other in [Way::Rclone, Way::Rez] {
                if let Some(ratio) = row.ratio(way, other) {
                    let what = format!("{}, {}, to {}", row.name, way.heading(), other.heading());
                    self.claims.push(Claim::comparison(what, ratio));
                }
            }
        }
    }
}

/// A count over another.
#[allow(clippy::cast_precision_loss)]
fn over(count: u64, other: u64) -> f64 {
    count as f64 / other.max(1) as f64
}
