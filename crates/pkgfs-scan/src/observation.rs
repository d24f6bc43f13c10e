//! What a directory looked like when it was read, and whether that can be relied on.
//!
//! A directory is the one that was read if nothing of its [`Identity`] differs: times are compared
//! for difference, never for which is later. An identity is no proof while a further change could
//! still get the same time stamp: it counts only if the modification was [`MARGIN`] in the past when
//! the directory was looked at, and that look is itself in the past. A clock in the future, on either
//! side, thus makes for a second reading and never for a stale answer.
//!
//! The look comes before the listing. What changes between the two is in the listing and not in the
//! identity, so the directory is read once more than needed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The coarsest granularity of time stamps there is (FAT's 2 s; most have 4 ms or less).
pub(crate) const MARGIN: Duration = Duration::from_secs(2);

/// What `stat` tells of a directory's content. The time of the last change of status goes with it: it
/// shows a change whose modification time was set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: i64,
    pub(crate) modified: Moment,
    pub(crate) changed: Moment,
}

/// Seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Moment(pub(crate) i64, pub(crate) u32);

/// An identity, and when it was seen by the clock of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Observation {
    pub(crate) identity: Identity,
    pub(crate) seen: Moment,
}

impl Identity {
    /// Whether both are of one directory, whatever has become of it.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self::of(SystemTime::now())
    }

    pub(crate) fn of(time: SystemTime) -> Self {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(seconds(after), after.subsec_nanos()),
            // Rounded down by up to a second: a clock before 1970 is wrong anyway.
            Err(before) => Self(-seconds(before.duration()) - 1, 0),
        }
    }

    fn plus(self, duration: Duration) -> Self {
        let nanos = self.1 + duration.subsec_nanos();
        let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let seconds =
            self.0.saturating_add(seconds).saturating_add(i64::from(nanos / 1_000_000_000));
        Self(seconds, nanos % 1_000_000_000)
    }
}

impl Observation {
    /// What is seen at this moment.
    pub(crate) fn now(identity: Identity) -> Self {
        Self { identity, seen: Moment::now() }
    }

    /// Whether the modification lay far enough in the past when it was seen.
    pub(crate) fn is_reliable(&self) -> bool {
        self.identity.modified.plus(MARGIN) < self.seen
    }

    /// Whether what has this identity `now` is what was observed.
    pub(crate) fn holds_for(&self, identity: &Identity, now: Moment) -> bool {
        self.identity == *identity && self.is_reliable() && self.seen <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(modified: Moment, seen: Moment) -> Observation {
        let identity = Identity { device: 1, inode: 2, size: 3, modified, changed: Moment(0, 0) };
        Observation { identity, seen }
    }

    #[test]
    fn only_what_was_old_when_it_was_seen_can_be_relied_on() {
        let now = Moment(1_000, 500);
        for (modified, seen, relied_on) in [
            (Moment(990, 0), Moment(1_000, 0), true),
            (Moment(998, 0), Moment(1_000, 1), true),
            // Exactly the margin, younger, and in the future of who saw it.
            (Moment(998, 0), Moment(1_000, 0), false),
            (Moment(999, 0), Moment(1_000, 0), false),
            (Moment(2_000, 0), Moment(1_000, 0), false),
            // Seen in the future of who asks.
            (Moment(990, 0), Moment(1_001, 0), false),
            (Moment(-5, 999_999_999), Moment(1_000, 0), true),
        ] {
            let observation = observed(modified, seen);
            let holds = observation.holds_for(&observation.identity, now);
            assert_eq!(holds, relied_on, "{observation:?}");
        }
    }

    #[test]
    fn a_time_before_1970_is_a_moment_too() {
        let before = Moment::of(UNIX_EPOCH - Duration::from_millis(1_500));
        assert!(before < Moment(-1, 0) && before >= Moment(-3, 0), "{before:?}");
    }
}
