//! How the worker is started, and how long it may take.

use std::{ffi::OsString, time::Duration};

use crate::sys::children;

/// Settings of an [`Origin`](crate::Origin).
#[derive(Debug, Clone)]
pub struct OriginSettings {
    /// The worker's program, by its full path, and arguments. It must call
    /// [`worker::main`](crate::worker::main).
    pub command: Vec<OsString>,
    /// Requests a worker serves at a time, each on a thread of its own.
    pub parallel: usize,
    /// Longest wait for an answer, or for the next progress of a fetch or a long
    /// listing.
    pub deadline: Duration,
    /// Workers that could not be killed and may exist at once.
    pub max_left_behind: usize,
    /// Whether access lists are told with extended attributes, as [`ACL_XATTR`](crate::ACL_XATTR).
    pub keep_acls: bool,
}

impl Default for OriginSettings {
    /// This same program, started again as `origin-worker`.
    fn default() -> Self {
        Self {
            command: vec![children::own_program(), "origin-worker".into()],
            parallel: 16,
            deadline: Duration::from_secs(30),
            max_left_behind: 4,
            keep_acls: false,
        }
    }
}
