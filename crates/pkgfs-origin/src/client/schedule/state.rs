//! What the schedule keeps and tells: requests that wait, requests under way, the worker.

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::client::job::Wish;

/// What the schedule must know of a request.
pub(crate) trait Task {
    /// Whether it fills a file, which must never be done by two workers at a time.
    fn fills_file(&self) -> bool;
    /// Whether nobody waits for it any more.
    fn is_abandoned(&self) -> bool;
    /// What its worker has not been told yet of what somebody waits for.
    fn untold_wishes(&self) -> Vec<Wish>;
}

/// Limits, as in [`OriginSettings`](crate::OriginSettings).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) parallel: usize,
    pub(crate) deadline: Duration,
    pub(crate) max_left_behind: usize,
}

/// A request that no worker has at the moment.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    pub(crate) task: T,
    /// The file system it is about.
    pub(super) place: Arc<Path>,
    pub(super) since: Instant,
    pub(super) tries: u8,
    /// How long it may be without an answer.
    pub(super) patience: Duration,
}

#[derive(Debug)]
pub(super) struct Flight<T> {
    pub(super) waiting: Waiting<T>,
    /// When it was sent or last got on.
    pub(super) moved: Instant,
    pub(super) cancelled: bool,
    /// How many wishes its worker was told.
    pub(super) told: u64,
    pub(super) resting: bool,
}

#[derive(Debug)]
pub(super) struct Worker {
    /// When it last said anything.
    pub(super) heard: Instant,
    /// When it was asked whether it lives, and has not said yet.
    pub(super) pinged: Option<Instant>,
    pub(super) answered: bool,
    /// Requests given up whose threads have not come back, and what they are about.
    pub(super) stuck: HashMap<u64, Arc<Path>>,
}

/// What must be done because time has passed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due<T> {
    /// Ask the worker whether it lives.
    Ping,
    /// This request fails.
    TimedOut(T),
    /// So does this one, which was not sent: nobody else was answered.
    Silent(T),
    /// The worker must be given up.
    Wedged,
}

/// Why a request is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused<T> {
    /// No worker can be had.
    NoWorker(T),
    /// Its file system does not answer.
    Silent(T),
}

/// The requests of a worker that is gone.
#[derive(Debug)]
pub(crate) struct Departed<T> {
    /// To be submitted again by [`Schedule::resume`], but only once the process is
    /// known to be dead: until then it may still write to their files.
    pub(crate) held: Vec<Waiting<T>>,
    /// Given to two workers already: they fail.
    pub(crate) failed: Vec<T>,
}
