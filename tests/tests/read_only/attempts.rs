//! Attempts to change something, and what may come of one.
//!
//! An attempt must fail with `EROFS`, or with `EACCES` or `EPERM` where the kernel decides by
//! permissions first. A few fail for a reason of their own before anybody asks whether the file
//! system is writable; each says which.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pkgfs_tests::{Seen, User};
use rustix::io::Errno;

use crate::{content, directories, files, names};

/// What an attempt is made on.
pub(crate) struct Target {
    /// The name.
    pub(crate) path: PathBuf,
    /// A directory on another file system, in which whoever tries may write.
    pub(crate) outside: PathBuf,
    /// A directory on this mount in which whoever tries may write: `.sys/log`.
    pub(crate) writable: PathBuf,
}

/// What attempts an attempt makes sense on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Any,
    File,
    Directory,
    /// Anything but the root of a payload, which rez moves away, and makes writable before.
    BelowRoot,
}

/// One way to change something.
pub(crate) struct Attempt {
    pub(crate) name: &'static str,
    pub(crate) on: On,
    pub(crate) act: fn(&Target) -> io::Result<()>,
    /// Errors besides the usual, for a reason that the table gives.
    pub(crate) also: &'static [Errno],
}

impl Attempt {
    pub(crate) const fn new(
        name: &'static str,
        on: On,
        act: fn(&Target) -> io::Result<()>,
        also: &'static [Errno],
    ) -> Self {
        Self { name, on, act, also }
    }
}

impl Target {
    /// A file of our own that somebody may try to get into the payload.
    pub(crate) fn donor(&self) -> PathBuf {
        self.outside.join("donor")
    }

    /// A name beside the target that nothing has.
    pub(crate) fn beside(&self) -> PathBuf {
        self.path.with_file_name("intruder")
    }

    /// A name below the target that nothing has.
    pub(crate) fn below(&self) -> PathBuf {
        self.path.join("intruder")
    }
}

/// The place of the attempts.
pub(crate) struct Place<'a> {
    /// The payload's own directory.
    pub(crate) root: &'a Path,
    /// See [`Target::outside`].
    pub(crate) outside: &'a Path,
    /// See [`Target::writable`].
    pub(crate) writable: &'a Path,
}

/// Makes every attempt on every one of these paths, as `user`, while `reader` looks at each.
pub(crate) fn all_fail(user: User, reader: User, paths: &[PathBuf], place: &Place<'_>) {
    let mut made = 0;
    let mut wrong = Vec::new();
    for path in paths {
        let (outside, writable) = (place.outside.into(), place.writable.into());
        let target = Target { path: path.clone(), outside, writable };
        let kind = reader.run(|| fs::symlink_metadata(path)).unwrap().file_type();
        let before = reader.run(|| Seen::of(path)).unwrap();
        for attempt in all() {
            let fits = match attempt.on {
                On::Any => true,
                On::File => kind.is_file(),
                On::Directory => kind.is_dir(),
                On::BelowRoot => path != place.root,
            };
            if !fits {
                continue;
            }
            made += 1;
            let outcome = user.run(|| (attempt.act)(&target));
            let at = || format!("{user:?}: {} on {}", attempt.name, path.display());
            match &outcome {
                Ok(()) => wrong.push(format!("{}: succeeded", at())),
                Err(error) if !is_refusal(error, attempt.also) => {
                    wrong.push(format!("{}: {error}", at()));
                }
                Err(_) => {}
            }
            match reader.run(|| Seen::of(path)) {
                Ok(now) if now == before => {}
                now => panic!("{}: {outcome:?} but it is {now:?}, was {before:?}", at()),
            }
        }
    }
    assert!(made > 20 * paths.len(), "only {made} attempts were made");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn all() -> impl Iterator<Item = &'static Attempt> {
    let tables = [names::ATTEMPTS, directories::ATTEMPTS, content::ATTEMPTS, files::ATTEMPTS];
    tables.into_iter().flatten()
}

pub(crate) fn is_refusal(error: &io::Error, also: &[Errno]) -> bool {
    let usual = [Errno::ROFS, Errno::ACCESS, Errno::PERM];
    let code = Errno::from_io_error(error);
    code.is_some_and(|code| usual.contains(&code) || also.contains(&code))
}
