//! What a mode does at opens, reads and closes.

use std::{
    fs::File,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use fuser::{FileHandle, FopenFlags, INodeNo, InitFlags, KernelConfig, ReplyOpen, Request};
use pkgfs_view::{HandleId, Opener, View, ViewError};

use super::{
    backing::{Backing, Registered},
    stateless::Implicit,
};
use crate::{connection::Connection, mode::Mode, shape::node};

/// The store's file system may itself be stacked once (overlayfs, in containers).
const STACK_DEPTH: u32 = 2;

/// How one mount is served.
pub(crate) struct Serving {
    mode: Mode,
    backing: Backing,
    implicit: Implicit,
    /// The kernel can do without opening directories.
    no_opendir: AtomicBool,
}

impl Serving {
    pub(crate) fn new(mode: Mode, connection: &Connection) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            mode,
            backing: Backing::new(connection.device()?, connection.open_files()?)?,
            implicit: Implicit::default(),
            no_opendir: AtomicBool::default(),
        }))
    }

    /// Asks the kernel for what the mode needs. One that lacks it reads through us.
    pub(crate) fn negotiate(&self, config: &mut KernelConfig) {
        let offered = config.capabilities().contains(InitFlags::FUSE_NO_OPENDIR_SUPPORT);
        self.no_opendir.store(offered, Ordering::Relaxed);
        if self.mode == Mode::Passthrough {
            let offered = config.add_capabilities(InitFlags::FUSE_PASSTHROUGH).is_ok();
            if !offered || config.set_max_stack_depth(STACK_DEPTH).is_err() {
                tracing::warn!("this kernel takes no files; it asks for bytes instead");
                self.backing.give_up();
            }
        }
    }

    pub(crate) fn is_stateless(&self) -> bool {
        self.mode == Mode::Stateless
    }

    pub(crate) fn opens_no_directory(&self) -> bool {
        self.no_opendir.load(Ordering::Relaxed)
    }

    /// Who makes a request that opens a file. Without OPENs the kernel reads by itself what its page
    /// cache holds.
    pub(crate) fn opener(&self, request: &Request) -> Opener {
        Opener { pid: request.pid(), all_told: !self.is_stateless(), has_bytes: false }
    }

    /// The same for an inode that the kernel may have the file of.
    pub(crate) fn opener_of(&self, request: &Request, ino: INodeNo) -> Opener {
        let has_bytes = self.hands_over(ino) && self.backing.has(ino.0);
        Opener { has_bytes, ..self.opener(request) }
    }

    /// Whether the kernel may be given the store's file for this inode.
    pub(crate) fn hands_over(&self, ino: INodeNo) -> bool {
        self.mode == Mode::Passthrough && node(ino).is_payload()
    }

    /// Answers an open.
    pub(crate) fn opened(
        &self,
        reply: ReplyOpen,
        ino: INodeNo,
        writes: bool,
        handle: HandleId,
        local: Option<Arc<File>>,
    ) {
        let fh = FileHandle(handle.0);
        if self.hands_over(ino) {
            return match self.backing.open(ino.0, local) {
                Some(file) => handed_over(reply, fh, &file),
                None => reply.opened(fh, kept()),
            };
        }
        let how = if node(ino).is_payload() {
            kept()
        } else if writes {
            FopenFlags::empty()
        } else {
            FopenFlags::FOPEN_NOFLUSH
        };
        reply.opened(fh, how);
    }

    /// A name means something else from now on: lets go of files that nobody has open.
    pub(crate) fn close_idle(&self) {
        self.backing.close_idle();
    }

    /// Blobs are to go: lets go of all files that nobody is known to have open. Without OPENs
    /// that is nobody.
    pub(crate) fn let_go_of_blobs(&self, view: &View) {
        self.close_idle();
        self.implicit.let_go_of_payloads().into_iter().for_each(|handle| view.release(handle));
    }

    /// A handle of this inode is closed.
    pub(crate) fn closed(&self, ino: INodeNo, fh: FileHandle) {
        if self.is_stateless() {
            self.implicit.closed(ino.0, HandleId(fh.0));
        }
        if self.hands_over(ino) {
            self.backing.close(ino.0);
        }
    }

    /// The handle that a request means, which in a stateless mount may name none.
    pub(crate) async fn handle(
        &self,
        view: &Arc<View>,
        ino: INodeNo,
        fh: FileHandle,
        write: bool,
        opener: Opener,
    ) -> Result<HandleId, ViewError> {
        if fh.0 != 0 || !self.is_stateless() {
            return view.handle_of(HandleId(fh.0), node(ino), opener).await;
        }
        let payload = node(ino).is_payload();
        let known =
            if payload { self.implicit.payload(ino.0) } else { self.implicit.other(ino.0, write) };
        if let Some(handle) = known {
            return Ok(handle);
        }
        let handle = view.open_file(node(ino), write, opener).await?;
        let former = if payload {
            self.implicit.keep_payload(ino.0, handle)
        } else {
            self.implicit.keep_other(ino.0, write, handle)
        };
        former.into_iter().for_each(|former| view.release(former));
        Ok(handle)
    }

    /// Reads so many bytes from an offset. A handle of our own that was let go of meanwhile is opened
    /// again.
    pub(crate) async fn read(
        &self,
        view: &Arc<View>,
        ino: INodeNo,
        fh: FileHandle,
        opener: Opener,
        (offset, size): (u64, usize),
    ) -> Result<Vec<u8>, ViewError> {
        let handle = self.handle(view, ino, fh, false, opener).await?;
        let read = view.read(handle, offset, size).await;
        let is_own = fh.0 == 0 && self.is_stateless() && node(ino).is_payload();
        if read != Err(ViewError::Stale) || !is_own || self.implicit.payload(ino.0) == Some(handle)
        {
            return read;
        }
        let handle = self.handle(view, ino, fh, false, opener).await?;
        view.read(handle, offset, size).await
    }

    /// A file was made and opened in one: its close will not be told of either.
    pub(crate) fn created(&self, view: &View, ino: INodeNo, handle: HandleId) {
        if self.is_stateless()
            && let Some(former) = self.implicit.keep_other(ino.0, true, handle)
        {
            view.release(former);
        }
    }

    /// Handles to be closed, since the kernel has forgotten the inode.
    pub(crate) fn forget(&self, ino: INodeNo) -> Vec<HandleId> {
        if self.is_stateless() { self.implicit.forget(ino.0) } else { Vec::new() }
    }
}

/// Answers an open with a file of the store that the kernel was given.
#[allow(unsafe_code)]
fn handed_over(reply: ReplyOpen, fh: FileHandle, file: &Registered) {
    // SAFETY: the kernel gave this number through the same connection, and knows it while `file`
    // lives; what is made of it here is taken apart before it could end that.
    let number = unsafe { reply.wrap_backing(file.number()) };
    reply.opened_passthrough(fh, FopenFlags::FOPEN_NOFLUSH, &number);
    number.into_raw();
}

/// The bytes of a payload never change under its number, and closing it means nothing.
fn kept() -> FopenFlags {
    FopenFlags::FOPEN_KEEP_CACHE | FopenFlags::FOPEN_NOFLUSH
}
