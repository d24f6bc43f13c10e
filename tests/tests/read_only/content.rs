//! Attempts to open something for writing, in every spelling, and to cut it.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use pkgfs_tests::Mapping;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::attempts::{Attempt, On, Target};

/// A directory is never opened for writing, by anybody.
const DIRECTORY: &[Errno] = &[Errno::ISDIR];

const NONE: &[Errno] = &[];

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("open for writing", On::Any, |t| open(t, W), DIRECTORY),
    Attempt::new("open for both", On::Any, |t| open(t, OFlags::RDWR), DIRECTORY),
    Attempt::new("open for appending", On::Any, |t| open(t, W.union(OFlags::APPEND)), DIRECTORY),
    Attempt::new("open synchronously", On::Any, |t| open(t, W.union(OFlags::SYNC)), DIRECTORY),
    Attempt::new("open unbuffered", On::Any, |t| open(t, W.union(OFlags::DIRECT)), DIRECTORY),
    Attempt::new("open or create", On::Any, |t| open(t, W.union(OFlags::CREATE)), DIRECTORY),
    Attempt::new("open both or create", On::Any, |t| open(t, BOTH_OR_CREATE), DIRECTORY),
    Attempt::new("open, create and truncate", On::Any, |t| open(t, AS_A_SHELL), DIRECTORY),
    Attempt::new("open and truncate", On::Any, |t| open(t, W.union(OFlags::TRUNC)), DIRECTORY),
    Attempt::new("open for reading and truncate", On::Any, |t| open(t, OFlags::TRUNC), DIRECTORY),
    Attempt::new("create anew", On::Any, |t| open(t, ANEW), &[Errno::EXIST]),
    Attempt::new("open by openat2", On::Any, openat2, DIRECTORY),
    Attempt::new("open again by descriptor", On::File, reopen_opened, NONE),
    Attempt::new("open a bare name by descriptor", On::File, reopen_name, NONE),
    Attempt::new("truncate", On::Any, |t| cut(t, 0), DIRECTORY),
    Attempt::new("truncate to more", On::Any, |t| cut(t, 1 << 20), DIRECTORY),
];

const W: OFlags = OFlags::WRONLY;
const BOTH_OR_CREATE: OFlags = OFlags::RDWR.union(OFlags::CREATE);
const AS_A_SHELL: OFlags = W.union(OFlags::CREATE).union(OFlags::TRUNC);
const ANEW: OFlags = W.union(OFlags::CREATE).union(OFlags::EXCL);

fn opened(target: &Target, how: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(&target.path, how | OFlags::CLOEXEC, Mode::RWXU)?)
}

/// Who gets it open writes to it too, and stores in a mapping of it: what the file system then
/// refuses may stay in the page cache all the same.
fn open(target: &Target, how: OFlags) -> io::Result<()> {
    write(opened(target, how)?)
}

fn write(file: OwnedFd) -> io::Result<()> {
    rustix::io::write(&file, b"intruder").ok();
    let file = File::from(file);
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    if let Ok(mapping) = Mapping::writable(&file, length) {
        mapping.store(0, b'!');
    }
    Ok(())
}

fn openat2(target: &Target) -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    write(rustix::fs::openat2(CWD, &target.path, flags, Mode::empty(), ResolveFlags::empty())?)
}

fn reopen_opened(target: &Target) -> io::Result<()> {
    reopen(opened(target, OFlags::RDONLY)?)
}

fn reopen_name(target: &Target) -> io::Result<()> {
    reopen(opened(target, OFlags::PATH)?)
}

fn reopen(held: OwnedFd) -> io::Result<()> {
    let name = format!("/proc/self/fd/{}", held.as_raw_fd());
    let again = File::options().write(true).open(name)?;
    write(again.into())
}

/// `truncate(2)` itself: the standard library's opens the file first.
fn cut(target: &Target, length: u64) -> io::Result<()> {
    Ok(nix::unistd::truncate(&target.path, length.cast_signed())?)
}
