//! How often a daemon that dies is followed by another.
//!
//! One that served for a while died of something that passes. Where several in a row die as soon as
//! they serve, what the kernel sends again may be what they die of: it is refused from the second on.
//! If that does not help they are given up.

use std::time::Duration;

use super::FormerDaemon;

/// A shorter life is too short.
const SHORT: Duration = Duration::from_millis(500);
/// So many of those, one after the other, are the end.
const MOST: u32 = 5;

#[derive(Debug, Default)]
pub(super) struct Lives {
    short: u32,
}

/// What follows a death.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another life.
    Start { after: Duration, former: FormerDaemon },
    /// None.
    Stop { deaths: u32 },
}

impl Lives {
    /// One died by itself, having served for so long, if it came to that.
    pub(super) fn died(&mut self, served: Option<Duration>) -> Next {
        if served.is_some_and(|served| served >= SHORT) {
            self.short = 0;
        } else {
            self.short += 1;
        }
        let (after, former) = match self.short {
            0 | 1 => (0, FormerDaemon::Died),
            2 => (50, FormerDaemon::DiedOfRequests),
            3 => (200, FormerDaemon::DiedOfRequests),
            4 => (800, FormerDaemon::DiedOfRequests),
            MOST.. => return Next::Stop { deaths: self.short },
        };
        Next::Start { after: Duration::from_millis(after), former }
    }

    /// One ended as it was told to.
    pub(super) fn planned(&mut self) -> FormerDaemon {
        self.short = 0;
        FormerDaemon::Died
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    fn former(next: Next) -> Option<FormerDaemon> {
        match next {
            Next::Start { former, .. } => Some(former),
            Next::Stop { .. } => None,
        }
    }

    #[test]
    fn who_served_for_a_while_is_always_followed_at_once() {
        let mut lives = Lives::default();
        for _ in 0..1000 {
            let next = lives.died(LONG);
            assert_eq!(next, Next::Start { after: Duration::ZERO, former: FormerDaemon::Died });
        }
    }

    #[test]
    fn short_lives_in_a_row_come_to_refuse_what_is_sent_again_and_then_to_an_end() {
        for served in [None, Some(Duration::from_millis(499))] {
            let mut lives = Lives::default();
            assert_eq!(former(lives.died(served)), Some(FormerDaemon::Died));
            for _ in 0..3 {
                assert_eq!(former(lives.died(served)), Some(FormerDaemon::DiedOfRequests));
            }
            assert_eq!(lives.died(served), Next::Stop { deaths: 5 });
        }
    }

    #[test]
    fn a_life_that_lasts_makes_the_short_ones_before_it_forgotten() {
        let mut lives = Lives::default();
        for _ in 0..10 {
            (0..4).for_each(|_| assert!(former(lives.died(None)).is_some()));
            assert_eq!(former(lives.died(LONG)), Some(FormerDaemon::Died));
        }
        (0..4).for_each(|_| assert!(former(lives.died(None)).is_some()));
        assert_eq!(lives.planned(), FormerDaemon::Died);
        assert_eq!(former(lives.died(None)), Some(FormerDaemon::Died));
    }
}
