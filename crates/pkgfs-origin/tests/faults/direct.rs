//! Storage that cannot read past the client's cache, or only where it likes to.

use std::{
    ffi::OsStr,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, UNIX_EPOCH},
};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEntry, ReplyOpen,
    Request,
};
use pkgfs_manifest::{FileState, Timestamp};
use pkgfs_origin::{
    Rest,
    backend::{self, Backend, Observer, Operation},
};
use rustix::fs::OFlags;

use crate::harness::{empty, file, noise, scratch, state};

/// The readers of one copy.
const READERS: usize = 4;
const FILE: INodeNo = INodeNo(2);
const LONG: Duration = Duration::from_secs(60);

/// What becomes of direct reads.
enum Manner {
    /// Refused, once all readers have asked for one: all learn it at the same time.
    Refuses(Mutex<Vec<ReplyData>>),
    /// Answered with fewer bytes than there are, and refused where those left off.
    CutsShort,
}

/// A mount with one file.
struct Picky {
    content: Vec<u8>,
    manner: Manner,
}

impl Picky {
    fn attributes(&self, kind: FileType) -> FileAttr {
        FileAttr {
            ino: if kind == FileType::Directory { INodeNo::ROOT } else { FILE },
            size: if kind == FileType::Directory { 0 } else { self.content.len() as u64 },
            blocks: 0,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm: 0o755,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for Picky {
    fn lookup(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEntry) {
        reply.entry(&LONG, &self.attributes(FileType::RegularFile), Generation(0));
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let kind = if inode == FILE { FileType::RegularFile } else { FileType::Directory };
        reply.attr(&LONG, &self.attributes(kind));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // Without this flag the kernel takes a short answer for the file's end.
        let short = matches!(self.manner, Manner::CutsShort);
        let flags = if short { FopenFlags::FOPEN_DIRECT_IO } else { FopenFlags::empty() };
        reply.opened(FileHandle(0), flags);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let start = (offset as usize).min(self.content.len());
        let mut end = (start + size as usize).min(self.content.len());
        if OFlags::from_bits_retain(flags.0 as u32).contains(OFlags::DIRECT) {
            match &self.manner {
                Manner::Refuses(asked) => {
                    let mut asked = asked.lock().unwrap();
                    asked.push(reply);
                    if asked.len() >= READERS {
                        asked.drain(..).for_each(|reply| reply.error(Errno::EINVAL));
                    }
                    return;
                }
                Manner::CutsShort if !offset.is_multiple_of(4096) => {
                    return reply.error(Errno::EINVAL);
                }
                Manner::CutsShort => end = end.min(start + 5000),
            }
        }
        reply.data(&self.content[start..end]);
    }
}

struct Unconcerned;

impl Observer for Unconcerned {
    fn count(&self, _: Operation) {}

    fn placed(&self, _: &[Range<u64>]) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}

fn copy(path: &Path, is: FileState, content: &[u8]) {
    let into = empty();
    let fetched = backend::Mounted.fetch(path, is, &into, Rest::AtOnce, &Unconcerned).unwrap();
    assert_eq!(fetched.digest.as_bytes(), blake3::hash(content).as_bytes());
    let mut copied = vec![0; content.len()];
    into.read_exact_at(&mut copied, 0).unwrap();
    assert!(copied == content, "{}", path.display());
    assert_eq!(into.metadata().unwrap().len(), content.len() as u64);
}

fn copy_from(manner: Manner) {
    let root = scratch();
    let content = noise((9 << 20) + 4097);
    let is = FileState { size: content.len() as u64, mtime: Timestamp { secs: 0, nanos: 0 } };
    let storage = Picky { content: content.clone(), manner };
    let session: BackgroundSession =
        fuser::spawn_mount(storage, root.path(), &Config::default()).unwrap();
    copy(&root.path().join("f"), is, &content);
    session.umount_and_join().unwrap();
}

#[test]
fn storage_that_refuses_direct_reads_of_all_readers_at_once_is_read_without() {
    copy_from(Manner::Refuses(Mutex::default()));
}

#[test]
fn direct_reads_that_end_anywhere_are_gone_on_with() {
    copy_from(Manner::CutsShort);
}

/// A file system that may refuse direct reads before there are any.
struct InMemory(PathBuf);

impl Drop for InMemory {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
}

#[test]
fn long_files_arrive_from_file_systems_in_memory() {
    for kind in ["ramfs", "tmpfs"] {
        let root = scratch();
        let none = rustix::mount::MountFlags::empty();
        rustix::mount::mount(kind, root.path(), kind, none, None).unwrap();
        let _mounted = InMemory(root.path().into());
        for size in [1 << 20, (1 << 20) + 1, (5 << 18) - 1, (5 << 18) + 4096] {
            let content = noise(size);
            let path = file(root.path(), "f", &content);
            copy(&path, state(&path), &content);
        }
    }
}
