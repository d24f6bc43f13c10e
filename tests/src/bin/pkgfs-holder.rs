//! `pkgfs-holder FILE`: keeps a file open for writing, and mapped, across the moment when it must
//! become read-only.
//!
//! Opens and maps the file, stores `H` in its first byte through the mapping, has that written
//! back and says `ready`. When a line comes on standard input, tries to change the file in every
//! way that a descriptor and a mapping allow, and says for each what came of it: `<how>: ok`, or
//! the kernel's words. A mapping that is gone may end it by SIGBUS: the last thing tried.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::time::SystemTime;

use anyhow::{Context, Result};
use pkgfs_tests::Mapping;
use rustix::fs::{FallocateFlags, XattrFlags};

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).context("usage: pkgfs-holder FILE")?;
    let file = File::options().read(true).write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len())?;
    let mapping = Mapping::writable(&file, length)?;
    mapping.store(0, b'H');
    mapping.sync()?;
    println!("ready");
    std::io::stdin().read_line(&mut String::new())?;

    let end = length as u64;
    tell("write at the start", file.write_at(b"written", 0));
    tell("write at the end", file.write_at(b"written", end));
    tell("shorten", file.set_len(1));
    tell("lengthen", file.set_len(end * 2));
    tell("allocate", rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, end * 2));
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    tell("punch a hole", rustix::fs::fallocate(&file, punch, 0, end));
    let from = File::open("/proc/self/exe")?;
    tell("copy a range", rustix::fs::copy_file_range(&from, None, &file, None, length));
    tell("change the mode", file.set_permissions(fs::Permissions::from_mode(0o666)));
    tell("change the time", file.set_modified(SystemTime::UNIX_EPOCH));
    tell("set an attribute", rustix::fs::fsetxattr(&file, "user.held", b"1", XattrFlags::empty()));
    tell("sync", file.sync_all());
    let again = File::options().write(true).open("/proc/self/fd/".to_owned() + &number(&file));
    tell("open again for writing", again.and_then(|file| file.write_at(b"again", 0)));
    mapping.store(0, b'M');
    mapping.store(length - 1, b'M');
    tell("store in the mapping and sync", mapping.sync());
    Ok(())
}

fn number(file: &File) -> String {
    use std::os::fd::AsRawFd;
    file.as_raw_fd().to_string()
}

fn tell<T, E: std::fmt::Display>(how: &str, outcome: Result<T, E>) {
    match outcome {
        Ok(_) => println!("{how}: ok"),
        Err(error) => println!("{how}: {error}"),
    }
}
