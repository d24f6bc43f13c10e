//! Suites that others wrote for any POSIX file system, on the parts of the mount that are written
//! to: `.sys`, and the tree of a copy that rez has under way; in each mode.
//!
//! What does not apply is listed with its reason in `docs/posix.md`, which is read here: a case
//! that fails and is not in the list fails the test, and so does one in the list that does not
//! fail. The long forms are run by `cargo xtask posix`.

mod excluded;
mod suites;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pkgfs_tests::{MountOptions, Mounted, Scene, User};

use crate::actions::{Cache, Copy};
use crate::payloads::left_to_rez;
use excluded::Excluded;

/// A part of the mount that is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Area {
    /// `.sys`.
    Sys,
    /// A copy under way.
    Copy,
}

/// How much of a suite is run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Some,
}

/// A mount in some mode, with a directory in each area.
struct Ground {
    mode: &'static str,
    user: User,
    _copy: Copy,
    mounted: Mounted,
    scene: Scene,
}

impl Ground {
    fn new(mode: &'static str) -> Self {
        let scene = Scene::new();
        scene.repository().release("tool", "1.0", |root| fs::write(root.join("f"), "f").unwrap());
        let user = if mode == "stateless" { User::Ordinary } else { User::Own };
        let base = left_to_rez();
        let mounted = scene.mount(&MountOptions {
            user,
            allow_other: user == User::Own,
            configuration: format!("mode = '{mode}'\n{}", base.configuration),
            ..base
        });
        assert_eq!(mounted.mode(), mode);
        let (at, handle) = (mounted.mountpoint(), scene.repository().handle("tool", "1.0", None));
        let copy = user.run(|| {
            let cache = Cache::new(&at);
            fs::create_dir(cache.sys().join("area")).unwrap();
            let copy = cache.begin(&handle).unwrap().unwrap();
            fs::create_dir(&copy.root).unwrap();
            copy
        });
        fs::create_dir(scene.path("artifacts")).unwrap();
        fs::set_permissions(scene.path("artifacts"), PermissionsExt::from_mode(0o777)).unwrap();
        Self { mode, user, _copy: copy, mounted, scene }
    }

    fn directory(&self, area: Area) -> PathBuf {
        match area {
            Area::Sys => self.mounted.mountpoint().join(".sys/area"),
            Area::Copy => self._copy.root.clone(),
        }
    }

    /// Somewhere on the disk where the suite may leave what it has to tell.
    fn artifacts(&self) -> PathBuf {
        self.scene.path("artifacts")
    }

    /// Runs suites in both areas, each of which tells its failures, and compares these with
    /// what is excluded.
    fn run(&self, suite: &str, part: Part, run: impl Fn(&Self, &Path) -> Vec<String>) {
        let excluded = Excluded::of(suite);
        for area in [Area::Sys, Area::Copy] {
            let failed = run(self, &self.directory(area));
            let unexpected: Vec<_> =
                failed.iter().filter(|case| !excluded.covers(area, case)).collect();
            assert!(unexpected.is_empty(), "{suite}, {area:?}, {}: {unexpected:#?}", self.mode);
            // An ordinary user's run leaves out what only root can try.
            if part == Part::All && self.user == User::Own {
                let idle = excluded.idle(area, &failed);
                assert!(idle.is_empty(), "{suite}, {area:?}: excluded, and do not fail: {idle:?}");
            }
        }
    }
}

#[test]
fn pjdfstest_fails_in_what_is_excluded_and_in_nothing_else() {
    Ground::new("passthrough").run("pjdfstest", Part::All, suites::pjdfstest);
}

#[test]
fn fsx_reads_what_it_wrote_truncated_and_mapped_in_each_mode() {
    for mode in ["passthrough", "stateless", "cached"] {
        let ground = Ground::new(mode);
        for area in [Area::Sys, Area::Copy] {
            suites::fsx(&ground, &ground.directory(area), 1000, 7);
        }
    }
}

/// A file that was unlinked while it was open could not be truncated: `ftruncate` answered
/// `ENOENT`, as stress-ng found.
#[test]
fn stress_ng_finds_no_fault_in_files_and_names() {
    let quick = ["copy-file", "sync-file", "fsize", "rename"];
    Ground::new("passthrough")
        .run("stress-ng", Part::Some, |at, area| suites::stress_ng(at, area, &quick));
}

#[test]
fn pythons_own_tests_of_files_pass() {
    let quick = ["test_file", "test_fileio", "test_fcntl", "test_mmap", "test_tempfile"];
    Ground::new("passthrough")
        .run("python", Part::Some, |at, area| suites::python(at, area, &quick));
}

#[test]
#[ignore = "minutes: cargo xtask posix"]
fn each_suite_in_each_mode_at_length() {
    for mode in ["passthrough", "stateless", "cached"] {
        let ground = Ground::new(mode);
        ground.run("pjdfstest", Part::All, suites::pjdfstest);
        for area in [Area::Sys, Area::Copy] {
            for seed in 1..=5 {
                suites::fsx(&ground, &ground.directory(area), 20_000, seed);
            }
        }
        ground
            .run("stress-ng", Part::All, |at, area| suites::stress_ng(at, area, suites::STRESSORS));
        ground.run("python", Part::All, |at, area| suites::python(at, area, suites::MODULES));
    }
}
