//! Which chunk of a long file is copied next.

use std::{
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

/// After a wish, chunks that nobody asked for wait for this long.
const LULL: Duration = Duration::from_millis(100);
/// Chunks asked for beyond a wish that goes on where another ended.
const BEYOND: u64 = 3;

/// Chunks taken, and chunks wished for.
pub(super) struct Plan {
    taken: Vec<bool>,
    wished: Vec<bool>,
    queue: VecDeque<u64>,
    /// All before it are taken.
    cursor: u64,
    /// Before this, only what is wished for is taken by most readers.
    quiet: Option<Instant>,
}

/// What a reader is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Chunk {
        chunk: u64,
        wanted: bool,
    },
    /// Look again when there is a wish, or after this time.
    Wait(Duration),
    Done,
}

impl Plan {
    pub(super) fn new(chunks: u64) -> Self {
        let none = vec![false; chunks as usize];
        Self { taken: none.clone(), wished: none, queue: VecDeque::new(), cursor: 0, quiet: None }
    }

    /// Somebody waits for these chunks.
    pub(super) fn wish(&mut self, chunks: Range<u64>, now: Instant) {
        let count = self.taken.len() as u64;
        let runs_on = chunks.start > 0
            && self.wished.get(chunks.start as usize - 1).copied().unwrap_or_default();
        let end = if runs_on { chunks.end.saturating_add(BEYOND) } else { chunks.end };
        for chunk in chunks.start..end.min(count) {
            self.wished[chunk as usize] |= chunks.contains(&chunk);
            self.queue.push_back(chunk);
        }
        self.quiet = Some(now + LULL);
    }

    /// The next chunk. Only one reader, the first, takes what nobody wished for once
    /// anybody has wished for anything.
    pub(super) fn next(&mut self, first: bool, now: Instant) -> Next {
        while let Some(chunk) = self.queue.pop_front() {
            if !self.taken[chunk as usize] {
                self.taken[chunk as usize] = true;
                return Next::Chunk { chunk, wanted: true };
            }
        }
        while self.taken.get(self.cursor as usize) == Some(&true) {
            self.cursor += 1;
        }
        if self.cursor == self.taken.len() as u64 {
            return Next::Done;
        }
        match self.quiet {
            Some(until) if now < until => Next::Wait(until - now),
            Some(_) if !first => Next::Wait(LULL),
            _ => {
                self.taken[self.cursor as usize] = true;
                Next::Chunk { chunk: self.cursor, wanted: false }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(plan: &mut Plan, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| match plan.next(true, now) {
            Next::Chunk { chunk, .. } => Some(chunk),
            Next::Wait(_) | Next::Done => None,
        })
        .collect()
    }

    #[test]
    fn without_wishes_all_readers_go_from_the_beginning() {
        let now = Instant::now();
        let mut plan = Plan::new(3);
        assert_eq!(plan.next(false, now), Next::Chunk { chunk: 0, wanted: false });
        assert_eq!(all(&mut plan, now), [1, 2]);
        assert_eq!(plan.next(true, now), Next::Done);
    }

    #[test]
    fn wishes_come_first_and_the_rest_waits_for_a_lull_and_for_one_reader() {
        let now = Instant::now();
        let mut plan = Plan::new(10);
        plan.wish(7..8, now);
        plan.wish(4..6, now);
        assert_eq!(all(&mut plan, now), [7, 4, 5]);
        assert_eq!(plan.next(true, now), Next::Wait(LULL));
        let later = now + LULL;
        assert_eq!(plan.next(false, later), Next::Wait(LULL));
        assert_eq!(all(&mut plan, later), [0, 1, 2, 3, 6, 8, 9]);
        assert_eq!(plan.next(false, later), Next::Done);
    }

    #[test]
    fn a_wish_that_runs_on_asks_for_a_little_beyond_and_never_past_the_end() {
        let now = Instant::now();
        let mut plan = Plan::new(6);
        plan.wish(0..1, now);
        assert_eq!(all(&mut plan, now), [0]);
        plan.wish(1..2, now);
        assert_eq!(all(&mut plan, now), [1, 2, 3, 4]);
        plan.wish(5..9, now);
        assert_eq!(all(&mut plan, now), [5]);
    }
}
