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
/// one run at a time, after a pause each.
const PAUSE: Duration = Duration::from_millis(100);
/// A pause that nothing but a wish ends.
const FOR_EVER: Duration = Duration::from_secs(3600);
/// A file of at most this many chunks is taken whole at the first wish.
const SHORT: u64 = 4;
/// Chunks of the end of a longer file that are taken at the first wish: libraries keep
/// there what the loader reads next, archives their tables.
const END: u64 = 1;
/// Chunks asked for beyond a wish that goes on where another ended.
const BEYOND: u64 = 3;
/// Any other wish brings the whole block of so many chunks that it lies in: a program that
/// touches a page of a library touches others near it, and each by itself is a round trip.
const BLOCK: u64 = 2;

/// Chunks taken, and chunks wished for.
pub(super) struct Plan {
    taken: Vec<bool>,
    wished: Vec<bool>,
    /// What somebody waits for,
    wishes: VecDeque<u64>,
    /// and what is likely to be wished for next.
    along: VecDeque<u64>,
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
    Chunks {
        chunks: Range<u64>,
        wanted: bool,
    },
    /// Look again when a reader has copied its chunks.
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
            along: VecDeque::new(),
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
        let before = chunks.start.checked_sub(1);
        let runs_on = before.is_some_and(|before| self.wished[before as usize]);
        let along = if runs_on {
            chunks.end..chunks.end + BEYOND
        } else {
            chunks.start - chunks.start % BLOCK..chunks.end.next_multiple_of(BLOCK)
        };
        self.along.extend(along.start..along.end.min(count));
        for chunk in chunks {
            self.wished[chunk as usize] = true;
            self.wishes.push_back(chunk);
        }
        if !self.begun {
            self.begun = true;
            let from = if count <= SHORT { 0 } else { count - END };
            self.along.extend(from..count);
        }
    }

    /// These chunks are in place. Whether somebody wished for any of them.
    pub(super) fn copied(&mut self, chunks: Range<u64>) -> bool {
        self.under_way -= chunks.end - chunks.start;
        self.wished[chunks.start as usize..chunks.end as usize].contains(&true)
    }

    /// Whether no reader has chunks to copy.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// Whether there is something to copy that need not wait for storage to be quiet.
    pub(super) fn is_busy(&self) -> bool {
        let is_left = |chunk: &u64| !self.taken[*chunk as usize];
        self.wishes.iter().chain(&self.along).any(is_left)
            || (self.rest == Rest::AtOnce && self.cursor < self.taken.len() as u64)
    }

    /// The next chunks, at most `run` that follow each other. What may wait is taken by one
    /// reader, the first, when it is this request's `turn`.
    pub(super) fn next(
        &mut self,
        first: bool,
        run: u64,
        quiet: Duration,
        now: Instant,
        turn: impl FnOnce() -> bool,
    ) -> Next {
        let next = self.choose(first, run, quiet, now, turn);
        if let Next::Chunks { chunks, .. } = &next {
            self.under_way += chunks.end - chunks.start;
        }
        next
    }

    fn choose(
        &mut self,
        first: bool,
        run: u64,
        quiet: Duration,
        now: Instant,
        turn: impl FnOnce() -> bool,
    ) -> Next {
        for queue in [&mut self.wishes, &mut self.along] {
            if let Some(chunks) = take(queue, &mut self.taken, run) {
                return Next::Chunks { chunks, wanted: true };
            }
        }
        while self.taken.get(self.cursor as usize) == Some(&true) {
            self.cursor += 1;
        }
        if self.cursor == self.taken.len() as u64 {
            // Somebody may come to wait for what is in place meanwhile.
            return if self.is_idle() { Next::Done } else { Next::Wait };
        }
        match self.rest {
            Rest::AtOnce => return self.rest(run),
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
        self.rest(run)
    }

    /// The first chunks that are not taken.
    fn rest(&mut self, run: u64) -> Next {
        let start = self.cursor;
        while self.cursor < start + run && self.taken.get(self.cursor as usize) == Some(&false) {
            self.taken[self.cursor as usize] = true;
            self.cursor += 1;
        }
        Next::Chunks { chunks: start..self.cursor, wanted: false }
    }
}

