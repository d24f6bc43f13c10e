//! rez's real commands, by both versions that studios run.

use crate::cache::{self, Mount};
use crate::rez::{NEWEST, OLDEST, Rez, make_repository};

/// How many tests `commands.py` has: for every rez, besides for one with a synchronous mode, and
/// besides for a cache that registers on look-up.
const TESTS: usize = 11;
const SYNCHRONOUS_TESTS: usize = 2;
const LOOK_UP_TESTS: usize = 1;

#[test]
fn the_newest_rez_works_on_a_plain_directory() {
    on_plain_directory(NEWEST);
}

#[test]
fn the_oldest_rez_works_on_a_plain_directory() {
    on_plain_directory(OLDEST);
}

#[test]
fn the_newest_rez_works_on_a_mount_that_registers_on_pending() {
    on_mount(NEWEST, false);
}

#[test]
fn the_oldest_rez_works_on_a_mount_that_registers_on_pending() {
    on_mount(OLDEST, false);
}

#[test]
fn the_newest_rez_works_on_a_mount_that_serves_look_ups() {
    on_mount(NEWEST, true);
}

#[test]
fn the_oldest_rez_works_on_a_mount_that_serves_look_ups() {
    on_mount(OLDEST, true);
}

fn on_plain_directory(version: &str) {
    let directory = cache::directory();
    let repository = directory.path().join("repository");
    make_repository(&repository);
    run(version, repository.to_str().unwrap(), cache::plain(&directory).to_str().unwrap(), &[]);
}

fn on_mount(version: &str, serves_look_ups: bool) {
    let directory = cache::directory();
    let repository = directory.path().join("repository");
    make_repository(&repository);
    let repositories = [repository.as_path()];
    let served = if serves_look_ups { &repositories[..] } else { &[] };
    // Repository and store share a disk here, which pkgfs, as rez, refuses by default.
    let settings = [("package_cache_same_device", "true".to_owned())];
    let mount = Mount::new(&Rez::version(version), "", served, &settings);
    let cache = mount.path().to_str().unwrap();
    let further: &[&str] = if serves_look_ups {
        &["--serves-first", "--serves-look-ups"]
    } else {
        &["--serves-first"]
    };
    run(version, repository.to_str().unwrap(), cache, further);
}

fn run(version: &str, repository: &str, cache: &str, further: &[&str]) {
    let mut arguments = vec!["--repository", repository, "--cache", cache];
    arguments.extend(further);
    let mut tests = TESTS;
    if version != OLDEST {
        arguments.push("--synchronous");
        tests += SYNCHRONOUS_TESTS;
    }
    if further.contains(&"--serves-look-ups") {
        tests += LOOK_UP_TESTS;
    }
    Rez::version(version).passes("commands.py", &arguments, tests);
}
