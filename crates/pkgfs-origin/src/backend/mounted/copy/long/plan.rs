//! Which chunk of a long file is copied next.

use std::{
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

use crate::Rest;

/// Nothing was asked of storage for this long: what nobody wished for may follow.
const LULL: Duration = Duration::from_secs(1);
/// Storage is never quiet: from then on the rest follows all the same,
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// one chunk at a time, after a pause each.
const PAUSE: Duration = Duration::from_millis(100);
/// A pause that nothing but a wish ends.
const FOR_EVER: Duration = Duration::from_secs(3600);
/// Chunks of the end that are taken at the first wish: libraries keep
/// there what the loader reads next, archives their tables.
const END: u64 = 1;
/// A wish that goes on where others ended brings as many chunks beyond it as they were, but at
/// least so many
const LEAST_BEYOND: u64 = 3;
/// and at most so many.
const MOST_BEYOND: u64 = 32;
/// Any other wish brings the whole block of so many chunks that it lies in: a program that
/// touches a page of a library touches others near it, and each by itself is a round trip.
const BLOCK: u64 = 4;

/// Chunks taken, and chunks wished for.
pub(super) struct Plan {
    taken: Vec<bool>,
    wished: Vec<bool>,
    /// What somebody waits for,
    wishes: VecDeque<u64>,
    /// what lies near that,
    near: VecDeque<u64>,
    /// and what a reader will come to that goes on as it does.
    beyond: VecDeque<u64>,
    /// All before it are taken.
    cursor: u64,
    /// Chunks that are taken, and not in place yet.
    under_way: u64,
    /// Whether anybody has wished for anything.
    begun: bool,
    /// What becomes of chunks that nobody wishes for.
    rest: Rest,
    /// When they follow, quiet or not.
    due: Instant,
}

/// What a reader is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Chunk {
        chunk: u64,
        /// It is to be told of as soon as it is in place.
        wanted: bool,
    },
    /// Look again when a reader has copied its chunk.
    Wait,
    /// Nobody waits for anything: look again when there is a wish, or after this time.
    Rest(Duration),
    /// Every chunk is in place.
    Done,
}

impl Plan {
    pub(super) fn new(chunks: u64, rest: Rest, now: Instant) -> Self {
        Self {
            taken: vec![false; chunks as usize],
            wished: vec![false; chunks as usize],
            wishes: VecDeque::new(),
            near: VecDeque::new(),
            beyond: VecDeque::new(),
            cursor: 0,
            under_way: 0,
            begun: false,
            rest,
            due: now + LONGEST_WAIT,
        }
    }

    /// Every chunk is wanted.
    pub(super) fn wish_for_all(&mut self) {
        self.rest = Rest::AtOnce;
    }

    /// Somebody waits for these chunks.
    pub(super) fn wish(&mut self, chunks: Range<u64>) {
        let count = self.taken.len() as u64;
        let chunks = chunks.start.min(count)..chunks.end.min(count);
        if chunks.is_empty() {
            return;
        }
        let before = self.wished_before(chunks.start);
        if before > 0 {
            let beyond = chunks.end + before.max(LEAST_BEYOND);
            self.beyond.extend(chunks.end..beyond.min(count));
        } else {
            let block = chunks.start - chunks.start % BLOCK..chunks.end.next_multiple_of(BLOCK);
            self.near.extend(block.start..block.end.min(count));
        }
        for chunk in chunks {
            self.wished[chunk as usize] = true;
            self.wishes.push_back(chunk);
        }
        if !self.begun {
            self.begun = true;
            self.near.extend(count.saturating_sub(END)..count);
        }
    }

    /// Somebody will wait for these chunks: they are told of together.
    pub(super) fn foresee(&mut self, chunks: Range<u64>) {
        let count = self.taken.len() as u64;
        self.near.extend(chunks.start.min(count)..chunks.end.min(count));
    }

    /// How many chunks in a row were wished for, of those just before this one.
    fn wished_before(&self, chunk: u64) -> u64 {
        let before = self.wished[..chunk as usize].iter().rev().take(MOST_BEYOND as usize);
        before.take_while(|wished| **wished).count() as u64
    }

    /// This chunk is in place. Whether somebody wished for it.
    pub(super) fn copied(&mut self, chunk: u64) -> bool {
        self.under_way -= 1;
        self.wished[chunk as usize]
    }

    /// Whether no reader has a chunk to copy.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// Whether there is something to copy that need not wait for storage to be quiet.
    pub(super) fn is_busy(&self) -> bool {
        let is_left = |chunk: &u64| !self.taken[*chunk as usize];
        [&self.wishes, &self.near, &self.beyond].into_iter().flatten().any(is_left)
            || (self.rest == Rest::AtOnce && self.cursor < self.taken.len() as u64)
    }

