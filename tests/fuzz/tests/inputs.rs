//! Every target with its seeds, with what once broke it, and with changes of these: the short form
//! of `cargo xtask fuzz`.
#![allow(clippy::unwrap_used, missing_docs)]

mod changes;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use changes::Change;
use pkgfs_fuzz::{TARGETS, Target};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestError, TestRunner},
};

/// Changed inputs for each target, at most,
const CASES: u32 = 1_500;
/// and how long it goes on: some targets are a hundred times as slow as others.
const BUDGET: Duration = Duration::from_millis(600);
/// What no input of the lengths here may take, in a build without optimisation on a busy machine.
const LONGEST: Duration = Duration::from_secs(10);

/// The inputs of a target that are kept, by name.
fn seeds(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target.name);
    let mut files: Vec<_> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

#[test]
fn every_target_reads_some_of_its_seeds_and_withstands_what_once_broke_it() {
    for target in TARGETS {
        let seeds = seeds(target);
        let read = seeds.iter().filter(|(file, seed)| {
            eprintln!("{}", file.display());
            target.check(seed)
        });
        // Seeds that are all refused are of a former format, and find nothing.
        assert!(read.count() > 0, "no seed of {} is read any more", target.name);
    }
}

/// Changes the seeds of a target at random.
fn withstands_changed_seeds(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let seeds: Vec<_> = seeds(target).into_iter().map(|(_, seed)| seed).collect();
    let changed = (0..seeds.len(), vec(any::<Change>(), 1..6)).prop_map(|(seed, changes)| {
        let mut input = seeds[seed].clone();
        changes.iter().for_each(|change| change.apply(&mut input, &seeds));
        Input(input)
    });
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let begun = Instant::now();
    let outcome = TestRunner::new(config).run(&changed, |Input(input)| {
        let started = Instant::now();
        if started.duration_since(begun) > BUDGET {
            return Ok(());
        }
        target.check(&input);
        assert!(started.elapsed() < LONGEST, "{} bytes took longer", input.len());
        Ok(())
    });
    if let Err(TestError::Fail(reason, Input(input))) = &outcome {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-broken"));
        fs::write(&file, input).unwrap();
        let seeds = Path::new("tests/fuzz/seeds").join(name);
        panic!("{reason}\nmend it, and keep {} in {}", file.display(), seeds.display());
    }
    outcome.unwrap();
}

/// Bytes, shown as far as they help.
struct Input(Vec<u8>);

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.0[..self.0.len().min(400)];
        write!(f, "{} bytes: {:?}", self.0.len(), String::from_utf8_lossy(shown))
    }
}

macro_rules! targets {
    ($($test:ident: $target:literal,)*) => {
        /// All targets that are tested.
        const TESTED: &[&str] = &[$($target),*];

        mod changed_inputs_keep_the_rules {
            $(#[test]
            fn $test() {
                super::withstands_changed_seeds($target);
            })*
        }
    };
}

targets! {
    of_registrations: "registration",
    of_contexts: "context",
    of_rezs_settings: "rez-settings",
    of_names: "names",
    of_definitions_in_python: "package-py",
    of_definitions_in_yaml: "package-yaml",
    of_listings: "listing",
    of_stored_profiles: "profile",
    of_scan_indexes: "index",
    of_worker_frames: "frame",
    of_control_requests: "control",
    of_imported_profiles: "import",
    of_configurations: "configuration",
}

#[test]
fn no_target_is_left_out() {
    let all: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(all, TESTED);
}