/// The first of these chunks that is not taken, and those that follow it.
fn take(queue: &mut VecDeque<u64>, taken: &mut [bool], run: u64) -> Option<Range<u64>> {
    let first = loop {
        let chunk = queue.pop_front()?;
        if !taken[chunk as usize] {
            break chunk;
        }
    };
    taken[first as usize] = true;
    let mut end = first + 1;
    while end < first + run && queue.front() == Some(&end) && !taken[end as usize] {
        queue.pop_front();
        taken[end as usize] = true;
        end += 1;
    }
    Some(first..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(chunks: u64, rest: Rest) -> Plan {
        Plan::new(chunks, rest, Instant::now())
    }

    fn next(plan: &mut Plan, first: bool, quiet: Duration) -> Next {
        plan.next(first, 3, quiet, Instant::now(), || true)
    }

    /// What the first reader copies when storage was quiet for this long.
    fn taken(plan: &mut Plan, quiet: Duration) -> Vec<Range<u64>> {
        std::iter::from_fn(|| match next(plan, true, quiet) {
            Next::Chunks { chunks, .. } => {
                plan.copied(chunks.clone());
                Some(chunks)
            }
            Next::Wait | Next::Rest(_) | Next::Done => None,
        })
        .collect()
    }

    #[test]
    fn what_is_wanted_whole_is_taken_from_the_beginning_by_all_readers_at_once() {
        let mut plan = plan(5, Rest::AtOnce);
        assert!(plan.is_busy());
        let others = next(&mut plan, false, Duration::ZERO);
        assert_eq!(others, Next::Chunks { chunks: 0..3, wanted: false });
        assert_eq!(taken(&mut plan, Duration::ZERO), vec![3..5]);
        // The other reader's chunks are not in place.
        assert_eq!(next(&mut plan, true, Duration::ZERO), Next::Wait);
        assert!(!plan.copied(0..3) && plan.is_idle() && !plan.is_busy());
        assert_eq!(next(&mut plan, true, Duration::ZERO), Next::Done);
    }

    #[test]
    fn wishes_come_first_then_their_blocks_and_the_end_and_the_rest_when_it_is_quiet() {
        let mut plan = plan(20, Rest::WhenQuiet);
        plan.wish(4..5);
        plan.wish(9..11);
        assert_eq!(taken(&mut plan, Duration::ZERO), [4..5, 9..11, 5..6, 19..20, 8..9, 11..12]);
        assert!(matches!(next(&mut plan, true, Duration::ZERO), Next::Rest(LULL)));
        assert_eq!(next(&mut plan, false, LULL), Next::Wait);
        assert_eq!(taken(&mut plan, LULL), [0..3, 3..4, 6..8, 12..15, 15..18, 18..19]);
        assert_eq!(next(&mut plan, false, LULL), Next::Done);
    }

    #[test]
    fn the_rest_waits_for_its_turn() {
        let mut plan = plan(20, Rest::WhenQuiet);
        let others_turn = plan.next(true, 3, LULL, Instant::now(), || false);
        assert_eq!(others_turn, Next::Rest(LULL));
        assert_eq!(taken(&mut plan, LULL).len(), 7);
    }

    #[test]
    fn the_rest_is_left_where_it_is_never_wanted_until_somebody_wants_all() {
        let mut plan = plan(20, Rest::Never);
        plan.wish(4..5);
        assert_eq!(taken(&mut plan, FOR_EVER), [4..5, 5..6, 19..20]);
        assert_eq!(next(&mut plan, true, FOR_EVER), Next::Rest(FOR_EVER));
        plan.wish_for_all();
        assert!(plan.is_busy());
        let rest = [0..3, 3..4, 6..9, 9..12, 12..15, 15..18, 18..19];
        assert_eq!(taken(&mut plan, Duration::ZERO), rest);
    }

    #[test]
    fn a_wish_overtakes_the_block_of_one_before_it() {
        let mut plan = plan(20, Rest::WhenQuiet);
        let next = |plan: &mut Plan| match next(plan, false, Duration::ZERO) {
            Next::Chunks { chunks, wanted: true } => chunks,
            other => panic!("{other:?}"),
        };
        plan.wish(0..1);
        assert_eq!(next(&mut plan), 0..1);
        plan.wish(10..11);
        plan.wish(5..6);
        assert_eq!(next(&mut plan), 10..11);
        assert_eq!(next(&mut plan), 5..6);
        // What was left of the first block is not forgotten.
        assert_eq!(next(&mut plan), 1..2);
    }

    #[test]
    fn a_wish_past_the_end_asks_for_nothing() {
        let mut plan = plan(11, Rest::Never);
        plan.wish(11..30);
        plan.wish(99..100);
        assert_eq!(taken(&mut plan, Duration::ZERO), []);
        plan.wish(10..99);
        assert_eq!(taken(&mut plan, Duration::ZERO), vec![10..11]);
    }

    #[test]
    fn what_was_wished_for_is_known_also_when_it_was_taken_before() {
        let mut plan = plan(22, Rest::AtOnce);
        for chunks in [0..3, 3..6] {
            let next = next(&mut plan, false, Duration::ZERO);
            assert_eq!(next, Next::Chunks { chunks, wanted: false });
        }
        plan.wish(2..3);
        assert!(!plan.copied(3..6));
        assert!(plan.copied(0..3));
    }

    #[test]
    fn the_rest_follows_in_the_end_however_busy_storage_is() {
        let mut plan = plan(20, Rest::WhenQuiet);
        plan.wish(16..20);
        assert_eq!(taken(&mut plan, Duration::ZERO), [16..19, 19..20]);
        let mut now = Instant::now() + LONGEST_WAIT;
        for chunks in [0..3, 3..6] {
            let next = plan.next(true, 3, Duration::ZERO, now, || true);
            assert_eq!(next, Next::Chunks { chunks: chunks.clone(), wanted: false });
            plan.copied(chunks);
            assert_eq!(plan.next(true, 3, Duration::ZERO, now, || true), Next::Rest(PAUSE));
            now += PAUSE;
        }
    }

    #[test]
    fn a_short_file_is_taken_whole_with_the_first_wish() {
        let mut plan = plan(4, Rest::Never);
        plan.wish(3..4);
        assert_eq!(taken(&mut plan, Duration::ZERO), [3..4, 2..3, 0..2]);
        assert_eq!(next(&mut plan, true, Duration::ZERO), Next::Done);
    }

    #[test]
    fn a_wish_that_runs_on_asks_for_more_beyond_and_never_past_the_end() {
        let mut plan = plan(12, Rest::Never);
        plan.wish(0..1);
        assert_eq!(taken(&mut plan, Duration::ZERO), [0..1, 1..2, 11..12]);
        plan.wish(1..2);
        assert_eq!(taken(&mut plan, Duration::ZERO), vec![2..5]);
        plan.wish(2..6);
        assert_eq!(taken(&mut plan, Duration::ZERO), [5..6, 6..9]);
        plan.wish(6..10);
        assert_eq!(taken(&mut plan, Duration::ZERO), [9..10, 10..11]);
    }
}