    /// The next chunk. What may wait is taken by one reader, the first, when it is this
    /// request's `turn`.
    pub(super) fn next(
        &mut self,
        first: bool,
        quiet: Duration,
        now: Instant,
        turn: impl FnOnce() -> bool,
    ) -> Next {
        if let Some((chunk, wanted)) = self.queued() {
            return self.take(chunk, wanted);
        }
        while self.taken.get(self.cursor as usize) == Some(&true) {
            self.cursor += 1;
        }
        if self.cursor == self.taken.len() as u64 {
            // Somebody may come to wait for what is in place meanwhile.
            return if self.is_idle() { Next::Done } else { Next::Wait };
        }
        match self.rest {
            Rest::AtOnce => return self.take(self.cursor, false),
            _ if !first || !self.is_idle() => return Next::Wait,
            Rest::Never => return Next::Rest(FOR_EVER),
            Rest::WhenQuiet => {}
        }
        let overdue = now >= self.due;
        if quiet < LULL && !overdue {
            return Next::Rest((LULL - quiet).min(self.due - now));
        }
        if !turn() {
            return Next::Rest(LULL);
        }
        if overdue {
            self.due = now + PAUSE;
        }
        self.take(self.cursor, false)
    }

    /// The first chunk that is asked for, and whether it is to be told of at once.
    fn queued(&mut self) -> Option<(u64, bool)> {
        let Self { wishes, near, beyond, taken, .. } = self;
        let is_left = |chunk: &u64| !taken[*chunk as usize];
        let first = |queue: &mut VecDeque<u64>| {
            let place = queue.iter().position(is_left)?;
            queue.drain(..=place).next_back()
        };
        if let Some(chunk) = first(wishes) {
            return Some((chunk, true));
        }
        if let Some(chunk) = first(near) {
            // Those before it are told of with the last.
            return Some((chunk, !near.iter().any(is_left)));
        }
        first(beyond).map(|chunk| (chunk, false))
    }

