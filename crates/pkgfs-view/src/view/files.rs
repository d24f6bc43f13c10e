//! Opening, reading and writing files.

use std::{
    fs::File,
    ops::Range,
    sync::{Arc, OnceLock},
};

use parking_lot::{Mutex, RwLock};
use pkgfs_manifest::Kind;
use pkgfs_origin::OriginError;

use crate::{
    Caller, Found, HandleId, Keep, NodeId, Opener, View, ViewError,
    error::local,
    handles::{Handle, OpenPayload, OpenWritable, Written},
    hydration::{Flight, Local, Need, Reached, Wanted},
    node::{Node, Part, WritableId},
    payload::Payloads,
    sync::atomic::{AtomicBool, Ordering},
    sys,
    view::blocking,
};

/// Files up to this size are asked for when they are opened: who opens a small file
/// reads it next, and need not wait for as long then.
const SMALL: u64 = 1 << 20;

/// The longest json that anybody may write into the registry.
pub(super) const LONGEST_JSON: usize = 1 << 20;

impl View {
    /// Opens a file. Never waits for origin: that is for [`read`](Self::read).
    ///
    /// # Errors
    /// [`ViewError::ReadOnly`] for a payload that is to be written.
    pub async fn open_file(
        self: &Arc<Self>,
        node: NodeId,
        write: bool,
        opener: Opener,
    ) -> Result<HandleId, ViewError> {
        let handle = match node.decode().ok_or(ViewError::Stale)? {
            Node::Root | Node::Level(_) | Node::Slot(_, Part::Payload) => {
                return Err(ViewError::IsADirectory);
            }
            Node::Slot(id, part) => {
                let registry = self.registry.lock();
                let slot = registry.slot(id).ok_or(ViewError::NotFound)?;
                if write && slot.registration.is_some() && part == Part::Json {
                    return Err(ViewError::ReadOnly);
                }
                Handle::Mark(id, part, Arc::default())
            }
            Node::Entry(key) => {
                let (directory, index) = self.payloads.entry(key)?;
                if write {
                    return Err(ViewError::ReadOnly);
                }
                match &directory.listing.entries()[index].kind {
                    Kind::File => {}
                    Kind::Directory => return Err(ViewError::IsADirectory),
                    Kind::Link(_) | Kind::Special(_) => return Err(ViewError::Denied),
                }
                self.used(directory.registration);
                self.profiles.touched(opener, directory.registration, key);
                let open = OpenPayload {
                    registration: directory.registration,
                    wanted: Payloads::wanted(&directory, index),
                    local: OnceLock::new(),
                    joined: Mutex::default(),
                    counted: AtomicBool::new(false),
                };
                if opener.has_bytes
                    && let Some(digest) = self.digest_of(key)?
                {
                    self.recency.blob_used(digest);
                    self.read_elsewhere(&open);
                } else if let Some(local) = self.local_file(key, open.wanted.state.size)? {
                    let _ = open.local.set(Local::File(local));
                } else if (1..=SMALL).contains(&open.wanted.state.size) {
                    // A failure is the reader's to hear of, if there is one.
                    *open.joined.lock() = self.fetch(&open.wanted, Need::Read).ok();
                } else {
                    *open.joined.lock() = self.hydration.known(key);
                }
                Handle::Payload(Arc::new(open))
            }
            Node::Writable(id) => self.open_writable(id, self.writable.open(id, write)?)?,
        };
        Ok(self.handles.add(handle))
    }

    pub(super) fn open_writable(
        &self,
        id: WritableId,
        file: Arc<File>,
    ) -> Result<Handle, ViewError> {
        // An unlinked file has no path any more and belongs to no copy.
        let path = self.writable.relative(id).unwrap_or_default();
        Ok(Handle::Writable(Arc::new(OpenWritable {
            file,
            pending: path.starts_with("sys/pending"),
            written: Written::default(),
            staging: self.store.staging_of(&path),
            revoked: RwLock::new(false),
        })))
    }

