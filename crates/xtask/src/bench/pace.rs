//! How often each way is measured.

use anyhow::{Context as _, Result};

use super::figures::{Cell, Row};
use super::way::Way;
use crate::demo::interrupt;

/// Somebody else's cache that has taken this long in one row is not measured again once there are
/// [`FEWEST`] runs of it.
const SECONDS: f64 = 4.0;
const FEWEST: usize = 3;

/// Which rows to measure, and how often.
#[derive(Clone)]
pub(super) struct Pace {
    runs: usize,
    /// Part of the names of those rows; all rows without it.
    only: Option<String>,
}

impl Pace {
    pub(super) fn new(runs: u16, only: Option<String>) -> Self {
        Self { runs: usize::from(runs), only }
    }

    /// How often.
    pub(super) fn runs(&self) -> usize {
        self.runs
    }

    pub(super) fn wants(&self, row: &str) -> bool {
        self.only.as_ref().is_none_or(|only| row.contains(only))
    }

    /// Measures the ways in turns; nothing of a row that is not wanted.
    pub(super) fn row(
        &self,
        name: &str,
        ways: &[Way],
        mut measure: impl FnMut(Way, usize) -> Result<Cell>,
    ) -> Result<Row> {
        let mut row = Row::new(name);
        if !self.wants(name) {
            return Ok(row);
        }
        for run in 0..self.runs {
            for way in shuffled(ways, run as u64) {
                interrupt::check()?;
                let cell = row.cells.entry(way).or_default();
                let spent: f64 = cell.seconds.iter().sum();
                if way.is_peer() && cell.seconds.len() >= FEWEST && spent > SECONDS {
                    continue;
                }
                let measured = measure(way, run);
                cell.take(measured.with_context(|| format!("{name}, {}", way.heading()))?);
            }
        }
        eprintln!("{}", row.line());
        Ok(row)
    }
}

/// The ways in an order of each run's own: what the machine does meanwhile, and what the way before left
/// in the processors' caches, strikes each alike.
fn shuffled(ways: &[Way], run: u64) -> Vec<Way> {
    let mut ways = ways.to_vec();
    // Seeded by the run: the same orders in each benchmark.
    fastrand::Rng::with_seed(run).shuffle(&mut ways);
    ways
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_way_is_measured_once_a_run_and_after_each_other() {
        let mut pairs = HashSet::new();
        for run in 0..100 {
            let order = shuffled(&Way::ALL, run);
            assert_eq!(order.iter().collect::<HashSet<_>>().len(), Way::ALL.len());
            pairs.extend(order.windows(2).map(|pair| (pair[0], pair[1])));
        }
        assert_eq!(pairs.len(), Way::ALL.len() * (Way::ALL.len() - 1));
    }
}
