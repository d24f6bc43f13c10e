//! Which bytes of a file are in place.

use std::ops::Range;

/// Bytes in place, as ranges that do not touch, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spans(Vec<Range<u64>>);

impl Spans {
    /// These bytes are in place, too.
    pub(crate) fn add(&mut self, bytes: Range<u64>) {
        if bytes.is_empty() {
            return;
        }
        // Those that overlap or touch it become one with it.
        let first = self.0.partition_point(|span| span.end < bytes.start);
        let last = self.0.partition_point(|span| span.start <= bytes.end);
        let touching = &self.0[first..last];
        let start = touching.first().map_or(bytes.start, |span| span.start.min(bytes.start));
        let end = touching.last().map_or(bytes.end, |span| span.end.max(bytes.end));
        self.0.splice(first..last, std::iter::once(start..end));
    }

    /// They themselves, in order.
    pub(crate) fn into_ranges(self) -> Vec<Range<u64>> {
        self.0
    }

    /// How many bytes are in place.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().map(|span| span.end - span.start).sum()
    }

    /// Whether all these bytes are in place.
    pub(crate) fn cover(&self, bytes: &Range<u64>) -> bool {
        let place = self.0.partition_point(|span| span.end < bytes.end);
        bytes.is_empty() || self.0.get(place).is_some_and(|span| span.start <= bytes.start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn spans_cover_exactly_what_was_added(
            added in vec((0..60u64, 0..12u64), 0..20),
            asked in vec((0..60u64, 0..12u64), 1..20),
        ) {
            let mut spans = Spans::default();
            let mut there = [false; 80];
            for (start, length) in added {
                spans.add(start..start + length);
                there[start as usize..(start + length) as usize].fill(true);
            }
            prop_assert!(spans.0.windows(2).all(|pair| pair[0].end < pair[1].start));
            for (start, length) in asked {
                let bytes = start..start + length;
                let all = there[start as usize..(start + length) as usize].iter().all(|in_place| *in_place);
                prop_assert_eq!(spans.cover(&bytes), all, "{:?} in {:?}", bytes, spans);
            }
        }
    }
}
