//! What starts of one variant in one context touched: a list that launches are merged into.
//!
//! A launch brings what it touched to the order in which it did, and counts against what it did
//! not touch; what [`FEW`] launches in a row did not touch falls out. A launch that touched little
//! of what is known is likely another program's, and counts for a quarter.
//!
//! Invariants: no path twice; paths are relative, parts joined by `/`, none of them empty, `.` or
//! `..`; at most [`MOST_ITEMS`] items with [`MOST_NAMES`] bytes of paths and [`MOST_SPANS`] spans
//! each; in the order in which they were first touched.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
};

use serde::{Deserialize, Serialize};

use crate::spans::Spans;

/// Files in a record.
pub(crate) const MOST_ITEMS: usize = 4_096;
/// Bytes of their paths.
const MOST_NAMES: usize = 256 << 10;
/// Spans of one large file.
const MOST_SPANS: usize = 32;
/// What so many launches in a row did not touch falls out.
pub(crate) const FEW: u8 = 5;
/// What a launch counts,
const WHOLE: u8 = 4;
/// and one that touched less than an eighth of what is known.
const PART: u8 = 1;
const SMALL_PART: usize = 8;
/// Version of the encoding, its first byte.
const VERSION: u8 = 1;

/// A file that starts touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    /// Below the variant's root.
    pub path: Box<[u8]>,
    /// When it was touched; one of another size is not what was learnt.
    pub size: u64,
    /// Of a large file, what was read.
    pub spans: Vec<Range<u64>>,
    /// Its place in the order of the launch that last touched it, all variants counted.
    pub rank: u32,
    /// Quarters of launches since.
    pub missed: u8,
}

/// What starts touch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    launches: u32,
    items: Vec<Item>,
}

/// A record whose bytes are not one.
#[derive(Debug, thiserror::Error)]
#[error("a launch profile in the store cannot be read")]
pub(crate) struct NotARecord;

impl Item {
    /// Its name in its directory.
    pub(crate) fn name(&self) -> &[u8] {
        self.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// Its directory, empty for the root.
    pub(crate) fn directory(&self) -> &[u8] {
        let end = self.path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        &self.path[..end]
    }
}

impl Record {
    /// A record of these items, within the bounds.
    pub(crate) fn new(launches: u32, items: Vec<Item>) -> Self {
        let mut record = Self { launches, items };
        record.bound();
        record
    }

    /// How many launches were merged into it.
    pub(crate) fn launches(&self) -> u32 {
        self.launches
    }

    /// In the order in which they are touched.
    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    /// Merges what a launch touched into it. `would_show` tells of what was not touched whether
    /// a touch would have been noticed.
    pub(crate) fn merge(&mut self, touched: Vec<Item>, would_show: impl Fn(&Item) -> bool) {
        let known: HashSet<&[u8]> = self.items.iter().map(|item| &*item.path).collect();
        let again = touched.iter().filter(|item| known.contains(&*item.path)).count();
        let counts = if again * SMALL_PART < known.len() { PART } else { WHOLE };
        let mut items: BTreeMap<_, _> =
            self.items.drain(..).map(|item| (item.path.clone(), item)).collect();
        let mut now = HashSet::new();
        for mut new in touched {
            new.missed = 0;
            now.insert(new.path.clone());
            if let Some(former) = items.get(&new.path)
                && former.size == new.size
            {
                new.spans = union(&former.spans, &new.spans);
            }
            items.insert(new.path.clone(), new);
        }
        for item in items.values_mut().filter(|item| !now.contains(&item.path)) {
            if would_show(item) {
                item.missed = item.missed.saturating_add(counts);
            }
        }
        self.launches = self.launches.saturating_add(1);
        self.items = items.into_values().collect();
        self.bound();
    }

    /// As it is stored.
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Writing to a vector does not fail, and every part has a known length.
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, NotARecord> {
        let Some((&VERSION, rest)) = bytes.split_first() else { return Err(NotARecord) };
        let Self { launches, items } = postcard::from_bytes(rest).map_err(|_| NotARecord)?;
        Ok(Self::new(launches, items))
    }

    /// Checks that it is within its bounds and in its order.
    pub(crate) fn assert_sound(&self) {
        let mut seen = HashSet::new();
        assert!(self.items.len() <= MOST_ITEMS);
        assert!(self.items.iter().map(|item| item.path.len()).sum::<usize>() <= MOST_NAMES);
        assert!(self.items.is_sorted_by_key(|item| item.rank));
        for item in &self.items {
            assert!(is_path(&item.path) && seen.insert(&item.path), "{item:?}");
            assert!(item.spans.len() <= MOST_SPANS && item.missed < FEW * WHOLE, "{item:?}");
            assert!(item.spans.is_sorted_by(|a, b| a.end < b.start), "{item:?}");
            assert!(item.spans.iter().all(|span| !span.is_empty() && span.end <= item.size));
        }
    }

    fn bound(&mut self) {
        self.items.retain(|item| item.missed < FEW * WHOLE && is_path(&item.path));
        // Those that were touched last come first, so that they stay.
        self.items.sort_by(|a, b| (a.missed, a.rank, &a.path).cmp(&(b.missed, b.rank, &b.path)));
        let mut seen = HashSet::new();
        self.items.retain(|item| seen.insert(item.path.clone()));
        let mut names = 0;
        let fits = self.items.iter().take(MOST_ITEMS).take_while(|item| {
            names += item.path.len();
            names <= MOST_NAMES
        });
        self.items.truncate(fits.count());
        self.items.sort_by(|a, b| (a.rank, &a.path).cmp(&(b.rank, &b.path)));
        for item in &mut self.items {
            item.spans = union(&item.spans, &[]);
            item.spans.retain_mut(|span| {
                span.end = span.end.min(item.size);
                !span.is_empty()
            });
        }
    }
}

/// Both, the spans nearest to each other made one where there are too many.
fn union(one: &[Range<u64>], other: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut spans = Spans::default();
    // In order, each is added at the end: nothing has to be moved for it.
    let mut all: Vec<_> = one.iter().chain(other).cloned().collect();
    all.sort_unstable_by_key(|span| span.start);
    all.into_iter().for_each(|span| spans.add(span));
    let spans = spans.into_ranges();
    if spans.len() <= MOST_SPANS {
        return spans;
    }
    // The widest gaps stay, all others are closed: a profile from elsewhere may have millions.
    let gap = |at: usize| spans[at].start - spans[at - 1].end;
    let mut after: Vec<usize> = (1..spans.len()).collect();
    after.sort_unstable_by_key(|at| (std::cmp::Reverse(gap(*at)), *at));
    after.truncate(MOST_SPANS - 1);
    after.sort_unstable();
    let starts = std::iter::once(0).chain(after.iter().copied());
    let ends = after.iter().copied().chain([spans.len()]);
    starts.zip(ends).map(|(first, end)| spans[first].start..spans[end - 1].end).collect()
}

/// Whether these bytes name something below a directory.
pub(crate) fn is_path(path: &[u8]) -> bool {
    path.len() <= 4_096
        && !path.contains(&0)
        && path.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
}

#[cfg(test)]
mod tests;
