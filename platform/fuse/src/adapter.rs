//! FUSE requests as operations on the view.
//!
//! Every operation is polled once on the session thread that received it; one that has
//! to wait goes on in the runtime, so that a slow origin never holds a session thread.
//! A panic in an operation costs that operation an `EIO`, not the mount.

mod answering;
mod backing;
mod gate;
mod listing;
mod replies;
mod serving;
mod stateless;

use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt, path::Path, sync::Arc, time::SystemTime};

use fuser::{
    AccessFlags, BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, Filesystem, FopenFlags,
    Generation, INodeNo, InitFlags, IoctlFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags,
    ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry,
    ReplyIoctl, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow,
    WriteFlags,
};
use pkgfs_view::{Change, HandleId, Lookup, View, ViewError};

use answering::{is_resent, removed};
pub(crate) use gate::Gate;
pub(crate) use listing::Listings;
use replies::{attr, caller, entry, moment, no_xattrs, writes, xattr};
pub(crate) use serving::Serving;

use crate::{
    errno::errno,
    held::Held,
    shape::{attributes, ino, node, ttl},
    sys,
};

/// Block size told by `statfs`.
const BLOCK: u32 = 4096;

/// The view behind a FUSE session.
pub(crate) struct Adapter {
    pub(crate) view: Arc<View>,
    pub(crate) serving: Arc<Serving>,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) held: Arc<Held>,
    pub(crate) listings: Arc<Listings>,
    pub(crate) gate: Arc<Gate>,
    /// What was sent to a process before is refused: it may have died of it.
    pub(crate) refuses_resent: bool,
}

