//! Which chunk of a long file is copied next.

use std::{
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

/// Once somebody has wished for something, chunks that nobody wished for wait until
/// nothing was asked of storage for this long,
const LULL: Duration = Duration::from_millis(250);
/// or they have waited for this long: a file is whole in the end.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A file of at most this many chunks is taken whole at the first wish.
const SHORT: u64 = 16;
/// Chunks of the end of a longer file that are taken at the first wish: libraries keep
/// there what the loader reads next, archives their tables.
const END: u64 = 4;
/// Chunks asked for beyond a wish that goes on where another ended.
const BEYOND: u64 = 12;
/// Any other wish brings the whole block of so many chunks that it lies in: a program that
/// touches a page of a library touches others near it, and each by itself is a round trip.
const BLOCK: u64 = 8;

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
    /// When somebody first wished for something, or a chunk that nobody wished for was
    /// last taken after that.
    waiting: Option<Instant>,
}

/// What a reader is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Chunks {
        chunks: Range<u64>,
        wanted: bool,
    },
    /// Look again when there is a wish, or after this time.
    Wait(Duration),
    /// Every chunk is in place.
    Done,
}

impl Plan {
    pub(super) fn new(chunks: u64) -> Self {
        Self {
            taken: vec![false; chunks as usize],
            wished: vec![false; chunks as usize],
            wishes: VecDeque::new(),
            along: VecDeque::new(),
            cursor: 0,
            under_way: 0,
            waiting: None,
        }
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
        if self.waiting.is_none() {
            self.waiting = Some(Instant::now());
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

    /// The next chunks, at most `run` that follow each other. Only one reader, the first,
    /// takes what nobody wished for once anybody has wished for anything.
    pub(super) fn next(&mut self, first: bool, run: u64, quiet: Duration, now: Instant) -> Next {
        let next = self.choose(first, run, quiet, now);
        if let Next::Chunks { chunks, .. } = &next {
            self.under_way += chunks.end - chunks.start;
        }
        next
    }

    fn choose(&mut self, first: bool, run: u64, quiet: Duration, now: Instant) -> Next {
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
            return if self.is_idle() { Next::Done } else { Next::Wait(LONGEST_WAIT) };
        }
        match &mut self.waiting {
            Some(_) if !first => Next::Wait(LONGEST_WAIT),
            Some(since) if quiet < LULL && now.duration_since(*since) < LONGEST_WAIT => {
                Next::Wait(LULL - quiet)
            }
            waiting => {
                if let Some(since) = waiting {
                    *since = now;
                }
                let start = self.cursor;
                while self.cursor < start + run
                    && self.taken.get(self.cursor as usize) == Some(&false)
                {
                    self.taken[self.cursor as usize] = true;
                    self.cursor += 1;
                }
                Next::Chunks { chunks: start..self.cursor, wanted: false }
            }
        }
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

    /// What the first reader copies when storage was quiet for this long.
    fn taken(plan: &mut Plan, quiet: Duration) -> Vec<Range<u64>> {
        std::iter::from_fn(|| match plan.next(true, 3, quiet, Instant::now()) {
            Next::Chunks { chunks, .. } => {
                plan.copied(chunks.clone());
                Some(chunks)
            }
            Next::Wait(_) | Next::Done => None,
        })
        .collect()
    }

    #[test]
    fn without_wishes_all_readers_go_from_the_beginning_at_once() {
        let mut plan = Plan::new(5);
        let next = plan.next(false, 3, Duration::ZERO, Instant::now());
        assert_eq!(next, Next::Chunks { chunks: 0..3, wanted: false });
        assert_eq!(taken(&mut plan, Duration::ZERO), vec![3..5]);
        // The other reader's chunks are not in place.
        let now = Instant::now();
        assert_eq!(plan.next(true, 3, Duration::ZERO, now), Next::Wait(LONGEST_WAIT));
        assert!(!plan.copied(0..3) && plan.is_idle());
        assert_eq!(plan.next(true, 3, Duration::ZERO, now), Next::Done);
    }

    #[test]
    fn wishes_come_first_then_their_blocks_and_the_end_and_the_rest_when_it_is_quiet() {
        let mut plan = Plan::new(40);
        plan.wish(9..10);
        plan.wish(17..19);
        let wishes = [9..10, 17..19];
        let first_block_and_end = [8..9, 10..13, 13..16, 36..39, 39..40];
        let second_block = [16..17, 19..22, 22..24];
        let expected = [&wishes[..], &first_block_and_end, &second_block].concat();
        assert_eq!(taken(&mut plan, Duration::ZERO), expected);
        let now = Instant::now();
        assert_eq!(plan.next(true, 3, Duration::ZERO, now), Next::Wait(LULL));
        assert_eq!(plan.next(false, 3, LULL, now), Next::Wait(LONGEST_WAIT));
        let rest = [0..3, 3..6, 6..8, 24..27, 27..30, 30..33, 33..36];
        assert_eq!(taken(&mut plan, LULL), rest);
        assert_eq!(plan.next(false, 3, LULL, now), Next::Done);
    }

    #[test]
    fn a_wish_overtakes_the_block_of_one_before_it() {
        let mut plan = Plan::new(40);
        let next = |plan: &mut Plan| plan.next(false, 3, Duration::ZERO, Instant::now());
        plan.wish(0..1);
        assert_eq!(next(&mut plan), Next::Chunks { chunks: 0..1, wanted: true });
        assert_eq!(next(&mut plan), Next::Chunks { chunks: 1..4, wanted: true });
        plan.wish(30..31);
        plan.wish(5..6);
        assert_eq!(next(&mut plan), Next::Chunks { chunks: 30..31, wanted: true });
        assert_eq!(next(&mut plan), Next::Chunks { chunks: 5..6, wanted: true });
        // What was left of the first block is not forgotten.
        assert_eq!(next(&mut plan), Next::Chunks { chunks: 4..5, wanted: true });
    }

    #[test]
    fn a_wish_past_the_end_asks_for_nothing() {
        let mut plan = Plan::new(22);
        plan.wish(22..30);
        plan.wish(99..100);
        let next = plan.next(false, 3, Duration::ZERO, Instant::now());
        // Nobody has wished: every reader takes from the beginning.
        assert_eq!(next, Next::Chunks { chunks: 0..3, wanted: false });
        plan.wish(21..99);
        assert_eq!(taken(&mut plan, Duration::ZERO), [21..22, 16..19, 19..21]);
        plan.wish(22..23);
        assert_eq!(taken(&mut plan, Duration::ZERO), []);
    }

    #[test]
    fn what_was_wished_for_is_known_also_when_it_was_taken_before() {
        let mut plan = Plan::new(22);
        let next = plan.next(false, 3, Duration::ZERO, Instant::now());
        assert_eq!(next, Next::Chunks { chunks: 0..3, wanted: false });
        let next = plan.next(false, 3, Duration::ZERO, Instant::now());
        assert_eq!(next, Next::Chunks { chunks: 3..6, wanted: false });
        plan.wish(2..3);
        assert!(!plan.copied(3..6));
        assert!(plan.copied(0..3));
    }

    #[test]
    fn the_rest_follows_in_the_end_however_busy_storage_is() {
        let mut plan = Plan::new(20);
        plan.wish(16..20);
        let later = Instant::now() + LONGEST_WAIT;
        let next = |plan: &mut Plan| plan.next(true, 4, Duration::ZERO, later);
        assert_eq!(next(&mut plan), Next::Chunks { chunks: 16..20, wanted: true });
        assert_eq!(next(&mut plan), Next::Chunks { chunks: 0..4, wanted: false });
        assert_eq!(next(&mut plan), Next::Wait(LULL));
    }

    #[test]
    fn a_short_file_is_taken_whole_with_the_first_wish() {
        let mut plan = Plan::new(5);
        plan.wish(3..4);
        assert_eq!(taken(&mut plan, Duration::ZERO), [3..4, 0..3, 4..5]);
        assert_eq!(plan.next(true, 3, Duration::ZERO, Instant::now()), Next::Done);
    }

    #[test]
    fn a_wish_that_runs_on_asks_for_more_beyond_and_never_past_the_end() {
        let mut plan = Plan::new(40);
        plan.wish(0..1);
        assert_eq!(taken(&mut plan, Duration::ZERO), [0..1, 1..4, 4..7, 7..8, 36..39, 39..40]);
        plan.wish(1..2);
        assert_eq!(taken(&mut plan, Duration::ZERO), [8..11, 11..14]);
        plan.wish(2..20);
        let wish = [14..17, 17..20];
        let beyond = [20..23, 23..26, 26..29, 29..32];
        assert_eq!(taken(&mut plan, Duration::ZERO), [&wish[..], &beyond].concat());
        plan.wish(20..34);
        assert_eq!(taken(&mut plan, Duration::ZERO), [32..34, 34..36]);
    }
}
