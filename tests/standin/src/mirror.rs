//! The file system as FUSE sees it: each handler names the operation, hands the work to the
//! service, and returns.
//!
//! The mount is read-only, so no write ever arrives: the kernel answers EROFS.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    KernelConfig, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectoryPlus, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};

use crate::directory::Listing;
use crate::operation::Operation;
use crate::options::{MAX_READ, Options};
use crate::service::{Outcome, Service, Verdict};
use crate::source::{Found, Source};

/// The handlers; shared state is the source, the service and the open handles.
pub(crate) struct Mirror {
    source: Arc<Source>,
    service: Arc<Service>,
    options: Options,
    files: Arc<Mutex<HashMap<u64, Arc<File>>>>,
    directories: Mutex<HashMap<u64, Arc<Listing>>>,
    handles: Arc<AtomicU64>,
}

impl Mirror {
    pub(crate) fn new(source: Arc<Source>, service: Arc<Service>, options: Options) -> Self {
        Self {
            source,
            service,
            options,
            files: Arc::default(),
            directories: Mutex::default(),
            handles: Arc::new(AtomicU64::new(1)),
        }
    }

    /// Queues an operation: `work` finds the answer, `send` gives it after the wait.
    fn submit<T: Send + 'static>(
        &self,
        operation: Operation,
        path: Arc<Path>,
        work: impl FnOnce(&Source) -> Result<T, Errno> + Send + 'static,
        send: impl FnOnce(Result<T, Errno>) + Send + 'static,
    ) {
        let source = Arc::clone(&self.source);
        let job = move |verdict| {
            let answer = match verdict {
                Verdict::Fail(errno) => Err(errno),
                Verdict::Faithful | Verdict::Short => work(&source),
            };
            Outcome { bytes: 0, send: Box::new(move || send(answer)) }
        };
        self.service.submit(operation, path, Box::new(job));
    }

    fn file(&self, handle: FileHandle) -> Option<Arc<File>> {
        lock(&self.files).get(&handle.0).map(Arc::clone)
    }
}