impl Filesystem for Adapter {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Each is a gain where the kernel has it and no loss where it does not. Never
        // asked for: FUSE_ATOMIC_O_TRUNC (truncation comes as SETATTR, which refuses).
        for wanted in [
            InitFlags::FUSE_ASYNC_READ,
            InitFlags::FUSE_BIG_WRITES,
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_CACHE_SYMLINKS,
            InitFlags::FUSE_EXPLICIT_INVAL_DATA,
            InitFlags::FUSE_HAS_RESEND,
        ] {
            if config.add_capabilities(wanted).is_err() {
                tracing::debug!(?wanted, "this kernel lacks a FUSE capability");
            }
        }
        // Bounded by what the kernel offers; the error is its own bound.
        if let Err(most) = config.set_max_readahead(1 << 20) {
            let _ = config.set_max_readahead(most);
        }
        let _ = config.set_max_background(64);
        self.serving.negotiate(config);
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let (view, caller) = (Arc::clone(&self.view), caller(request));
        let name = name.as_bytes().to_vec();
        let lookup = async move { view.lookup(node(parent), &name, caller).await };
        self.answer_in(request, &[parent], lookup, |outcome| entry(reply, outcome));
    }

    fn forget(&self, request: &Request, ino: INodeNo, nlookup: u64) {
        for handle in self.serving.forget(ino) {
            let (view, caller) = (Arc::clone(&self.view), caller(request));
            self.run(request, async move {
                // What was never complete is told of now; nobody waits for the outcome.
                let _ = view.flush_file(handle, caller).await;
                view.release(handle);
            });
        }
        self.view.forget(node(ino), nlookup);
    }

    fn getattr(&self, request: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        let view = Arc::clone(&self.view);
        let attributes = async move { view.attributes(node(ino)).await };
        self.answer(request, attributes, |outcome| attr(reply, outcome));
    }

    fn setattr(
        &self,
        request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let change = Change {
            mode: mode.map(|mode| (mode & 0o7777) as u16),
            uid,
            gid,
            size,
            atime: atime.map(moment),
            mtime: mtime.map(moment),
        };
        let view = Arc::clone(&self.view);
        let changed = async move { view.change(node(ino), change).await };
        self.answer(request, changed, |outcome| attr(reply, outcome));
    }

    fn readlink(&self, request: &Request, ino: INodeNo, reply: ReplyData) {
        let view = Arc::clone(&self.view);
        let target = async move { view.read_link(node(ino)).await };
        self.answer(request, target, |outcome| match outcome {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(error),
        });
    }

    fn mknod(
        &self,
        _request: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _mode: u32,
        _umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        reply.error(Errno::EROFS);
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        let (view, caller) = (Arc::clone(&self.view), caller(request));
        let name = name.as_bytes().to_vec();
        let mode = (mode & 0o7777) as u16;
        let resent = is_resent(request);
        let made = async move {
            match view.make_directory(node(parent), &name, mode, caller).await {
                Err(ViewError::Exists) if resent => view.lookup(node(parent), &name, caller).await,
                made => made.map(Lookup::Found),
            }
        };
        self.answer_in(request, &[parent], made, |outcome| entry(reply, outcome));
    }

    fn unlink(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (view, name) = (Arc::clone(&self.view), name.as_bytes().to_vec());
        let resent = is_resent(request);
        self.answer_empty_in(
            request,
            &[parent],
            async move { removed(resent, view.unlink(node(parent), &name).await) },
            reply,
        );
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (view, name) = (Arc::clone(&self.view), name.as_bytes().to_vec());
        let resent = is_resent(request);
        self.answer_empty_in(
            request,
            &[parent],
            async move { removed(resent, view.remove_directory(node(parent), &name).await) },
            reply,
        );
    }

    fn symlink(
        &self,
        _request: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _target: &Path,
        reply: ReplyEntry,
    ) {
        reply.error(Errno::EROFS);
    }

    fn rename(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let Some(replace) = sys::replaces(flags) else { return reply.error(Errno::EINVAL) };
        let view = Arc::clone(&self.view);
        let (name, newname) = (name.as_bytes().to_vec(), newname.as_bytes().to_vec());
        let (resent, caller) = (is_resent(request), caller(request));
        let renamed = async move {
            let to = (node(newparent), newname.as_slice());
            match view.rename((node(parent), &name), to, replace).await {
                Err(ViewError::NotFound) if resent => {
                    match view.lookup(to.0, to.1, caller).await? {
                        Lookup::Found(_) => Ok(()),
                        Lookup::Absent(_) => Err(ViewError::NotFound),
                    }
                }
                renamed => renamed,
            }
        };
        self.answer_empty_in(request, &[parent, newparent], renamed, reply);
    }

    fn link(
        &self,
        request: &Request,
        ino: INodeNo,
        newparent: INodeNo,
        newname: &OsStr,
        reply: ReplyEntry,
    ) {
        let (view, name) = (Arc::clone(&self.view), newname.as_bytes().to_vec());
        let (resent, caller) = (is_resent(request), caller(request));
        let linked = async move {
            match view.link(node(ino), node(newparent), &name).await {
                // Its own link, or somebody else's: rez's lock is one.
                Err(ViewError::Exists) if resent => {
                    match view.lookup(node(newparent), &name, caller).await? {
                        Lookup::Found(found) if found.attributes.node == node(ino) => {
                            Ok(Lookup::Found(found))
                        }
                        _ => Err(ViewError::Exists),
                    }
                }
                linked => linked.map(Lookup::Found),
            }
        };
        self.answer_in(request, &[newparent], linked, |outcome| entry(reply, outcome));
    }

    fn open(&self, request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        if self.serving.is_stateless() {
            // For good: the kernel asks for no open of this mount any more.
            return reply.error(Errno::ENOSYS);
        }
        let (view, serving) = (Arc::clone(&self.view), Arc::clone(&self.serving));
        let writes = writes(flags);
        let opener = self.serving.opener_of(request, ino);
        let opened = async move {
            let handle = view.open_file(node(ino), writes, opener).await?;
            let local = serving.hands_over(ino).then(|| view.whole_file(handle)).flatten();
            Ok((handle, local))
        };
        let serving = Arc::clone(&self.serving);
        self.answer(request, opened, move |outcome| match outcome {
            Ok((handle, local)) => serving.opened(reply, ino, writes, handle, local),
            Err(error) => reply.error(error),
        });
    }

    fn read(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let (view, serving) = (Arc::clone(&self.view), Arc::clone(&self.serving));
        let opener = serving.opener(request);
        let read =
            async move { serving.read(&view, ino, fh, opener, (offset, size as usize)).await };
        self.answer(request, read, |outcome| match outcome {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        });
    }

    fn write(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let (view, serving) = (Arc::clone(&self.view), Arc::clone(&self.serving));
        let (data, caller) = (data.to_vec(), caller(request));
        let opener = serving.opener(request);
        let written = async move {
            let handle = serving.handle(&view, ino, fh, true, opener).await?;
            let written = view.write(handle, offset, &data).await?;
            if serving.is_stateless() {
                // Its close is not told of.
                view.flush_if_complete(handle, caller).await?;
            }
            Ok(written)
        };
        self.answer(request, written, |outcome| match outcome {
            Ok(bytes) => reply.written(u32::try_from(bytes).unwrap_or(u32::MAX)),
            Err(error) => reply.error(error),
        });
    }

    fn flush(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        if self.serving.is_stateless() {
            return reply.error(Errno::ENOSYS);
        }
        let (view, caller) = (Arc::clone(&self.view), caller(request));
        let opener = self.serving.opener(request);
        let flushed = async move {
            match view.handle_of(HandleId(fh.0), node(ino), opener).await {
                Ok(handle) => view.flush_file(handle, caller).await,
                // Unlinked while it was open, and written by a process that has died.
                Err(ViewError::NotFound) => Ok(()),
                Err(error) => Err(error),
            }
        };
        self.answer_empty(request, flushed, reply);
    }

    fn release(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        // A process before may have counted it. One handle too many is kept open; one too few would let
        // the kernel be given another file while it has the inode open.
        if !is_resent(request) {
            self.serving.closed(ino, fh);
        }
        self.view.release(HandleId(fh.0));
        reply.ok();
    }

    fn fsync(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        let (view, serving) = (Arc::clone(&self.view), Arc::clone(&self.serving));
        let opener = serving.opener(request);
        let synced = async move {
            let handle = serving.handle(&view, ino, fh, false, opener).await?;
            view.sync_file(handle).await
        };
        self.answer_empty(request, synced, reply);
    }

    fn opendir(&self, _request: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        if self.serving.opens_no_directory() {
            // For good: the kernel then opens directories by itself, and keeps what they list.
            return reply.error(Errno::ENOSYS);
        }
        reply.opened(FileHandle(0), FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn readdir(
        &self,
        request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        reply: ReplyDirectory,
    ) {
        let (view, listings) = (Arc::clone(&self.view), Arc::clone(&self.listings));
        let listed = async move { listings.at(&view, ino, offset).await };
        self.answer_in(request, &[ino], listed, move |outcome| match outcome {
            Ok(listed) => listing::names(&listed, ino, offset, reply),
            Err(error) => reply.error(error),
        });
    }

    fn readdirplus(
        &self,
        request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        reply: ReplyDirectoryPlus,
    ) {
        let (view, caller) = (Arc::clone(&self.view), caller(request));
        let listings = Arc::clone(&self.listings);
        let holding = self.held.hold(&[ino]);
        self.run(request, async move {
            match listings.at(&view, ino, offset).await {
                Ok(listed) => listing::entries(view, &listed, ino, offset, caller, reply).await,
                Err(error) => reply.error(errno(&error)),
            }
            drop(holding);
        });
    }

    fn releasedir(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn fsyncdir(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn statfs(&self, _request: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        let room = self.view.statistics();
        let block = u64::from(BLOCK);
        let (total, free) = (room.total / block, room.free / block);
        // Inodes are not counted here: plenty, so that nobody takes it for full.
        reply.statfs(total, free, free, 1 << 40, 1 << 39, BLOCK, 255, BLOCK);
    }

    fn setxattr(
        &self,
        _request: &Request,
        ino: INodeNo,
        _name: &OsStr,
        _value: &[u8],
        _flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        reply.error(no_xattrs(node(ino)));
    }

    fn getxattr(
        &self,
        request: &Request,
        ino: INodeNo,
        name: &OsStr,
        size: u32,
        reply: ReplyXattr,
    ) {
        let (view, name) = (Arc::clone(&self.view), name.as_bytes().to_vec());
        let value = async move { view.xattr(node(ino), &name).await };
        self.answer(request, value, move |outcome| xattr(reply, size, outcome));
    }

    fn listxattr(&self, request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let view = Arc::clone(&self.view);
        let names = async move {
            let names = view.xattr_names(node(ino)).await?;
            Ok(names.iter().flat_map(|name| name.iter().copied().chain([0])).collect())
        };
        self.answer(request, names, move |outcome| xattr(reply, size, outcome));
    }

    fn removexattr(&self, _request: &Request, ino: INodeNo, _name: &OsStr, reply: ReplyEmpty) {
        reply.error(no_xattrs(node(ino)));
    }

    fn access(&self, _request: &Request, _ino: INodeNo, _mask: AccessFlags, reply: ReplyEmpty) {
        // `default_permissions`: the kernel decides by the attributes it was given.
        reply.error(Errno::ENOSYS);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let (view, caller) = (Arc::clone(&self.view), caller(request));
        let name = name.as_bytes().to_vec();
        let mode = (mode & 0o7777) as u16;
        let new =
            rustix::fs::OFlags::from_bits_retain(flags as u32).contains(rustix::fs::OFlags::EXCL);
        let (resent, opener) = (is_resent(request), self.serving.opener(request));
        let made = async move {
            match view.create_file(node(parent), &name, mode, new, caller).await {
                Err(ViewError::Exists) if resent => {
                    view.open_made(node(parent), &name, caller, opener).await
                }
                made => made,
            }
        };
        let (view, serving) = (Arc::clone(&self.view), Arc::clone(&self.serving));
        self.answer_in(request, &[parent], made, move |outcome| match outcome {
            Ok((found, handle)) => {
                serving.created(&view, ino(found.attributes.node), handle);
                reply.created(
                    &ttl(found.name),
                    &attributes(&found.attributes),
                    Generation(0),
                    FileHandle(handle.0),
                    FopenFlags::empty(),
                )
            }
            Err(error) => reply.error(error),
        });
    }

    fn ioctl(
        &self,
        _request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _flags: IoctlFlags,
        cmd: u32,
        _in_data: &[u8],
        _out_size: u32,
        reply: ReplyIoctl,
    ) {
        /// `FS_IOC_SETFLAGS` and `FS_IOC_FSSETXATTR` (linux/fs.h).
        const SETS_FLAGS: [u32; 2] = [0x4008_6602, 0x401c_5820];
        let refused = node(ino).is_payload() && SETS_FLAGS.contains(&cmd);
        reply.error(if refused { Errno::EROFS } else { Errno::ENOTTY });
    }

    fn fallocate(
        &self,
        _request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _offset: u64,
        _length: u64,
        _mode: i32,
        reply: ReplyEmpty,
    ) {
        reply.error(if node(ino).is_payload() { Errno::EROFS } else { Errno::EOPNOTSUPP });
    }

    fn lseek(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _offset: i64,
        _whence: i32,
        reply: ReplyLseek,
    ) {
        // The kernel then takes every file for data from end to end.
        reply.error(Errno::ENOSYS);
    }

    fn copy_file_range(
        &self,
        _request: &Request,
        _ino_in: INodeNo,
        _fh_in: FileHandle,
        _offset_in: u64,
        ino_out: INodeNo,
        _fh_out: FileHandle,
        _offset_out: u64,
        _len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        // Elsewhere the kernel copies by reading and writing.
        reply.error(if node(ino_out).is_payload() { Errno::EROFS } else { Errno::EOPNOTSUPP });
    }
}
