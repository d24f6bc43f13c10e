//! What a process asks of the file system, as strace tells it, in order.

use std::{fs, path::Path, process::Command};

/// One system call that changed something below a directory, or made a change durable. Paths are
/// relative to that directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Open {
        path: String,
        mode: u32,
        truncate: bool,
    },
    MakeDirectory {
        path: String,
    },
    /// At the end of the file where no place is given: all such writes here are appends.
    Write {
        path: String,
        at: Option<usize>,
        bytes: Vec<u8>,
    },
    Resize {
        path: String,
        size: usize,
    },
    Mode {
        path: String,
        mode: u32,
    },
    Rename {
        from: String,
        to: String,
    },
    Link {
        from: String,
        to: String,
    },
    Remove {
        path: String,
    },
    Sync {
        path: String,
    },
    SyncAll,
    /// What the process said of itself, by a write to the file of marks.
    Mark(String),
}

/// With a question mark: not every architecture has them.
const CALLS: &str = "trace=?open,openat,?creat,?mkdir,mkdirat,write,pwrite64,writev,pwritev,pwritev2,\
     ftruncate,truncate,fallocate,?rename,renameat,renameat2,?unlink,unlinkat,?rmdir,?chmod,fchmod,\
     fchmodat,fsync,fdatasync,syncfs,copy_file_range,sendfile,?link,linkat,?symlink,symlinkat";

/// Runs a program to its end, and tells what it did below `dir`, and to the file `marks`.
pub(crate) fn record(program: &mut Command, dir: &Path, marks: &Path, logs: &Path) -> Vec<Step> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-ff", "-y", "-xx", "-s", "100000000", "--quiet=all", "-e", CALLS]);
    strace.args(["--absolute-timestamps=format:unix,precision:ns", "-o"]);
    strace.arg(logs.join("trace")).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        strace.env(name, value.unwrap());
    }
    let output = strace.output().expect("strace is installed (cargo xtask setup)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let mut lines = Vec::new();
    for log in fs::read_dir(logs).unwrap() {
        let text = fs::read_to_string(log.unwrap().path()).unwrap();
        lines.extend(text.lines().map(str::to_owned));
    }
    // The moments at which calls were entered; all have the same number of digits.
    lines.sort();
    lines.iter().filter_map(|line| step(line, dir, marks)).collect()
}

/// `<moment> <name>(<arguments>) = <result>`; nothing for what failed or happened elsewhere.
fn step(line: &str, dir: &Path, marks: &Path) -> Option<Step> {
    let (_, call) = line.split_once(' ')?;
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    if result.starts_with(['-', '?']) {
        return None;
    }
    let arguments: Vec<&str> = arguments.trim_end().strip_suffix(')')?.split(", ").collect();
    let number = |n: usize| arguments[n].parse::<usize>().unwrap();
    let mode = |n: usize| u32::from_str_radix(arguments[n], 8).unwrap();
    let own = |path: &[u8]| {
        let path = std::str::from_utf8(path).unwrap();
        let below = path.strip_prefix(dir.to_str().unwrap())?;
        let below = if below.is_empty() { below } else { below.strip_prefix('/')? };
        // Shared memory of SQLite, which the first to open a database makes anew; and room that
        // is kept back.
        let passing = below.ends_with("-shm") || below == "reserve";
        (!passing).then(|| below.to_owned())
    };
    let named = |n: usize| own(&hexadecimal(arguments[n].strip_prefix('"')?.strip_suffix('"')?));
    // A file that has no name any more is nobody's.
    let opened = |n: usize| {
        let (_, path) = arguments[n].split_once('<')?;
        Some(hexadecimal(path.strip_suffix('>')?))
    };
    let written = |n: usize| hexadecimal(arguments[n].trim_matches('"'));
    let opened_own = |n: usize| own(&opened(n)?);
    Some(match name {
        "write" if opened(0).is_some_and(|path| path == marks.to_str().unwrap().as_bytes()) => {
            Step::Mark(String::from_utf8(written(1)).unwrap())
        }
        "write" => Step::Write { path: opened_own(0)?, at: None, bytes: written(1) },
        "pwrite64" => Step::Write { path: opened_own(0)?, at: Some(number(3)), bytes: written(1) },
        "openat" => {
            let path = named(1)?;
            if !arguments[2].contains("O_CREAT") {
                return None;
            }
            Step::Open { path, mode: mode(3), truncate: arguments[2].contains("O_TRUNC") }
        }
        "ftruncate" => Step::Resize { path: opened_own(0)?, size: number(1) },
        "mkdir" => Step::MakeDirectory { path: named(0)? },
        "mkdirat" => Step::MakeDirectory { path: named(1)? },
        "fchmod" => Step::Mode { path: opened_own(0)?, mode: mode(1) },
        "chmod" => Step::Mode { path: named(0)?, mode: mode(1) },
        "fchmodat" => Step::Mode { path: named(1)?, mode: mode(2) },
        "rename" => Step::Rename { from: named(0)?, to: named(1)? },
        "renameat" | "renameat2" => Step::Rename { from: named(1)?, to: named(3)? },
        "link" => Step::Link { from: named(0)?, to: named(1)? },
        "linkat" => Step::Link { from: named(1)?, to: named(3)? },
        "unlink" | "rmdir" => Step::Remove { path: named(0)? },
        "unlinkat" => Step::Remove { path: named(1)? },
        "fsync" | "fdatasync" => Step::Sync { path: opened_own(0)? },
        "syncfs" => Step::SyncAll,
        _ => {
            let concerned = (0..arguments.len()).any(|n| {
                named(n).is_some() || arguments[n].contains('<') && opened_own(n).is_some()
            });
            assert!(!concerned, "a call that this test does not know: {call}");
            return None;
        }
    })
}

/// The bytes of `\x61\x62…`.
fn hexadecimal(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
    text.as_bytes().chunks(4).map(|one| digit(one[2]) << 4 | digit(one[3])).collect()
}
