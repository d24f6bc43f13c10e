//! The writable areas: rez's `.sys` and the trees that rez is copying in.
//!
//! Both are ordinary directories of the store (`sys/`, `staging/<n>/`), shown as they
//! are, but for who owns a file and, in `.sys`, for modes: whatever the first user's
//! umask was, directories are 0777 and files 0666 for all who are let in, since one
//! user's log file must not break the next user's rez.
//!
//! A file is known by the paths that lead to it (two while rez holds its lock by a hard
//! link) and keeps its number for as long as a platform remembers it. Symbolic links
//! cannot be made here, so no path followed here is another user's trap.

mod table;

use std::{
    borrow::Cow,
    ffi::OsStr,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use pkgfs_manifest::{Timestamp, os_name::bytes_of};

use crate::{
    Caller, DirectoryEntry, NodeAttributes, NodeId, NodeKind, ViewError,
    error::local,
    node::{Node, WritableId},
    sys::{self, Status},
};

use table::Table;

/// Which area a file lies in, as far as that matters for what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    /// `.sys`: open to all.
    Sys,
    /// A tree under way: private to who makes it.
    Staging,
}

/// All writable files of the store.
pub(crate) struct Writable {
    /// The store's directory; paths below are relative to it.
    base: PathBuf,
    /// Who runs the daemon: only root may give files away.
    owner: (u32, u32),
    table: Mutex<Table>,
}

/// A change of attributes asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Change {
    /// Permission bits.
    pub mode: Option<u16>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Length in bytes.
    pub size: Option<u64>,
    /// Last access.
    pub atime: Option<Timestamp>,
    /// Last modification.
    pub mtime: Option<Timestamp>,
}

/// Where a file can be changed, for as long as this is held.
struct Reachable {
    area: Area,
    path: PathBuf,
    kept: Option<Arc<File>>,
}

impl Writable {
    pub(crate) fn new(base: &Path, owner: (u32, u32)) -> Self {
        Self { base: base.to_path_buf(), owner, table: Mutex::default() }
    }

    /// Goes on with the numbers of the processes before, and notes its own from now on.
    pub(crate) fn inherit(&self, file: File) -> io::Result<()> {
        self.table.lock().inherit(file)
    }

    /// The node of a directory that the view itself knows (`sys`, `staging/<n>`).
    pub(crate) fn node_of(&self, path: &Path) -> WritableId {
        let mut table = self.table.lock();
        let id = table.intern(path);
        // Held by the view itself: never forgotten.
        if let Some(known) = table.nodes.get_mut(&id) {
            known.lookups = known.lookups.max(1 << 32);
        }
        id
    }

    /// The path of a node relative to the base.
    pub(crate) fn relative(&self, id: WritableId) -> Result<PathBuf, ViewError> {
        let table = self.table.lock();
        let known = table.nodes.get(&id).ok_or(ViewError::Stale)?;
        known.paths.first().cloned().ok_or(ViewError::NotFound)
    }

    fn absolute(&self, id: WritableId) -> Result<PathBuf, ViewError> {
        Ok(self.base.join(self.relative(id)?))
    }

    /// The path of `name` in the directory `parent`, relative to the base.
    pub(crate) fn child(&self, parent: WritableId, name: &[u8]) -> Result<PathBuf, ViewError> {
        Ok(self.relative(parent)?.join(os_name(name)?))
    }

    /// Looks a name up; the platform remembers the node until [`forget`](Self::forget).
    pub(crate) fn lookup(
        &self,
        parent: WritableId,
        name: &[u8],
    ) -> Result<NodeAttributes, ViewError> {
        let path = self.child(parent, name)?;
        let status = sys::status_at(&self.base.join(&path)).map_err(|e| local(&e))?;
        let (id, area, maker) = {
            let mut table = self.table.lock();
            let id = table.intern(&path);
            let known = table.nodes.get_mut(&id).ok_or(ViewError::Stale)?;
            known.lookups += 1;
            (id, known.area, known.maker)
        };
        Ok(self.shown(id, area, status, maker))
    }

    /// A platform has forgotten the node that many times.
    pub(crate) fn forget(&self, id: WritableId, times: u64) {
        let mut table = self.table.lock();
        let Some(known) = table.nodes.get_mut(&id) else { return };
        known.lookups = known.lookups.saturating_sub(times);
        // While it is open or a maker is remembered for it, it stays.
        let needed =
            known.open.strong_count() > 0 || (known.maker.is_some() && !known.paths.is_empty());
        if known.lookups == 0 && !needed {
            table.remove(id);
        }
    }

    pub(crate) fn attributes(&self, id: WritableId) -> Result<NodeAttributes, ViewError> {
        let (path, area, maker, open) = {
            let table = self.table.lock();
            let known = table.nodes.get(&id).ok_or(ViewError::Stale)?;
            (known.paths.first().cloned(), known.area, known.maker, known.open.upgrade())
        };
        let status = match (&path, open) {
            (Some(path), _) => sys::status_at(&self.base.join(path)),
            (None, Some(file)) => sys::status_of(&file),
            (None, None) => return Err(ViewError::NotFound),
        };
        Ok(self.shown(id, area, status.map_err(|e| local(&e))?, maker))
    }