    /// Makes a file and opens it for writing.
    ///
    /// # Errors
    /// [`ViewError::ReadOnly`] wherever rez has no business to make one.
    pub async fn create_file(
        &self,
        parent: NodeId,
        name: &[u8],
        mode: u16,
        new: bool,
        caller: Caller,
    ) -> Result<(Found, HandleId), ViewError> {
        match parent.decode().ok_or(ViewError::Stale)? {
            Node::Writable(parent) => {
                let (attributes, file) = self.writable.create(parent, name, mode, new, caller)?;
                if parent == self.sys {
                    self.lock.made(name, caller.pid);
                }
                let Some(Node::Writable(id)) = attributes.node.decode() else {
                    return Err(ViewError::Stale);
                };
                let handle = self.handles.add(self.open_writable(id, file)?);
                let found = Found { attributes, name: Keep::Never, values: Keep::Never };
                Ok((found, handle))
            }
            Node::Level(level) => self.create_mark(level, name, caller),
            _ => Err(ViewError::ReadOnly),
        }
    }

    /// Bytes of an open file: fewer than `size` only at its end.
    ///
    /// # Errors
    /// [`ViewError::TimedOut`] when origin must be asked and makes no progress,
    /// [`ViewError::Stale`] when origin's file is no longer the one that was listed.
    pub async fn read(
        self: &Arc<Self>,
        handle: HandleId,
        offset: u64,
        size: usize,
    ) -> Result<Vec<u8>, ViewError> {
        match self.handles.get(handle)? {
            Handle::Payload(open) => self.read_payload(&open, offset, size).await,
            Handle::Writable(open) => read_at(&open.file, offset, size),
            Handle::Mark(id, part, _) => {
                let registry = self.registry.lock();
                let slot = registry.slot(id).ok_or(ViewError::NotFound)?;
                let mark = if part == Part::Json { &slot.json } else { &slot.copying };
                let text = mark.as_ref().map_or(&[][..], |mark| &mark.text);
                Ok(span(text, offset, size).to_vec())
            }
        }
    }

    async fn read_payload(
        self: &Arc<Self>,
        open: &OpenPayload,
        offset: u64,
        size: usize,
    ) -> Result<Vec<u8>, ViewError> {
        let length = open.wanted.state.size;
        let end = offset.saturating_add(size as u64).min(length);
        if offset >= end {
            return Ok(Vec::new());
        }
        self.profiles.read(open.wanted.key, length, offset..end);
        if open.local.get().is_none()
            && let Some(local) = self.local_file(open.wanted.key, length)?
        {
            let _ = open.local.set(Local::File(local));
        }
        let first = !open.counted.swap(true, Ordering::Relaxed);
        if first {
            self.first_read(open.registration, &open.wanted);
        }
        if let Some(local) = open.local.get() {
            if first {
                self.hits.fetch_add(1, Ordering::Relaxed);
            }
            return self.read_local(local, &open.wanted, offset..end).await;
        }
        if first {
            self.misses.fetch_add(1, Ordering::Relaxed);
        }
        let mut joined = open.joined.lock().clone().filter(|flight| !flight.has_failed());
        let (local, whole) = loop {
            let flight = joined.take().map_or_else(|| self.fetch(&open.wanted, Need::Read), Ok);
            if let Ok(flight) = &flight {
                *open.joined.lock() = Some(Arc::clone(flight));
            }
            let reached = match flight {
                Ok(flight) => flight.reach(offset..end).await,
                Err(error) => Err(error),
            };
            match reached {
                Ok(Reached::Here(local, whole)) => break (local, whole),
                Ok(Reached::LetGo) => {}
                Ok(Reached::Kept) => match self.local_file(open.wanted.key, length)? {
                    Some(local) => break (Local::File(local), true),
                    // It went again, or the disk does not give it.
                    None => return self.read_through(&open.wanted, offset..end).await,
                },
                Err(ViewError::NotKept) => {
                    return self.read_through(&open.wanted, offset..end).await;
                }
                Err(error) => return Err(error),
            }
        };
        if let (true, Local::Bytes(content)) = (first, &local) {
            self.foresee(open.wanted.key, Arc::clone(content));
        }
        let bytes = self.read_local(&local, &open.wanted, offset..end).await;
        if whole {
            let _ = open.local.set(local);
        }
        bytes
    }

    /// Bytes that the store cannot keep, from origin for this one read.
    pub(super) async fn read_through(
        self: &Arc<Self>,
        wanted: &Wanted,
        bytes: Range<u64>,
    ) -> Result<Vec<u8>, ViewError> {
        let read = self.origin.read_at(&wanted.source, wanted.state, bytes).await;
        read.map_err(|error| {
            self.problems.tell(error.to_string());
            if matches!(error, OriginError::Changed { .. } | OriginError::NotFound { .. }) {
                self.outdated(wanted.key.directory);
            }
            ViewError::from(&error)
        })
    }

