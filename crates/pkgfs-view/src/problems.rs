//! What went wrong that somebody should know, for `status`.

use std::collections::VecDeque;

use parking_lot::Mutex;
use pkgfs_manifest::Timestamp;
use serde::Serialize;

/// How many different problems are remembered; the oldest goes first.
const MOST: usize = 100;

/// Seconds after which the same again is logged again: it is another time.
const ANOTHER_TIME: i64 = 60;

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What happened, to what, in one line.
    pub text: String,
    /// How often since it was first seen.
    pub times: u64,
    /// When it was last seen, in seconds since 1970.
    pub last: i64,
}

/// The latest problems, each once.
#[derive(Default)]
pub(crate) struct Problems(Mutex<VecDeque<Problem>>);

impl Problems {
    /// Logs a problem and remembers it. The same again soon after is only counted.
    pub(crate) fn tell(&self, text: String) {
        let last = Timestamp::now().secs;
        let mut known = self.0.lock();
        if let Some(place) = known.iter().position(|problem| problem.text == text)
            && let Some(mut problem) = known.remove(place)
        {
            if last.saturating_sub(problem.last) >= ANOTHER_TIME {
                tracing::warn!("{text}");
            }
            problem.times += 1;
            problem.last = last;
            known.push_back(problem);
            return;
        }
        tracing::warn!("{text}");
        if known.len() == MOST {
            known.pop_front();
        }
        known.push_back(Problem { text, times: 1, last });
    }

    pub(crate) fn all(&self) -> Vec<Problem> {
        self.0.lock().iter().cloned().collect()
    }
}