    /// Opens a file that exists.
    pub(crate) fn open(&self, id: WritableId, write: bool) -> Result<Arc<File>, ViewError> {
        let path = match self.absolute(id) {
            Ok(path) => path,
            // Unlinked, but somebody still has it open.
            Err(ViewError::NotFound) => {
                let table = self.table.lock();
                let open = table.nodes.get(&id).and_then(|known| known.open.upgrade());
                return open.ok_or(ViewError::NotFound);
            }
            Err(error) => return Err(error),
        };
        if write {
            own_bytes(&path, area(&self.relative(id)?)).map_err(|e| local(&e))?;
        }
        let file = sys::options(0).write(write).open(path).map_err(|e| local(&e))?;
        Ok(self.opened(id, file))
    }

    fn opened(&self, id: WritableId, file: File) -> Arc<File> {
        let file = Arc::new(file);
        if let Some(known) = self.table.lock().nodes.get_mut(&id) {
            known.open = Arc::downgrade(&file);
        }
        file
    }

    /// Makes a file, or opens the one there is unless it must be new.
    pub(crate) fn create(
        &self,
        parent: WritableId,
        name: &[u8],
        mode: u16,
        new: bool,
        caller: Caller,
    ) -> Result<(NodeAttributes, Arc<File>), ViewError> {
        let path = self.child(parent, name)?;
        let absolute = self.base.join(&path);
        let mut options = sys::options(mode);
        options.write(true);
        let (file, made) = match options.clone().create_new(true).open(&absolute) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !new => {
                own_bytes(&absolute, area(&path)).map_err(|e| local(&e))?;
                (options.open(&absolute).map_err(|e| local(&e))?, false)
            }
            Err(error) => return Err(local(&error)),
        };
        if made {
            // Our own umask is no part of what was asked for.
            if area(&path) == Area::Staging {
                sys::set_mode_of_new(&absolute, mode, false).map_err(|e| local(&e))?;
            }
            self.made_by(&path, &absolute, caller);
        }
        let attributes = self.lookup(parent, name)?;
        let Some(Node::Writable(id)) = attributes.node.decode() else {
            return Err(ViewError::Stale);
        };
        Ok((attributes, self.opened(id, file)))
    }

    pub(crate) fn make_directory(
        &self,
        parent: WritableId,
        name: &[u8],
        mode: u16,
        caller: Caller,
    ) -> Result<NodeAttributes, ViewError> {
        let path = self.child(parent, name)?;
        let absolute = self.base.join(&path);
        sys::make_dir(&absolute, mode).map_err(|e| local(&e))?;
        if area(&path) == Area::Staging {
            sys::set_mode_of_new(&absolute, mode, true).map_err(|e| local(&e))?;
        }
        self.made_by(&path, &absolute, caller);
        self.lookup(parent, name)
    }

    /// Gives a new file to who made it, or remembers the maker where we may not.
    pub(crate) fn made_by(&self, path: &Path, absolute: &Path, caller: Caller) {
        if (caller.uid, caller.gid) == self.owner {
            return;
        }
        if sys::give_away(absolute, (caller.uid, caller.gid)).is_err() {
            let mut table = self.table.lock();
            let id = table.intern(path);
            table.made_by(id, (caller.uid, caller.gid));
        }
    }

    pub(crate) fn unlink(&self, parent: WritableId, name: &[u8]) -> Result<(), ViewError> {
        let path = self.child(parent, name)?;
        sys::remove_file(&self.base.join(&path)).map_err(|e| local(&e))?;
        self.table.lock().detach(&path);
        Ok(())
    }

    pub(crate) fn remove_directory(
        &self,
        parent: WritableId,
        name: &[u8],
    ) -> Result<(), ViewError> {
        let path = self.child(parent, name)?;
        fs::remove_dir(self.base.join(&path)).map_err(|e| local(&e))?;
        self.table.lock().detach(&path);
        Ok(())
    }

    pub(crate) fn rename(
        &self,
        from: (WritableId, &[u8]),
        to: (WritableId, &[u8]),
        replace: bool,
    ) -> Result<(), ViewError> {
        let source = self.child(from.0, from.1)?;
        let target = self.child(to.0, to.1)?;
        if area(&source) != area(&target) {
            return Err(ViewError::ReadOnly);
        }
        if !replace && fs::symlink_metadata(self.base.join(&target)).is_ok() {
            return Err(ViewError::Exists);
        }
        fs::rename(self.base.join(&source), self.base.join(&target)).map_err(|e| local(&e))?;
        self.table.lock().moved(&source, &target);
        Ok(())
    }

    /// A second name for a file, as rez takes its lock.
    pub(crate) fn link(
        &self,
        id: WritableId,
        parent: WritableId,
        name: &[u8],
    ) -> Result<NodeAttributes, ViewError> {
        let source = self.relative(id)?;
        let target = self.child(parent, name)?;
        if area(&source) != Area::Sys || area(&target) != Area::Sys {
            return Err(ViewError::ReadOnly);
        }
        fs::hard_link(self.base.join(&source), self.base.join(&target)).map_err(|e| local(&e))?;
        {
            let mut table = self.table.lock();
            table.linked(id, target);
            if let Some(known) = table.nodes.get_mut(&id) {
                known.lookups += 1;
            }
        }
        self.attributes(id)
    }

    /// Where a file can be changed: by its name, or, where it has none any more, through the
    /// descriptor that keeps it.
    fn reachable(&self, id: WritableId) -> Result<Reachable, ViewError> {
        let table = self.table.lock();
        let known = table.nodes.get(&id).ok_or(ViewError::Stale)?;
        if let Some(path) = known.paths.first() {
            return Ok(Reachable { area: known.area, path: self.base.join(path), kept: None });
        }
        let file = known.open.upgrade().ok_or(ViewError::NotFound)?;
        // What still has a name that is not ours may be a blob.
        if sys::status_of(&file).map_err(|e| local(&e))?.links > 0 {
            return Err(ViewError::ReadOnly);
        }
        Ok(Reachable { area: known.area, path: PathBuf::new(), kept: Some(file) })
    }

    pub(crate) fn change(
        &self,
        id: WritableId,
        change: Change,
    ) -> Result<NodeAttributes, ViewError> {
        let Reachable { area, path, kept } = self.reachable(id)?;
        let staged = area == Area::Staging;
        let failed = |error: io::Error| local(&error);
        if kept.is_none() {
            own_bytes(&path, area).map_err(failed)?;
        }
        let kept = kept.as_deref();
        if let Some(size) = change.size {
            sys::set_len(&path, kept, size).map_err(failed)?;
        }
        // In `.sys` modes and owners are ours, so that the next user gets in.
        if let (Some(mode), true) = (change.mode, staged) {
            sys::set_mode(&path, kept, mode).map_err(failed)?;
        }
        if let (true, true) = (change.uid.is_some() || change.gid.is_some(), staged) {
            sys::set_owner(&path, kept, change.uid, change.gid).map_err(failed)?;
        }
        if change.atime.is_some() || change.mtime.is_some() {
            sys::set_times(&path, kept, change.atime, change.mtime).map_err(failed)?;
        }
        self.attributes(id)
    }

    /// Names in a directory, with their kinds.
    pub(crate) fn names(&self, id: WritableId) -> Result<Vec<DirectoryEntry>, ViewError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.absolute(id)?).map_err(|e| local(&e))? {
            let entry = entry.map_err(|e| local(&e))?;
            let directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let kind = if directory { NodeKind::Directory } else { NodeKind::File };
            let name = bytes_of(&entry.file_name()).into();
            // Only a look-up gives it a number that lasts.
            names.push(DirectoryEntry { name, kind, node: None });
        }
        Ok(names)
    }

    /// A file's attributes as they are shown.
    fn shown(
        &self,
        id: WritableId,
        area: Area,
        status: Status,
        maker: Option<(u32, u32)>,
    ) -> NodeAttributes {
        let Status { directory, size, links, mtime, .. } = status;
        let mode = match area {
            Area::Sys if directory => 0o777,
            Area::Sys => 0o666,
            Area::Staging => status.mode,
        };
        let (uid, gid) = maker.or(status.owner).unwrap_or(self.owner);
        NodeAttributes {
            node: NodeId::from(Node::Writable(id)),
            kind: if directory { NodeKind::Directory } else { NodeKind::File },
            size,
            mode,
            links,
            uid,
            gid,
            mtime,
            device: 0,
        }
    }
}

fn area(path: &Path) -> Area {
    if path.starts_with("sys") { Area::Sys } else { Area::Staging }
}

/// A file of a copy whose sealing was cut short may be a blob, too: before it is changed it gets
/// bytes of its own. In `.sys` files have two names for other reasons: rez's lock does.
fn own_bytes(path: &Path, area: Area) -> io::Result<()> {
    let data = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        data => data?,
    };
    if area == Area::Sys || !data.is_file() || sys::status_at(path)?.links == 1 {
        return Ok(());
    }
    let mut copy = path.as_os_str().to_owned();
    copy.push(".own");
    sys::separate(path, copy.as_ref())
}

/// A single name of a directory entry, from outside.
pub(crate) fn os_name(name: &[u8]) -> Result<Cow<'_, OsStr>, ViewError> {
    match name {
        b"" | b"." | b".." => Err(ViewError::Invalid),
        _ if sys::is_too_long(name) => Err(ViewError::NameTooLong),
        _ => sys::file_name(name).ok_or(ViewError::Invalid),
    }
}