    /// The fetch of a file: under way already, or started now.
    pub(crate) fn fetch(
        self: &Arc<Self>,
        wanted: &Wanted,
        need: Need,
    ) -> Result<Arc<Flight>, ViewError> {
        let view = Arc::downgrade(self);
        let key = wanted.key;
        self.hydration.fetch(wanted, need, move || {
            if let Some(view) = view.upgrade() {
                view.outdated(key.directory);
            }
        })
    }

    /// Writes to an open file.
    ///
    /// # Errors
    /// [`ViewError::ReadOnly`] for payloads, and for a copy that was sealed meanwhile.
    pub async fn write(
        &self,
        handle: HandleId,
        offset: u64,
        data: &[u8],
    ) -> Result<usize, ViewError> {
        match self.handles.get(handle)? {
            Handle::Writable(open) => {
                let revoked = open.revoked.read();
                if *revoked {
                    return Err(ViewError::ReadOnly);
                }
                open.written.note();
                sys::write_all_at(&open.file, data, offset).map_err(|error| local(&error))?;
                Ok(data.len())
            }
            Handle::Mark(id, part, written) => {
                self.write_mark((id, part), offset, data)?;
                written.note();
                Ok(data.len())
            }
            Handle::Payload(_) => Err(ViewError::ReadOnly),
        }
    }

    /// A descriptor of an open file is closed. What rez wrote takes effect before this
    /// returns: a handle in `.sys/pending` is registered, a json makes its variant known.
    ///
    /// # Errors
    /// When the store cannot take a registration in.
    pub async fn flush_file(
        self: &Arc<Self>,
        handle: HandleId,
        caller: Caller,
    ) -> Result<(), ViewError> {
        match self.handles.get(handle)? {
            Handle::Writable(open) if open.pending => {
                let offer = async || {
                    // One byte more, so that a longer one is not taken for its beginning.
                    let text = read_at(&open.file, 0, LONGEST_JSON + 1)?;
                    self.offer_pending(&text, caller.pid).await;
                    Ok(())
                };
                open.written.take_effect(offer).await
            }
            Handle::Mark(id, Part::Json, written) => {
                written.take_effect(async || self.json_written(id).await).await
            }
            _ => Ok(()),
        }
    }

    /// Does what a close would, if what was written so far is complete: for a platform that is
    /// not told of closes.
    ///
    /// # Errors
    /// As for [`flush_file`](Self::flush_file).
    pub async fn flush_if_complete(
        self: &Arc<Self>,
        handle: HandleId,
        caller: Caller,
    ) -> Result<(), ViewError> {
        let text = match self.handles.get(handle)? {
            Handle::Writable(open) if open.pending => read_at(&open.file, 0, LONGEST_JSON + 1)?,
            Handle::Mark(id, Part::Json, _) => {
                let registry = self.registry.lock();
                let json = registry.slot(id).and_then(|slot| slot.json.as_ref());
                json.map(|json| json.text.clone()).unwrap_or_default()
            }
            _ => return Ok(()),
        };
        if serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok() {
            self.flush_file(handle, caller).await?;
        }
        Ok(())
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn sync_file(&self, handle: HandleId) -> Result<(), ViewError> {
        if let Handle::Writable(open) = self.handles.get(handle)? {
            let file = Arc::clone(&open.file);
            blocking(move || file.sync_all()).await.map_err(|error| local(&error))?;
        }
        Ok(())
    }

    /// The last descriptor of an open file or directory is gone.
    pub fn release(&self, handle: HandleId) {
        self.handles.remove(handle);
    }
}

impl Local {
    /// Reads up to `size` bytes: fewer only at the end.
    pub(super) fn read(&self, offset: u64, size: usize) -> Result<Vec<u8>, ViewError> {
        match self {
            Self::File(file) => read_at(file, offset, size),
            Self::Bytes(bytes) => Ok(span(bytes, offset, size).to_vec()),
        }
    }
}

/// The part of `bytes` that a read at `offset` gets.
fn span(bytes: &[u8], offset: u64, size: usize) -> &[u8] {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let end = start.saturating_add(size).min(bytes.len());
    &bytes[start..end]
}

/// Reads up to `size` bytes: fewer only at the end of the file.
fn read_at(file: &File, offset: u64, size: usize) -> Result<Vec<u8>, ViewError> {
    let mut bytes = vec![0; size];
    let mut filled = 0;
    while filled < size {
        match sys::read_at(file, &mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(local(&error)),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
