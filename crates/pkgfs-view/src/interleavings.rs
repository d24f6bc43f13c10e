//! Hydration, eviction and the commit of blobs under every order of steps that a scheduler comes
//! upon ([shuttle](https://docs.rs/shuttle)).
//!
//! What runs is this crate itself, compiled with the feature `shuttle`: tasks, threads, locks,
//! channels and atomics are then shuttle's, one of which goes on at a time, chosen anew at each of
//! their operations. The store is a real one. Storage is played ([`storage`]): it answers in any
//! order, and changes and fails when a test wants it. Nobody is ever late here (no time-out ends,
//! no task looks now and then by itself), so that whoever is forgotten waits for ever, which
//! shuttle tells as a deadlock.
//!
//! `cargo xtask model` runs this long; a failure prints its schedule, and with
//! `PKGFS_SCHEDULE=<that>` the test takes just that one.

#![allow(clippy::unwrap_used, reason = "in a test, a failed step fails the test")]
#![allow(clippy::single_range_in_vec_init, reason = "some readers read one part alone")]

mod changing;
mod reading;
mod room;
mod scene;
mod storage;

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use shuttle::{
    Config, MaxSteps, Runner,
    scheduler::{PctScheduler, RandomScheduler},
};

use self::scene::{Ground, Scene};

/// Schedules that a test takes of each kind, unless it is told how long to go on.
const SCHEDULES: usize = 25;

/// Tasks that may be preempted at the worst moment in one schedule, of the kind that bounds them.
const DEPTH: usize = 3;

/// Takes a test through many schedules: chosen by chance, and with few but ill-timed preemptions.
fn check(test: impl AsyncFn(&Ground) + Send + Sync + Copy + 'static) {
    let ground = Arc::new(Ground::new());
    let run = move || shuttle::future::block_on(test(&ground));
    if let Ok(schedule) = env::var("PKGFS_SCHEDULE") {
        return shuttle::replay(run, &schedule);
    }
    let mut config = Config::new();
    // The store's database is called on these stacks.
    config.stack_size = 1 << 20;
    config.max_steps = MaxSteps::FailAfter(200_000);
    config.silence_warnings = true;
    let seconds = env::var("PKGFS_MODEL_SECONDS").ok().map(|said| said.parse().unwrap());
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut taken = 0;
    loop {
        let by_chance = RandomScheduler::new(SCHEDULES);
        taken += Runner::new(by_chance, config.clone()).run(run.clone());
        let ill_timed = PctScheduler::new(DEPTH, SCHEDULES);
        taken += Runner::new(ill_timed, config.clone()).run(run.clone());
        if until.is_none_or(|until| Instant::now() > until) {
            return println!("{taken} schedules");
        }
    }
}
