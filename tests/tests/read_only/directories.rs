//! Attempts to put something into a directory.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::attempts::{Attempt, On, Target};

const NONE: &[Errno] = &[];
const CROSSES: &[Errno] = &[Errno::XDEV];

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("mkdir in it", On::Directory, |t| fs::create_dir(t.below()), NONE),
    Attempt::new("create in it", On::Directory, |t| create(t, OFlags::WRONLY), NONE),
    Attempt::new("create for both in it", On::Directory, |t| create(t, OFlags::RDWR), NONE),
    Attempt::new("create for reading in it", On::Directory, |t| create(t, OFlags::RDONLY), NONE),
    Attempt::new("create a new file in it", On::Directory, |t| create(t, OFlags::EXCL), NONE),
    // FUSE asks the file system, which knows no files without a name, here or anywhere.
    Attempt::new("an unnamed file in it", On::Directory, unnamed, &[Errno::OPNOTSUPP]),
    Attempt::new("symlink in it", On::Directory, |t| symlink("/", t.below()), NONE),
    Attempt::new("link into it", On::Directory, |t| fs::hard_link(t.donor(), t.below()), CROSSES),
    Attempt::new("link rez's file into it", On::Directory, link_own, NONE),
    Attempt::new("rename into it", On::Directory, |t| fs::rename(t.donor(), t.below()), CROSSES),
    Attempt::new("rename rez's file into it", On::Directory, rename_own, NONE),
    Attempt::new("mknod a file in it", On::Directory, |t| node(t, FileType::RegularFile), NONE),
    Attempt::new("mknod a fifo in it", On::Directory, |t| node(t, FileType::Fifo), NONE),
    Attempt::new(
        "mknod a device in it",
        On::Directory,
        |t| node(t, FileType::CharacterDevice),
        NONE,
    ),
    Attempt::new("bind a socket in it", On::Directory, bind, NONE),
];

fn create(target: &Target, how: OFlags) -> io::Result<()> {
    let flags = how | OFlags::CREATE | OFlags::CLOEXEC;
    Ok(rustix::fs::open(target.below(), flags, Mode::RWXU).map(drop)?)
}

fn unnamed(target: &Target) -> io::Result<()> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(rustix::fs::open(&target.path, flags, Mode::RWXU).map(drop)?)
}

fn own(target: &Target) -> io::Result<PathBuf> {
    let own = target.writable.join("own");
    File::create(&own)?;
    Ok(own)
}

fn link_own(target: &Target) -> io::Result<()> {
    let own = own(target)?;
    let outcome = fs::hard_link(&own, target.below());
    fs::remove_file(own).ok();
    outcome
}

fn rename_own(target: &Target) -> io::Result<()> {
    let own = own(target)?;
    let outcome = fs::rename(&own, target.below());
    fs::remove_file(own).ok();
    outcome
}

fn node(target: &Target, kind: FileType) -> io::Result<()> {
    Ok(rustix::fs::mknodat(CWD, target.below(), kind, Mode::RWXU, 0)?)
}

fn bind(target: &Target) -> io::Result<()> {
    // The address is short whatever the path is.
    let directory = File::open(&target.path)?;
    let address = format!("/proc/self/fd/{}/intruder", directory.as_raw_fd());
    UnixListener::bind(address).map(drop)
}
