//! rez's own package-cache tests.

use crate::cache::{self, Mount};
use crate::rez::{NEWEST, Rez};

/// How many tests rez 3.4.0 has.
const TESTS: usize = 17;

#[test]
fn rez_own_tests_pass_on_a_plain_directory() {
    let directory = cache::directory();
    let path = cache::plain(&directory);
    Rez::version(NEWEST).passes("package_cache_suite.py", &[path.to_str().unwrap()], TESTS);
}

#[test]
fn rez_own_tests_pass_on_a_mount_that_leaves_pending_to_rez() {
    let rez = Rez::version(NEWEST);
    let mount = mount(&rez, "[registration]\non_pending = false\n");
    rez.passes("package_cache_suite.py", &[mount.path().to_str().unwrap()], TESTS);
}

#[test]
fn rez_own_tests_pass_on_a_mount_that_serves_what_is_pending_at_once() {
    let rez = Rez::version(NEWEST);
    let mount = mount(&rez, "");
    let arguments = [mount.path().to_str().unwrap(), "--registers-on-pending"];
    rez.passes("package_cache_suite.py", &arguments, TESTS);
}

/// A mount that serves no look-up by itself, since the tests expect to add what they look up, and
/// that sees the settings which the tests give rez.
fn mount(rez: &Rez, configuration: &str) -> Mount {
    let uncachable = rez.test_data("solver/packages");
    let settings = [
        ("default_cachable", "true".to_owned()),
        ("package_cache_same_device", "true".to_owned()),
        ("default_cachable_per_package", r#"{"late_binding": false}"#.to_owned()),
        ("default_cachable_per_repository", format!("{{{uncachable:?}: false}}")),
    ];
    Mount::new(rez, configuration, &[], &settings)
}
