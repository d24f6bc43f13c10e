//! The suites: how each is run in a directory, and what it says has failed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pkgfs_tests::{Ran, User};

use super::Ground;

/// stress-ng's stressors of files and names that a mount has a use for.
pub(super) const STRESSORS: &[&str] = &[
    "access",
    "chmod",
    "chown",
    "copy-file",
    "dentry",
    "dir",
    "dirdeep",
    "dup",
    "fallocate",
    "fcntl",
    "filename",
    "flock",
    "fsize",
    "fstat",
    "hdd",
    "io",
    "iomix",
    "lease",
    "link",
    "locka",
    "lockf",
    "lockofd",
    "mmap",
    "msync",
    "open",
    "readahead",
    "rename",
    "seek",
    "sendfile",
    "splice",
    "symlink",
    "sync-file",
    "touch",
    "utime",
];

/// The modules of Python's own tests that are about files.
pub(super) const MODULES: &[&str] = &[
    "test_bz2",
    "test_dbm_dumb",
    "test_fcntl",
    "test_file",
    "test_file_eintr",
    "test_filecmp",
    "test_fileinput",
    "test_fileio",
    "test_genericpath",
    "test_glob",
    "test_gzip",
    "test_import",
    "test_io",
    "test_lzma",
    "test_mmap",
    "test_pkgutil",
    "test_posix",
    "test_py_compile",
    "test_runpy",
    "test_shelve",
    "test_shutil",
    "test_sqlite3",
    "test_tempfile",
    "test_zipapp",
    "test_zipfile",
    "test_zipimport",
];

/// A program that `cargo xtask setup` installed, or that is on the search path.
fn installed(program: &str) -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.work/posix/bin").join(program);
    if ours.exists() { ours } else { program.into() }
}

/// A program in this directory, as the user who may write there, with all it makes there, too. That
/// user may be the only one who can go there.
fn inside(at: &Ground, area: &Path, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = at.user.command("sh");
    command.args(["-c", "cd \"$1\" && shift && exec \"$@\"", "sh"]).arg(area).arg(program);
    // Hundreds of cases fail as they must: nobody reads where.
    command.env("TMPDIR", area).env("HOME", at.artifacts()).env("RUST_BACKTRACE", "0");
    command
}

/// pjdfstest: the system calls on names, modes, owners and times.
pub(super) fn pjdfstest(at: &Ground, area: &Path) -> Vec<String> {
    let settings = at.artifacts().join("pjdfstest.toml");
    let text = "features = { posix_fallocate = {}, rename_ctime = {}, utime_now = {}, utimensat = {} }\n\
                settings = { naptime = 0.01 }\n\
                dummy_auth = { entries = [['nobody', 'nogroup'], ['daemon', 'daemon']] }\n";
    fs::write(&settings, text).unwrap();
    let mut command = inside(at, area, installed("pjdfstest"));
    let ran = Ran::new(command.arg("-c").arg(settings).arg("-p").arg(area).env("NO_COLOR", "1"));
    let words = ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let (mut passed, mut failed) = (0, Vec::new());
    for words in words {
        match words[..] {
            [_, "ok"] => passed += 1,
            [case, "FAILED"] => failed.push(case.to_owned()),
            _ => {}
        }
    }
    let least = if at.user == User::Own { 140 } else { 50 };
    assert!(passed >= least, "{passed} cases passed: {}{}", ran.out, ran.err);
    failed
}

/// fsx: reads what it wrote, truncated, copied and mapped, in one file.
pub(super) fn fsx(at: &Ground, area: &Path, operations: u32, seed: u32) {
    let settings = at.artifacts().join("fsx.toml");
    let text = "flen = 262144\n[weights]\nclose_open = 1\ninvalidate = 1\nmapread = 10\nmapwrite = 10\n\
                read = 10\nwrite = 10\ntruncate = 5\nfsync = 0.1\nfdatasync = 0.1\nsendfile = 5\n\
                posix_fadvise = 3\ncopy_file_range = 3\n";
    fs::write(&settings, text).unwrap();
    let mut command = inside(at, area, installed("fsx"));
    command.arg("-f").arg(settings).arg("-P").arg(at.artifacts());
    command.args(["-N", &operations.to_string(), "-S", &seed.to_string()]);
    let ran = Ran::new(command.arg(area.join("fsx")));
    assert_eq!(ran.code, Some(0), "{}, {}: {}{}", at.mode, area.display(), ran.out, ran.err);
}

/// stress-ng: what fails of each of these stressors, which check what they did.
pub(super) fn stress_ng(at: &Ground, area: &Path, stressors: &[&str]) -> Vec<String> {
    let failed = stressors.iter().filter(|stressor| {
        let mut command = inside(at, area, "stress-ng");
        command.args(["--verify", "--oom-avoid", "--timeout", "2", "--temp-path"]).arg(area);
        command.args([format!("--{stressor}"), "1".into()]);
        command.args([format!("--{stressor}-ops"), "20".into()]);
        let ran = Ran::new(&mut command);
        if ran.code != Some(0) {
            println!("{stressor}, {}: {}{}", at.mode, ran.out, ran.err);
        }
        ran.code != Some(0)
    });
    failed.map(|stressor| (*stressor).to_owned()).collect()
}

/// Python's own tests: what fails in these modules, and what is no test at all.
pub(super) fn python(at: &Ground, area: &Path, modules: &[&str]) -> Vec<String> {
    let mut failed = Vec::new();
    for module in modules {
        let mut command = inside(at, area, "/usr/bin/python3");
        let ran = Ran::new(command.args(["-E", "-m", "unittest", "-v", &format!("test.{module}")]));
        assert!(ran.err.contains("\nRan "), "{module}: {}{}", ran.out, ran.err);
        // `FAIL: test_name (test.module.Class.test_name) [what]`
        let cases = ran.err.lines().filter_map(|line| {
            let (kind, case) = line.split_once(": ")?;
            let case = matches!(kind, "FAIL" | "ERROR").then(|| case.split_once('(')).flatten()?.1;
            case.split_once(')').map(|(case, _)| case.trim_start_matches("test.").to_owned())
        });
        let before = failed.len();
        failed.extend(cases);
        let bad = failed.len() > before;
        assert_eq!(ran.code, Some(i32::from(bad)), "{module}: {}", ran.err);
        if bad {
            println!("{module}, {}: {}", at.mode, ran.err);
        }
    }
    failed.sort();
    failed.dedup();
    failed
}
