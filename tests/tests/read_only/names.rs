//! Attempts on a name: removing, moving and linking it, and changing its attributes.

use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::PathBuf;
use std::time::SystemTime;

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_NOW, XattrFlags,
};
use rustix::io::Errno;

use crate::attempts::{Attempt, On, Target};

/// To another file system, whatever the two are.
const CROSSES: &[Errno] = &[Errno::XDEV];
/// FUSE passes neither on to this file system, whatever the two names are.
const UNKNOWN: &[Errno] = &[Errno::INVAL, Errno::ISDIR];
/// A directory can be replaced by one alone; an exchange is unknown to FUSE.
const REPLACING: &[Errno] =
    &[Errno::XDEV, Errno::ISDIR, Errno::NOTDIR, Errno::NOTEMPTY, Errno::EXIST];
/// A link has no mode, a mount without access control lists none of them.
const UNSUPPORTED: &[Errno] = &[Errno::OPNOTSUPP];
const NONE: &[Errno] = &[];

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("unlink", On::Any, |t| fs::remove_file(&t.path), &[Errno::ISDIR]),
    Attempt::new("rmdir", On::Any, |t| fs::remove_dir(&t.path), &[Errno::NOTDIR]),
    Attempt::new("rename within", On::Any, |t| fs::rename(&t.path, t.beside()), NONE),
    Attempt::new("rename out", On::Any, |t| fs::rename(&t.path, t.outside.join("got")), CROSSES),
    Attempt::new(
        "rename into rez's own files",
        On::Any,
        |t| fs::rename(&t.path, t.writable.join("got")),
        NONE,
    ),
    Attempt::new("rename onto it", On::Any, |t| fs::rename(t.donor(), &t.path), REPLACING),
    Attempt::new("rename rez's file onto it", On::Any, rename_own_onto, REPLACING),
    Attempt::new("rename rez's directory onto it", On::Any, rename_directory_onto, REPLACING),
    Attempt::new("exchange", On::Any, |t| rename_with(t, RenameFlags::EXCHANGE), UNKNOWN),
    Attempt::new("white out", On::Any, |t| rename_with(t, RenameFlags::WHITEOUT), UNKNOWN),
    Attempt::new("link within", On::Any, |t| fs::hard_link(&t.path, t.beside()), NONE),
    Attempt::new("link out", On::Any, |t| fs::hard_link(&t.path, t.outside.join("got")), CROSSES),
    Attempt::new(
        "link into rez's own files",
        On::Any,
        |t| fs::hard_link(&t.path, t.writable.join("got")),
        NONE,
    ),
    Attempt::new("link by descriptor", On::Any, link_by_descriptor, NONE),
    Attempt::new("symlink over it", On::Any, |t| symlink("/", &t.path), &[Errno::EXIST]),
    Attempt::new("chmod", On::BelowRoot, |t| chmod(t, 0o777), NONE),
    Attempt::new("chmod set-user-id", On::BelowRoot, |t| chmod(t, 0o4555), NONE),
    Attempt::new("chmod by descriptor", On::BelowRoot, chmod_by_descriptor, UNSUPPORTED),
    Attempt::new("chmod of the name itself", On::BelowRoot, chmod_nofollow, UNSUPPORTED),
    Attempt::new("chown", On::Any, |t| chown(&t.path, Some(65534), Some(65534)), NONE),
    Attempt::new("chgrp", On::Any, |t| chown(&t.path, None, Some(12345)), NONE),
    Attempt::new("lchown", On::Any, |t| lchown(&t.path, Some(12345), None), NONE),
    Attempt::new("utimens", On::Any, |t| utimens(t, Timespec { tv_sec: 1, tv_nsec: 1 }), NONE),
    Attempt::new("utimens now", On::Any, |t| utimens(t, NOW), NONE),
    Attempt::new("futimens", On::Any, futimens, NONE),
    Attempt::new("setxattr", On::Any, |t| setxattr(t, "user.intruder"), NONE),
    Attempt::new("setxattr over another", On::Any, |t| setxattr(t, "user.kept"), NONE),
    Attempt::new("setxattr security", On::Any, |t| setxattr(t, "security.intruder"), NONE),
    Attempt::new("setxattr trusted", On::Any, |t| setxattr(t, "trusted.intruder"), NONE),
    Attempt::new("set an access list", On::Any, set_access_list, UNSUPPORTED),
    Attempt::new("removexattr", On::Any, removexattr, NONE),
];

const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };

fn rename_own_onto(target: &Target) -> io::Result<()> {
    let own = target.writable.join("own");
    fs::write(&own, "intruder")?;
    let outcome = fs::rename(&own, &target.path);
    fs::remove_file(own).ok();
    outcome
}

fn rename_directory_onto(target: &Target) -> io::Result<()> {
    let own = target.writable.join("own directory");
    fs::create_dir(&own)?;
    let outcome = fs::rename(&own, &target.path);
    fs::remove_dir(own).ok();
    outcome
}

fn rename_with(target: &Target, how: RenameFlags) -> io::Result<()> {
    let own = target.writable.join("own");
    fs::write(&own, "intruder")?;
    let outcome = rustix::fs::renameat_with(CWD, &own, CWD, &target.path, how);
    fs::remove_file(own).ok();
    Ok(outcome?)
}

fn by_descriptor(target: &Target) -> io::Result<(rustix::fd::OwnedFd, PathBuf)> {
    let file = rustix::fs::open(
        &target.path,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let name = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Ok((file, name))
}

fn link_by_descriptor(target: &Target) -> io::Result<()> {
    let (_held, name) = by_descriptor(target)?;
    Ok(rustix::fs::linkat(CWD, &name, CWD, target.beside(), AtFlags::SYMLINK_FOLLOW)?)
}

fn chmod(target: &Target, mode: u32) -> io::Result<()> {
    fs::set_permissions(&target.path, Permissions::from_mode(mode))
}

fn chmod_by_descriptor(target: &Target) -> io::Result<()> {
    let (_held, name) = by_descriptor(target)?;
    fs::set_permissions(name, Permissions::from_mode(0o777))
}

fn chmod_nofollow(target: &Target) -> io::Result<()> {
    let mode = Mode::from_raw_mode(0o777);
    Ok(rustix::fs::chmodat(CWD, &target.path, mode, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn utimens(target: &Target, time: Timespec) -> io::Result<()> {
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::utimensat(CWD, &target.path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn futimens(target: &Target) -> io::Result<()> {
    File::open(&target.path)?.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH))
}

fn setxattr(target: &Target, name: &str) -> io::Result<()> {
    Ok(rustix::fs::lsetxattr(&target.path, name, b"changed", XattrFlags::empty())?)
}

/// `rwx` for owner, group and others, as the kernel's acl(5) has it.
fn set_access_list(target: &Target) -> io::Result<()> {
    let entry = |tag: u16| [tag.to_le_bytes(), 7_u16.to_le_bytes(), [0xff; 2], [0xff; 2]].concat();
    let list = [2_u32.to_le_bytes().to_vec(), entry(1), entry(4), entry(0x20)].concat();
    let name = "system.posix_acl_access";
    Ok(rustix::fs::setxattr(&target.path, name, &list, XattrFlags::empty())?)
}

fn removexattr(target: &Target) -> io::Result<()> {
    Ok(rustix::fs::lremovexattr(&target.path, "user.kept")?)
}
