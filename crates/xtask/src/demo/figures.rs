//! From measurements to the figures that are shown: medians, and the ratios that are promised.

use std::collections::BTreeMap;

use serde::Serialize;

use super::measurement::{Environment, Measurement};
use super::repository::{Extent, Package};
use super::way::Way;

/// Everything measured for one package.
#[derive(Serialize)]
pub(super) struct PackageFigures {
    /// rez's name of it.
    pub(super) name: &'static str,
    /// Its version.
    pub(super) version: &'static str,
    /// What was imported.
    pub(super) module: &'static str,
    /// What the payload holds.
    pub(super) payload: Extent,
    /// The median of each way.
    pub(super) medians: BTreeMap<Way, Measurement>,
    /// Each run of each way, in order.
    pub(super) runs: BTreeMap<Way, Vec<Measurement>>,
}

/// The ratios by which pkgfs is judged.
#[derive(Serialize)]
pub(super) struct Ratios {
    /// First import through pkgfs to first import straight: at most 1.
    pub(super) first_import_to_straight: f64,
    /// First result straight to first result with pkgfs, rez-env included.
    pub(super) first_result_sooner_than_straight: f64,
    /// First result with rez's copy to first result with pkgfs: how much sooner it is usable.
    pub(super) sooner_than_rez: f64,
    /// The same without what rez-env takes by itself in either: copy and import to import.
    pub(super) sooner_than_rez_without_resolve: f64,
    /// Bytes copied to bytes of the files opened: at most 1.02.
    pub(super) copied_to_opened: f64,
    /// Operations on payloads in the second run: 0.
    pub(super) second_operations: u64,
}

impl PackageFigures {
    /// Figures of a package that was not measured yet.
    pub(super) fn new(package: &Package, payload: Extent) -> Self {
        Self {
            name: package.name,
            version: package.version,
            module: package.module,
            payload,
            medians: BTreeMap::new(),
            runs: BTreeMap::new(),
        }
    }

    /// Takes in one more run.
    pub(super) fn add(&mut self, way: Way, measurement: Measurement) {
        let runs = self.runs.entry(way).or_default();
        runs.push(measurement);
        if let Some(median) = median(runs) {
            self.medians.insert(way, median);
        }
    }

    /// The ratios, once each way was measured.
    pub(super) fn ratios(&self) -> Option<Ratios> {
        let straight = self.medians.get(&Way::Straight)?;
        let rez = self.medians.get(&Way::RezCache)?;
        let pkgfs = self.medians.get(&Way::Pkgfs)?;
        // What rez-env takes by itself, start and resolve, is what a straight one takes besides
        // its import.
        let resolve = straight.first.seconds - straight.first.import_seconds;
        Some(Ratios {
            first_import_to_straight: pkgfs.first.import_seconds / straight.first.import_seconds,
            first_result_sooner_than_straight: straight.first.seconds / pkgfs.first.seconds,
            sooner_than_rez: rez.first.seconds / pkgfs.first.seconds,
            sooner_than_rez_without_resolve: (rez.first.seconds - resolve)
                / (pkgfs.first.seconds - resolve).max(pkgfs.first.import_seconds),
            copied_to_opened: ratio(pkgfs.copied.bytes, pkgfs.opened.bytes),
            second_operations: pkgfs.second.operations,
        })
    }
}

#[allow(clippy::cast_precision_loss)]
fn ratio(copied: u64, opened: u64) -> f64 {
    copied as f64 / opened as f64
}

/// The median of each figure by itself; nothing for no runs.
fn median(runs: &[Measurement]) -> Option<Measurement> {
    let environment = |of: fn(&Measurement) -> &Environment| {
        Some(Environment {
            seconds: middle(runs.iter().map(|run| of(run).seconds))?,
            import_seconds: middle(runs.iter().map(|run| of(run).import_seconds))?,
            operations: middle(runs.iter().map(|run| of(run).operations))?,
            bytes: middle(runs.iter().map(|run| of(run).bytes))?,
        })
    };
    let extent = |of: fn(&Measurement) -> &Extent| {
        Some(Extent {
            files: middle(runs.iter().map(|run| of(run).files))?,
            bytes: middle(runs.iter().map(|run| of(run).bytes))?,
        })
    };
    Some(Measurement {
        first: environment(|run| &run.first)?,
        second: environment(|run| &run.second)?,
        copied: extent(|run| &run.copied)?,
        opened: extent(|run| &run.opened)?,
        // Every run must hold: the worst is shown.
        roots: runs.iter().map(|run| run.roots).max()?,
        remapped: runs.iter().map(|run| run.remapped).min()?,
    })
}

/// The upper median.
fn middle<T: PartialOrd>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let half = values.len() / 2;
    values.into_iter().nth(half)
}

#[cfg(test)]
mod tests {
    use super::middle;

    #[test]
    fn the_median_is_untouched_by_an_outlier() {
        assert_eq!(middle([9.0, 1.0, 2.0].into_iter()), Some(2.0));
    }

    #[test]
    fn nothing_measured_has_no_median() {
        assert_eq!(middle(std::iter::empty::<u64>()), None);
    }
}