    fn take(&mut self, chunk: u64, wanted: bool) -> Next {
        self.taken[chunk as usize] = true;
        self.under_way += 1;
        Next::Chunk { chunk, wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(chunks: u64, rest: Rest) -> Plan {
        Plan::new(chunks, rest, Instant::now())
    }

    fn next(plan: &mut Plan, first: bool, quiet: Duration) -> Next {
        plan.next(first, quiet, Instant::now(), || true)
    }

    /// What the first reader copies when storage was quiet for this long.
    fn taken(plan: &mut Plan, quiet: Duration) -> Vec<u64> {
        std::iter::from_fn(|| match next(plan, true, quiet) {
            Next::Chunk { chunk, .. } => {
                plan.copied(chunk);
                Some(chunk)
            }
            Next::Wait | Next::Rest(_) | Next::Done => None,
        })
        .collect()
    }

    fn wish_and_take(plan: &mut Plan, wish: Range<u64>) -> Vec<u64> {
        plan.wish(wish);
        taken(plan, Duration::ZERO)
    }

    #[test]
    fn what_is_wanted_whole_is_taken_from_the_beginning_by_all_readers_at_once() {
        let mut plan = plan(4, Rest::AtOnce);
        assert!(plan.is_busy());
        let others = next(&mut plan, false, Duration::ZERO);
        assert_eq!(others, Next::Chunk { chunk: 0, wanted: false });
        assert_eq!(taken(&mut plan, Duration::ZERO), [1, 2, 3]);
        // The other reader's chunk is not in place.
        assert_eq!(next(&mut plan, true, Duration::ZERO), Next::Wait);
        assert!(!plan.copied(0) && plan.is_idle() && !plan.is_busy());
        assert_eq!(next(&mut plan, true, Duration::ZERO), Next::Done);
    }

    #[test]
    fn wishes_come_first_then_their_blocks_and_the_end_and_the_rest_when_it_is_quiet() {
        let mut plan = plan(12, Rest::WhenQuiet);
        plan.wish(4..5);
        assert_eq!(wish_and_take(&mut plan, 7..8), [4, 7, 5, 6, 11]);
        assert!(matches!(next(&mut plan, true, Duration::ZERO), Next::Rest(LULL)));
        assert_eq!(next(&mut plan, false, LULL), Next::Wait);
        assert_eq!(taken(&mut plan, LULL), [0, 1, 2, 3, 8, 9, 10]);
        assert_eq!(next(&mut plan, false, LULL), Next::Done);
    }

    #[test]
    fn the_rest_waits_for_its_turn() {
        let mut plan = plan(20, Rest::WhenQuiet);
        let others_turn = plan.next(true, LULL, Instant::now(), || false);
        assert_eq!(others_turn, Next::Rest(LULL));
        assert_eq!(taken(&mut plan, LULL).len(), 20);
    }

    #[test]
    fn the_rest_is_left_where_it_is_never_wanted_until_somebody_wants_all() {
        let mut plan = plan(10, Rest::Never);
        plan.wish(4..5);
        assert_eq!(taken(&mut plan, FOR_EVER), [4, 5, 6, 7, 9]);
        assert_eq!(next(&mut plan, true, FOR_EVER), Next::Rest(FOR_EVER));
        plan.wish_for_all();
        assert!(plan.is_busy());
        assert_eq!(taken(&mut plan, Duration::ZERO), [0, 1, 2, 3, 8]);
    }

    #[test]
    fn a_wish_overtakes_the_block_of_one_before_it() {
        let mut plan = plan(20, Rest::WhenQuiet);
        let next = |plan: &mut Plan| match next(plan, false, Duration::ZERO) {
            Next::Chunk { chunk, wanted } => (chunk, wanted),
            other => panic!("{other:?}"),
        };
        plan.wish(0..1);
        assert_eq!(next(&mut plan), (0, true));
        plan.wish(10..11);
        plan.wish(5..6);
        assert_eq!(next(&mut plan), (10, true));
        assert_eq!(next(&mut plan), (5, true));
        // What was left of the first block is not forgotten,
        assert_eq!(next(&mut plan), (1, false));
        let left: Vec<_> = (0..9).map(|_| next(&mut plan)).collect();
        // and all that lies near is told of with its last.
        assert_eq!(left.last(), Some(&(7, true)));
        assert!(left.iter().rev().skip(1).all(|(_, wanted)| !wanted), "{left:?}");
    }

    #[test]
    fn what_is_foreseen_comes_after_what_is_wished_for_and_brings_nothing_else() {
        let mut plan = plan(20, Rest::Never);
        plan.foresee(6..8);
        plan.foresee(12..13);
        plan.foresee(18..99);
        let first = next(&mut plan, true, Duration::ZERO);
        assert_eq!(first, Next::Chunk { chunk: 6, wanted: false });
        assert_eq!(wish_and_take(&mut plan, 13..14), [13, 7, 12, 18, 19, 14, 15]);
    }

    #[test]
    fn a_wish_past_the_end_asks_for_nothing() {
        let mut plan = plan(11, Rest::Never);
        plan.wish(11..30);
        assert_eq!(wish_and_take(&mut plan, 99..100), []);
        assert_eq!(wish_and_take(&mut plan, 10..99), [10, 8, 9]);
    }

    #[test]
    fn what_was_wished_for_is_known_also_when_it_was_taken_before() {
        let mut plan = plan(22, Rest::AtOnce);
        for chunk in [0, 1] {
            let next = next(&mut plan, false, Duration::ZERO);
            assert_eq!(next, Next::Chunk { chunk, wanted: false });
        }
        plan.wish(1..2);
        assert!(!plan.copied(0));
        assert!(plan.copied(1));
    }

    #[test]
    fn the_rest_follows_in_the_end_however_busy_storage_is() {
        let mut plan = plan(20, Rest::WhenQuiet);
        assert_eq!(wish_and_take(&mut plan, 16..20), [16, 17, 18, 19]);
        let mut now = Instant::now() + LONGEST_WAIT;
        for chunk in [0, 1] {
            let next = plan.next(true, Duration::ZERO, now, || true);
            assert_eq!(next, Next::Chunk { chunk, wanted: false });
            plan.copied(chunk);
            assert_eq!(plan.next(true, Duration::ZERO, now, || true), Next::Rest(PAUSE));
            now += PAUSE;
        }
    }

    #[test]
    fn a_short_file_is_taken_whole_with_the_first_wish() {
        let mut plan = plan(4, Rest::Never);
        assert_eq!(wish_and_take(&mut plan, 3..4), [3, 0, 1, 2]);
        assert_eq!(next(&mut plan, true, Duration::ZERO), Next::Done);
    }

    #[test]
    fn a_wish_that_runs_on_asks_for_as_much_beyond_as_was_wished_for_before() {
        let mut plan = plan(1000, Rest::Never);
        assert_eq!(wish_and_take(&mut plan, 0..1), [0, 1, 2, 3, 999]);
        let mut beyond = |wish: Range<u64>| {
            plan.wish(wish.clone());
            let mut last = wish.end - 1;
            while let Next::Chunk { chunk, wanted } = next(&mut plan, true, Duration::ZERO) {
                assert_eq!(wanted, chunk < wish.end, "{chunk}");
                plan.copied(chunk);
                last = last.max(chunk);
            }
            last + 1 - wish.end
        };
        assert_eq!(beyond(1..7), LEAST_BEYOND);
        assert_eq!(beyond(7..11), 7);
        assert_eq!(beyond(11..50), 11);
        assert_eq!(beyond(50..60), MOST_BEYOND);
        assert_eq!(beyond(60..998), 1, "no further than the end, which is there");
    }
}
