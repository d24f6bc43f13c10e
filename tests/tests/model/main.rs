//! Whatever is done to a cache, by whom and in whatever order, it shows what a simple model shows.
//!
//! A *history* is a few rounds. In each, up to three threads do at the same time what rez and
//! programs do to a cache, and what its users do to packages at origin; between rounds the daemon
//! is killed or restarted, or everything is flushed. Each thread has a package family of its own,
//! of which it knows exactly what there must be; one more is read by all. A file that changed at
//! origin may show as it was before or as it is since, whole, until it is flushed: the model has a
//! set of what may be seen ([`expected`]). Bounds of the store are so narrow that blobs go all the
//! time.
//!
//! The same histories are run on the view itself ([`core`]) and through the real mount
//! ([`mount`]), and what fails is made as short as it can be while it fails. Few run by default;
//! `cargo xtask model --minutes N` runs new ones for so long.
#![allow(clippy::unwrap_used, missing_docs)]

mod core;
mod expected;
mod files;
mod history;
mod looks;
mod mount;
mod origin;
mod rez;
mod run;

use std::env;
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use self::files::Subject;
use self::history::History;

/// Runs histories, so many or for as long as is wanted, each on a subject of its own.
fn hold<S: Subject>(cases: u32) {
    let seconds = env::var("PKGFS_MODEL_SECONDS").ok().map(|said| said.parse().unwrap());
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut run = 0;
    loop {
        let config = Config {
            cases,
            failure_persistence: None,
            max_shrink_iters: 300,
            max_shrink_time: 120_000,
            ..Config::default()
        };
        TestRunner::new(config)
            .run(&history::history(), |history: History| {
                run::run::<S>(&history).map_err(TestCaseError::fail)
            })
            .unwrap_or_else(|failure| panic!("{failure}"));
        run += cases;
        if until.is_none_or(|until| Instant::now() > until) {
            println!("{run} histories, {} steps", run::steps());
            return;
        }
    }
}

#[test]
fn the_view_shows_what_the_model_shows() {
    hold::<core::Core>(12);
}

#[test]
fn the_mount_shows_what_the_model_shows() {
    hold::<mount::Mount>(3);
}
