//! Histories: what is done, by whom, in which order. Numbers choose among what there is.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::files::Way;

/// Threads at most.
pub(crate) const THREADS: usize = 3;

#[derive(Clone, Debug)]
pub(crate) struct History(pub(crate) Vec<Round>);

#[derive(Clone, Debug)]
pub(crate) struct Round {
    /// What each thread does, one after the other.
    pub(crate) threads: Vec<Vec<Step>>,
    pub(crate) then: Then,
}

/// What comes when all threads are done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    Nothing,
    Kill,
    Restart,
    FlushAll,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// On the family that all threads read, or the thread's own.
    pub(crate) shared: bool,
    /// Which variant of its own.
    pub(crate) variant: usize,
    pub(crate) act: Act,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// rez's look-up.
    Find,
    /// A handle in `pending`.
    Ask,
    /// rez's own copy.
    Copy,
    /// rez's removal, and what `clean` does then.
    Remove,
    Touch,
    Family,
    Read {
        file: usize,
        from: usize,
        length: usize,
        way: Way,
    },
    List {
        directory: usize,
    },
    Attempt {
        what: usize,
        file: usize,
    },
    Flush,
    /// The variant that is not announced yet is released.
    Release,
    Change(Change),
}

/// What is done to a payload at origin.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// Another file in its place.
    Replace {
        file: usize,
        size: usize,
    },
    Grow {
        file: usize,
        by: usize,
    },
    Truncate {
        file: usize,
    },
    /// Its time changes, and nothing else.
    Touch {
        file: usize,
    },
    Remove {
        file: usize,
    },
    AddFile {
        name: usize,
        size: usize,
    },
    AddDirectory {
        name: usize,
    },
}

pub(crate) fn history() -> impl Strategy<Value = History> {
    vec(round(), 1..4).prop_map(History)
}

fn round() -> impl Strategy<Value = Round> {
    let then = prop_oneof![
        3 => Just(Then::Nothing),
        2 => Just(Then::Kill),
        1 => Just(Then::Restart),
        2 => Just(Then::FlushAll),
    ];
    (vec(vec(step(), 0..10), 1..=THREADS), then).prop_map(|(threads, then)| Round { threads, then })
}

fn step() -> impl Strategy<Value = Step> {
    (prop::bool::weighted(0.3), 0..3_usize, act()).prop_map(|(shared, variant, act)| Step {
        shared,
        variant,
        act,
    })
}

/// Sizes on both sides of what is fetched in one answer, and of what the store may hold.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        1 => Just(0),
        4 => 1..5_000_usize,
        2 => 250_000..280_000_usize,
        1 => 1_000_000..1_500_000_usize,
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let way = prop_oneof![4 => Just(Way::Read), 1 => Just(Way::Mapped)];
    let whole = (Just(0), Just(usize::MAX / 2));
    let part = (0..1_500_000_usize, 1..200_000_usize);
    let range = prop_oneof![2 => whole, 1 => part];
    prop_oneof![
        4 => Just(Act::Find),
        2 => Just(Act::Ask),
        1 => Just(Act::Copy),
        2 => Just(Act::Remove),
        1 => Just(Act::Touch),
        1 => Just(Act::Family),
        12 => (0..20_usize, range, way)
            .prop_map(|(file, (from, length), way)| Act::Read { file, from, length, way }),
        3 => (0..4_usize).prop_map(|directory| Act::List { directory }),
        3 => (0..10_usize, 0..20_usize).prop_map(|(what, file)| Act::Attempt { what, file }),
        2 => Just(Act::Flush),
        1 => Just(Act::Release),
        6 => change().prop_map(Act::Change),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let file = || 0..20_usize;
    prop_oneof![
        3 => (file(), size()).prop_map(|(file, size)| Change::Replace { file, size }),
        1 => (file(), 1..300_000_usize).prop_map(|(file, by)| Change::Grow { file, by }),
        1 => file().prop_map(|file| Change::Truncate { file }),
        1 => file().prop_map(|file| Change::Touch { file }),
        1 => file().prop_map(|file| Change::Remove { file }),
        1 => (0..3_usize, size()).prop_map(|(name, size)| Change::AddFile { name, size }),
        1 => (0..2_usize).prop_map(|name| Change::AddDirectory { name }),
    ]
}
