//! Attempts through a descriptor or a mapping that was got for reading.
//!
//! The kernel answers most of these by itself, since the descriptor is for reading: with `EBADF`,
//! or `EINVAL` where a call has no other word for it.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use pkgfs_tests::Mapping;
use rustix::fs::{FallocateFlags, IFlags};
use rustix::io::Errno;

use crate::attempts::{Attempt, On, Target};
use crate::unwrapped;

const FOR_READING: &[Errno] = &[Errno::BADF, Errno::INVAL];
/// No file system in FUSE can share blocks with another.
const CLONING: &[Errno] = &[Errno::BADF, Errno::XDEV, Errno::OPNOTSUPP, Errno::INVAL];
/// An empty file has no page to map.
const EMPTY: &[Errno] = &[Errno::INVAL];
/// Flags of ext4's kind: asked for first, and not had.
const FLAGS: &[Errno] = &[Errno::NOTTY, Errno::OPNOTSUPP];
/// The kernel's word for memory that may not be written, also by a debugger; `EINVAL` as above.
const MEMORY: &[Errno] = &[Errno::IO, Errno::FAULT, Errno::INVAL];

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("write to it", On::File, |t| reading(t)?.write_all(b"intruder"), FOR_READING),
    Attempt::new("write at", On::File, |t| reading(t)?.write_all_at(b"x", 0), FOR_READING),
    Attempt::new("ftruncate", On::File, |t| reading(t)?.set_len(1), FOR_READING),
    Attempt::new("fallocate", On::File, |t| fallocate(t, FallocateFlags::empty()), FOR_READING),
    Attempt::new("punch a hole", On::File, |t| fallocate(t, PUNCH), FOR_READING),
    Attempt::new(
        "zero a range",
        On::File,
        |t| fallocate(t, FallocateFlags::ZERO_RANGE),
        FOR_READING,
    ),
    Attempt::new("copy a range into it", On::File, copy_range, FOR_READING),
    Attempt::new("copy a range of itself into it", On::File, copy_own_range, FOR_READING),
    Attempt::new("splice into it", On::File, splice, FOR_READING),
    Attempt::new("clone into it", On::File, clone, CLONING),
    Attempt::new("make it immutable", On::Any, immutable, FLAGS),
    Attempt::new("set its extended flags", On::Any, extended_flags, FLAGS),
    Attempt::new("map for writing", On::File, map_writable, EMPTY),
    Attempt::new("make a mapping writable", On::File, make_writable, EMPTY),
    Attempt::new("write to a mapping as a debugger", On::File, write_memory, MEMORY),
];

const PUNCH: FallocateFlags = FallocateFlags::PUNCH_HOLE.union(FallocateFlags::KEEP_SIZE);

fn reading(target: &Target) -> io::Result<File> {
    File::open(&target.path)
}

fn fallocate(target: &Target, how: FallocateFlags) -> io::Result<()> {
    Ok(rustix::fs::fallocate(reading(target)?, how, 0, 4096)?)
}

fn copy_range(target: &Target) -> io::Result<()> {
    let from = File::open(target.donor())?;
    Ok(rustix::fs::copy_file_range(from, None, reading(target)?, None, 8).map(drop)?)
}

fn copy_own_range(target: &Target) -> io::Result<()> {
    let (from, to) = (reading(target)?, reading(target)?);
    Ok(rustix::fs::copy_file_range(from, Some(&mut 1), to, Some(&mut 0), 1).map(drop)?)
}

fn splice(target: &Target) -> io::Result<()> {
    let (mut source, mut sink) = io::pipe()?;
    sink.write_all(b"intruder")?;
    let mut file = reading(target)?;
    file.seek(SeekFrom::Start(0))?;
    let flags = rustix::pipe::SpliceFlags::empty();
    Ok(rustix::pipe::splice(&mut source, None, &file, None, 8, flags).map(drop)?)
}

fn clone(target: &Target) -> io::Result<()> {
    Ok(rustix::fs::ioctl_ficlone(reading(target)?, File::open(target.donor())?)?)
}

fn immutable(target: &Target) -> io::Result<()> {
    Ok(rustix::fs::ioctl_setflags(reading(target)?, IFlags::IMMUTABLE)?)
}

fn extended_flags(target: &Target) -> io::Result<()> {
    unwrapped::set_extended_flags(&reading(target)?)
}

/// Who gets it mapped stores in it too.
fn map_writable(target: &Target) -> io::Result<()> {
    let file = reading(target)?;
    let length = length(&file)?;
    Mapping::writable(&file, length)?.store(0, b'!');
    Ok(())
}

fn make_writable(target: &Target) -> io::Result<()> {
    let file = reading(target)?;
    let mapping = Mapping::readable(&file, length(&file)?)?;
    mapping.make_writable()?;
    mapping.store(0, b'!');
    Ok(())
}

/// `/proc/self/mem` writes also where the mapping forbids it, if it may.
fn write_memory(target: &Target) -> io::Result<()> {
    let file = reading(target)?;
    let mapping = Mapping::readable(&file, length(&file)?)?;
    File::options().write(true).open("/proc/self/mem")?.write_all_at(b"!", mapping.address())
}

fn length(file: &File) -> io::Result<usize> {
    usize::try_from(file.metadata()?.len()).map_err(io::Error::other)
}