impl Filesystem for Mirror {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let wanted = InitFlags::FUSE_DO_READDIRPLUS
            | InitFlags::FUSE_PARALLEL_DIROPS
            | InitFlags::FUSE_AUTO_INVAL_DATA
            | InitFlags::FUSE_CACHE_SYMLINKS;
        config.add_capabilities(wanted).map_err(|_| io::Error::from(io::ErrorKind::Unsupported))?;
        // Slots, not the kernel's queue of background requests, are to limit what overlaps.
        config.set_max_background(u16::MAX).ok();
        config.set_max_write(MAX_READ).ok();
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let path = match self.source.child(parent, name) {
            Ok(path) => path,
            Err(errno) => return reply.error(errno),
        };
        let options = self.options.clone();
        let (source, at) = (Arc::clone(&self.source), Arc::clone(&path));
        let work = {
            let path = Arc::clone(&path);
            move |source: &Source| match source.lookup(parent, &path) {
                Err(Errno::ENOENT) => Ok(None),
                found => found.map(Some),
            }
        };
        self.submit(Operation::Lookup, path, work, move |answer| match answer {
            Ok(Some(Found { attr, identity })) => {
                source.nodes.remember(identity, at);
                let (attr_ttl, entry_ttl) = (options.attr_ttl(), options.entry_ttl());
                reply.entry_with_ttls(
                    &attr_ttl,
                    &entry_ttl,
                    &attr,
                    Generation(identity.generation),
                );
            }
            Ok(None) if options.negative_ttl().is_zero() => reply.error(Errno::ENOENT),
            Ok(None) => reply.entry(&options.negative_ttl(), &no_entry(), Generation(0)),
            Err(errno) => reply.error(errno),
        });
    }

    fn forget(&self, _: &Request, ino: INodeNo, nlookup: u64) {
        self.source.nodes.forget(ino, nlookup);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, fh: Option<FileHandle>, reply: ReplyAttr) {
        let path = match self.source.nodes.path(ino) {
            Ok(path) => path,
            Err(errno) => return reply.error(errno),
        };
        let file = fh.and_then(|fh| self.file(fh));
        let ttl = self.options.attr_ttl();
        let work = {
            let path = Arc::clone(&path);
            move |source: &Source| match file {
                Some(file) => source.getattr_open(&file),
                None => source.getattr(ino, &path),
            }
        };
        self.submit(Operation::Getattr, path, work, move |answer| match answer {
            Ok(attr) => reply.attr(&ttl, &attr),
            Err(errno) => reply.error(errno),
        });
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        let path = match self.source.nodes.path(ino) {
            Ok(path) => path,
            Err(errno) => return reply.error(errno),
        };
        let at = Arc::clone(&path);
        let work = move |source: &Source| source.readlink(ino, &at);
        self.submit(Operation::Readlink, path, work, move |answer| match answer {
            Ok(target) => reply.data(&target),
            Err(errno) => reply.error(errno),
        });
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let path = match self.source.nodes.path(ino) {
            Ok(path) => path,
            Err(errno) => return reply.error(errno),
        };
        let at = Arc::clone(&path);
        let work = move |source: &Source| source.open(ino, &at);
        let (files, handles) = (Arc::clone(&self.files), Arc::clone(&self.handles));
        let reread = self.options.reread_at_open;
        self.submit(Operation::Open, path, work, move |answer| match answer {
            Ok(opened) => {
                let handle = handles.fetch_add(1, Ordering::Relaxed);
                lock(&files).insert(handle, Arc::new(opened.file));
                // Close-to-open: pages outlive an open only when the file did not change.
                let keep = opened.unchanged && !reread;
                let flags = if keep { FopenFlags::FOPEN_KEEP_CACHE } else { FopenFlags::empty() };
                reply.opened(FileHandle(handle), flags | FopenFlags::FOPEN_NOFLUSH);
            }
            Err(errno) => reply.error(errno),
        });
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some(file) = self.file(fh) else {
            return reply.error(Errno::EBADF);
        };
        // A deleted file stays readable through its handle; only its name is lost to the trace.
        let path = self.source.nodes.path(ino).unwrap_or_else(|_| Arc::from(Path::new("")));
        let job = move |verdict| {
            let answer = match verdict {
                Verdict::Fail(errno) => Err(errno),
                Verdict::Faithful => Source::read(&file, offset, size),
                Verdict::Short => Source::read(&file, offset, size).map(|mut bytes| {
                    bytes.truncate(bytes.len() / 2);
                    bytes
                }),
            };
            let bytes = answer.as_ref().map_or(0, |bytes| bytes.len() as u64);
            let send = move || match answer {
                Ok(bytes) => reply.data(&bytes),
                Err(errno) => reply.error(errno),
            };
            Outcome { bytes, send: Box::new(send) }
        };
        self.service.submit(Operation::Read, path, Box::new(job));
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        fh: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        lock(&self.files).remove(&fh.0);
        reply.ok();
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let handle = self.handles.fetch_add(1, Ordering::Relaxed);
        lock(&self.directories).insert(handle, Arc::default());
        reply.opened(FileHandle(handle), FopenFlags::empty());
    }

    fn readdirplus(
        &self,
        _: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let Some(listing) = lock(&self.directories).get(&fh.0).map(Arc::clone) else {
            return reply.error(Errno::EBADF);
        };
        let path = match self.source.nodes.path(ino) {
            Ok(path) => path,
            Err(errno) => return reply.error(errno),
        };
        if listing.ends_before(offset) {
            // The end of the listing, which NFS carries in the answer before: free.
            return reply.ok();
        }
        let ttl = self.options.entry_ttl().min(self.options.attr_ttl());
        let (source, at) = (Arc::clone(&self.source), Arc::clone(&path));
        let job = move |verdict| {
            let filled = match verdict {
                Verdict::Fail(errno) => Err(errno),
                Verdict::Faithful | Verdict::Short => {
                    listing.fill(&source, ino, &at, offset, ttl, &mut reply)
                }
            };
            let send = move || match filled {
                Ok(()) => reply.ok(),
                Err(errno) => reply.error(errno),
            };
            Outcome { bytes: 0, send: Box::new(send) }
        };
        self.service.submit(Operation::Readdir, path, Box::new(job));
    }

    fn releasedir(&self, _: &Request, _: INodeNo, fh: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        lock(&self.directories).remove(&fh.0);
        reply.ok();
    }

    fn getxattr(&self, _: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let path = match self.source.nodes.path(ino) {
            Ok(path) => path,
            Err(errno) => return reply.error(errno),
        };
        let (at, name) = (Arc::clone(&path), name.to_owned());
        let work = move |source: &Source| source.getxattr(&at, &name);
        self.submit(Operation::Getxattr, path, work, move |answer| send_xattr(answer, size, reply));
    }

    fn listxattr(&self, _: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let path = match self.source.nodes.path(ino) {
            Ok(path) => path,
            Err(errno) => return reply.error(errno),
        };
        let at = Arc::clone(&path);
        let work = move |source: &Source| source.listxattr(&at);
        self.submit(Operation::Listxattr, path, work, move |answer| {
            send_xattr(answer, size, reply)
        });
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let path = Arc::from(Path::new(""));
        self.submit(Operation::Statfs, path, Source::statfs, move |answer| match answer {
            Ok(space) => reply.statfs(
                space.f_blocks,
                space.f_bfree,
                space.f_bavail,
                space.f_files,
                space.f_ffree,
                space.f_bsize as u32,
                space.f_namelen as u32,
                space.f_frsize as u32,
            ),
            Err(errno) => reply.error(errno),
        });
    }
}

fn send_xattr(answer: Result<Vec<u8>, Errno>, size: u32, reply: ReplyXattr) {
    match answer {
        Ok(value) if size == 0 => reply.size(value.len() as u32),
        Ok(value) if value.len() > size as usize => reply.error(Errno::ERANGE),
        Ok(value) => reply.data(&value),
        Err(errno) => reply.error(errno),
    }
}

/// FUSE's "there is no such name, and you may keep that": an entry with node 0.
fn no_entry() -> FileAttr {
    let epoch = std::time::UNIX_EPOCH;
    FileAttr {
        ino: INodeNo(0),
        size: 0,
        blocks: 0,
        atime: epoch,
        mtime: epoch,
        ctime: epoch,
        crtime: epoch,
        kind: FileType::RegularFile,
        perm: 0,
        nlink: 0,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 0,
        flags: 0,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
