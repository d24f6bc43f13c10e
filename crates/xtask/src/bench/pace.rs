//! How often each way is measured.

use anyhow::{Context as _, Result};

use super::figures::{Cell, Row};
use super::way::Way;
use crate::demo::interrupt;

/// A way that has taken this long in one row is not measured again once there are
/// [`FEWEST`] runs of it.
const SECONDS: f64 = 4.0;
const FEWEST: usize = 3;

/// How often to measure.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    runs: usize,
}

impl Pace {
    pub(super) fn new(runs: u16) -> Self {
        Self { runs: usize::from(runs) }
    }

    /// Measures the ways in turns.
    pub(super) fn row(
        self,
        name: &str,
        ways: &[Way],
        mut measure: impl FnMut(Way, usize) -> Result<Cell>,
    ) -> Result<Row> {
        let mut row = Row::new(name);
        for run in 0..self.runs {
            for place in 0..ways.len() {
                interrupt::check()?;
                // Whoever goes first in one run goes last in another: what the machine does
                // meanwhile strikes each way alike.
                let way = ways[(place + run) % ways.len()];
                let cell = row.cells.entry(way).or_default();
                let spent: f64 = cell.seconds.iter().sum();
                if cell.seconds.len() >= FEWEST && spent > SECONDS {
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
