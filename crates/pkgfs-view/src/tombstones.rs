//! What rez removed, and for how long look-ups leave it alone.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use pkgfs_manifest::Timestamp;

/// Removal times by handle. The store keeps them, too.
pub(crate) struct Tombstones {
    stand_for: Duration,
    removed: Mutex<HashMap<String, Timestamp>>,
}

impl Tombstones {
    pub(crate) fn new(stand_for: Duration, removed: Vec<(String, Timestamp)>) -> Self {
        Self { stand_for, removed: Mutex::new(removed.into_iter().collect()) }
    }

    /// Removals from before this time have no effect any more.
    pub(crate) fn expired(stand_for: Duration) -> Timestamp {
        let now = Timestamp::now();
        let seconds = i64::try_from(stand_for.as_secs()).unwrap_or(i64::MAX);
        Timestamp { secs: now.secs.saturating_sub(seconds), ..now }
    }

    /// Whether a look-up must not bring this variant back.
    pub(crate) fn covers(&self, key: &str) -> bool {
        let removed = self.removed.lock();
        let Some(at) = removed.get(key) else { return false };
        // A clock that jumped back must not keep a variant away for longer than from now.
        let age = Timestamp::now().secs.saturating_sub(at.secs).max(0);
        age.unsigned_abs() < self.stand_for.as_secs()
    }

    pub(crate) fn set(&self, key: String) {
        self.removed.lock().insert(key, Timestamp::now());
    }

    pub(crate) fn lift(&self, key: &str) {
        self.removed.lock().remove(key);
    }
}
