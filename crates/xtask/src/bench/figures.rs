//! What is measured: cells, rows of them, and what is claimed of them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::ground::Asked;
use super::way::Way;

/// One way's figures in a row, of each run in order.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Cell {
    /// What it took.
    pub(super) seconds: Vec<f64>,
    /// Operations on payloads in storage.
    pub(super) operations: Vec<u64>,
    /// Bytes of payloads that storage sent.
    pub(super) bytes: Vec<u64>,
}

impl Cell {
    /// One run.
    pub(super) fn of(seconds: f64, asked: Asked) -> Self {
        Self {
            seconds: vec![seconds],
            operations: vec![asked.operations],
            bytes: vec![asked.bytes],
        }
    }

    /// Takes in the runs of another.
    pub(super) fn take(&mut self, more: Self) {
        self.seconds.extend(more.seconds);
        self.operations.extend(more.operations);
        self.bytes.extend(more.bytes);
    }

    /// The median time.
    pub(super) fn median(&self) -> Option<f64> {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied()
    }

    /// The median of operations and of bytes, each by itself.
    pub(super) fn asked(&self) -> Asked {
        let middle = |counts: &[u64]| {
            let mut counts = counts.to_vec();
            counts.sort_unstable();
            counts.get(counts.len() / 2).copied().unwrap_or_default()
        };
        Asked { operations: middle(&self.operations), bytes: middle(&self.bytes) }
    }
}

/// The same work in each way.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) cells: BTreeMap<Way, Cell>,
}

impl Row {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), cells: BTreeMap::new() }
    }

    /// The median time of a way.
    pub(super) fn median(&self, way: Way) -> Option<f64> {
        self.cells.get(&way)?.median()
    }

    /// How many times longer a way takes than another.
    pub(super) fn ratio(&self, way: Way, to: Way) -> Option<f64> {
        Some(self.median(way)? / self.median(to)?)
    }

    /// What storage was asked in a way.
    pub(super) fn asked(&self, way: Way) -> Asked {
        self.cells.get(&way).map(Cell::asked).unwrap_or_default()
    }

    /// For whoever watches.
    pub(super) fn line(&self) -> String {
        let cell = |(way, cell): (&Way, &Cell)| {
            let Asked { operations, bytes } = cell.asked();
            let milliseconds = cell.median().unwrap_or_default() * 1e3;
            let heading = way.heading();
            format!("{heading} {milliseconds:.2} ms ({operations} op, {bytes} B)")
        };
        format!("{}: {}", self.name, self.cells.iter().map(cell).collect::<Vec<_>>().join(", "))
    }
}

/// A figure beside its limit.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Claim {
    /// What is limited.
    pub(super) what: String,
    pub(super) figure: f64,
    pub(super) limit: Limit,
    /// A count, which does not depend on the machine.
    exact: bool,
    /// A comparison with another cache: told of where it is missed.
    comparison: bool,
}

/// What a figure may be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Claim {
    /// Of a time, or of anything else that the machine decides.
    pub(super) fn of(what: impl Into<String>, figure: f64, limit: Limit) -> Self {
        Self { what: what.into(), figure, limit, exact: false, comparison: false }
    }

    /// Of a count.
    pub(super) fn exact(what: impl Into<String>, figure: f64, limit: Limit) -> Self {
        Self { exact: true, ..Self::of(what, figure, limit) }
    }

    /// Of a time that another cache must not beat.
    pub(super) fn comparison(what: impl Into<String>, ratio: f64) -> Self {
        Self { comparison: true, ..Self::of(what, ratio, Limit::AtMost(1.0)) }
    }

    pub(super) fn is_comparison(&self) -> bool {
        self.comparison
    }

    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    pub(super) fn is_met(&self) -> bool {
        match self.limit {
            Limit::AtMost(most) => self.figure <= most,
            Limit::AtLeast(least) => self.figure >= least,
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, limit) = match self.limit {
            Limit::AtMost(most) => ("at most", most),
            Limit::AtLeast(least) => ("at least", least),
        };
        write!(f, "{}: {} ({word} {limit})", self.what, rounded(self.figure))
    }
}

/// A figure as it is shown.
pub(super) fn rounded(figure: f64) -> String {
    match figure.abs() {
        large if large >= 100.0 => format!("{figure:.0}"),
        middle if middle >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// A figure over another, in lines.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Curve {
    pub(super) name: String,
    /// What goes to the right, and what goes up.
    pub(super) axes: [String; 2],
    pub(super) lines: BTreeMap<String, Vec<(f64, f64)>>,
}

/// Everything that one part has measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Part {
    /// `warm` and so on: the name of its files.
    pub(super) name: &'static str,
    pub(super) heading: &'static str,
    pub(super) rows: Vec<Row>,
    pub(super) claims: Vec<Claim>,
    pub(super) curves: Vec<Curve>,
}

impl Part {
    /// Leaves out rows that were not measured, and what would be claimed of them.
    pub(super) fn keep_measured(&mut self) {
        self.rows.retain(|row| !row.cells.is_empty());
        let rows = &self.rows;
        self.claims.retain(|claim| rows.iter().any(|row| claim.what.starts_with(&row.name)));
    }
}
