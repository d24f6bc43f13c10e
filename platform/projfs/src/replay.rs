//! What rez did to files that are on disk, done to the view.
//!
//! The view has its own copy of what rez writes: `.sys` in the store, jsons and marks in the registry.
//! Each notification is replayed there as the operation that a file system would have been asked for,
//! in the order of notifications, and completed only then. Microsoft does not say that a program waits
//! for a notification of what has already happened; where it does not, what it did takes effect a moment
//! later.

use std::sync::Arc;

use pkgfs_view::{Caller, Change, Lookup, NodeId, Opener, View, ViewError};

use crate::{
    codes::{Win32, win32},
    commands::Outcome,
    ground::There,
    lanes::Lane,
    levels::LONGEST_FILE,
    names::{Wide, readable},
    path::{Level, Place, SYS, joined},
    placeholder::Version,
    projection::{Event, Request},
    provider::{Provider, Way},
    resolve::entry_path,
};

/// The longest file of `.sys` that is carried over: logs may grow, and nobody reads them here.
const LONGEST_SYS_FILE: u64 = 16 << 20;

/// A directory or file below `.sys`, known to the view for as long as this lives.
pub(crate) struct Looked {
    view: Arc<View>,
    nodes: Vec<NodeId>,
    node: NodeId,
}

impl Looked {
    pub(crate) fn node(&self) -> NodeId {
        self.node
    }
}

impl Drop for Looked {
    fn drop(&mut self) {
        self.nodes.iter().for_each(|node| self.view.forget(*node, 1));
    }
}

impl Provider {
    /// What is about to happen is judged; what has happened is replayed.
    pub(crate) async fn notified(
        self: Arc<Self>,
        request: Request,
        directory: bool,
        event: Event,
        destination: Option<Wide>,
    ) -> Outcome {
        let place = Place::of(&request.path);
        let to = destination.as_deref().map(Place::of);
        let _turn = self.lanes.turn(Lane::of(&place)).await;
        match event {
            Event::PreDelete
            | Event::PreRename
            | Event::PreSetHardlink
            | Event::PreConvertToFull => {
                return self.may(&request, directory, event, to.as_ref()).await;
            }
            _ if self.is_closing() => return Ok(()),
            _ => {}
        }
        let replayed = self.replay(&request, &place, directory, event, to.as_ref()).await;
        if let Err(error) = &replayed {
            let path = readable(&request.path);
            // Somebody wrote where rez has no business, or the view was faster.
            self.view.tell(format!("{path}: was changed, and the view did not take it: {error}"));
        }
        // Nobody is asked any more; the result is for the log of ProjFS.
        replayed.map_err(|error| win32(&error)).or_else(|error: Win32| {
            tracing::debug!(%error, "a notification was not replayed");
            Ok(())
        })
    }

    async fn replay(
        self: &Arc<Self>,
        request: &Request,
        place: &Place,
        directory: bool,
        event: Event,
        to: Option<&Place>,
    ) -> Result<(), ViewError> {
        let caller = self.caller(request.pid);
        match (event, place) {
            (Event::Created | Event::Overwritten, Place::Sys(names)) => {
                self.sys_created(names, directory, caller).await
            }
            (Event::ClosedModified, Place::Sys(names)) => self.sys_written(names, caller).await,
            (Event::ClosedDeleted, Place::Sys(names)) => self.sys_removed(names, directory).await,
            (Event::Created, Place::Level(names)) if directory => {
                self.level_made(request, names, caller).await
            }
            (Event::ClosedDeleted, Place::Level(names)) if directory => {
                self.level_removed(request, names).await
            }
            (Event::Created, Place::Entry(level, entry, below)) if below.is_empty() => {
                self.entry_made(level, entry, directory, caller).await
            }
            (Event::ClosedModified, Place::Entry(level, entry, below)) if below.is_empty() => {
                self.entry_written(level, entry, caller).await
            }
            (Event::ClosedUnmodified | Event::Opened, Place::Entry(level, entry, below))
                if below.is_empty() && !directory =>
            {
                self.entry_touched(level, entry).await
            }
            (Event::ClosedDeleted, Place::Entry(level, entry, below)) if below.is_empty() => {
                self.entry_removed(request, level, entry, directory).await
            }
            (Event::Renamed, from) => match to {
                Some(to) => self.renamed(from, to, directory, caller).await,
                None => Ok(()),
            },
            (Event::HardlinkCreated, Place::Sys(from)) => match to {
                Some(Place::Sys(to)) => self.sys_linked(from, to).await,
                _ => Ok(()),
            },
            // Of a copy under way, which is taken in as a whole; or of what is on disk alone.
            _ => Ok(()),
        }
    }

    /// What lies so far below `.sys`.
    pub(crate) async fn sys_node(self: &Arc<Self>, names: &[String]) -> Result<Looked, ViewError> {
        let found = self.view.lookup(NodeId::ROOT, SYS.as_bytes(), self.caller).await?;
        let Lookup::Found(found) = found else { return Err(ViewError::NotFound) };
        let mut looked =
            Looked { view: Arc::clone(&self.view), nodes: Vec::new(), node: found.attributes.node };
        for name in names {
            match self.view.lookup(looked.node, name.as_bytes(), self.caller).await? {
                Lookup::Found(found) => {
                    looked.node = found.attributes.node;
                    looked.nodes.push(looked.node);
                }
                Lookup::Absent(_) => return Err(ViewError::NotFound),
            }
        }
        Ok(looked)
    }

    pub(crate) async fn sys_created(
        self: &Arc<Self>,
        names: &[String],
        directory: bool,
        caller: Caller,
    ) -> Result<(), ViewError> {
        let Some((name, above)) = names.split_last() else { return Ok(()) };
        let above = self.sys_node(above).await?;
        let made = if directory {
            self.view.make_directory(above.node, name.as_bytes(), 0o777, caller).await
        } else {
            let made =
                self.view.create_file(above.node, name.as_bytes(), 0o666, false, caller).await;
            made.map(|(found, handle)| {
                self.view.release(handle);
                found
            })
        };
        match made {
            Ok(found) => {
                self.view.forget(found.attributes.node, 1);
                Ok(())
            }
            Err(ViewError::Exists) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn sys_written(
        self: &Arc<Self>,
        names: &[String],
        caller: Caller,
    ) -> Result<(), ViewError> {
        let place: Vec<String> = std::iter::once(SYS.to_owned()).chain(names.to_vec()).collect();
        let Some(bytes) = self.read_disk(place, LONGEST_SYS_FILE).await? else { return Ok(()) };
        let file = match self.sys_node(names).await {
            // Its creation was not told of: it was moved there from outside.
            Err(ViewError::NotFound) => {
                self.sys_created(names, false, caller).await?;
                self.sys_node(names).await?
            }
            file => file?,
        };
        self.overwrite(file.node, &bytes, caller).await
    }

    async fn sys_removed(
        self: &Arc<Self>,
        names: &[String],
        directory: bool,
    ) -> Result<(), ViewError> {
        let Some((name, above)) = names.split_last() else { return Ok(()) };
        let above = match self.sys_node(above).await {
            Err(ViewError::NotFound) => return Ok(()),
            above => above?,
        };
        let removed = if directory {
            self.view.remove_directory(above.node, name.as_bytes()).await
        } else {
            self.view.unlink(above.node, name.as_bytes()).await
        };
        match removed {
            // What lay in a copy that was moved away was never the view's.
            Err(ViewError::NotFound) => Ok(()),
            removed => removed,
        }
    }

    async fn sys_linked(self: &Arc<Self>, from: &[String], to: &[String]) -> Result<(), ViewError> {
        let Some((name, above)) = to.split_last() else { return Ok(()) };
        let (file, above) = (self.sys_node(from).await?, self.sys_node(above).await?);
        let found = self.view.link(file.node, above.node, name.as_bytes()).await?;
        self.view.forget(found.attributes.node, 1);
        Ok(())
    }

    async fn renamed(
        self: &Arc<Self>,
        from: &Place,
        to: &Place,
        directory: bool,
        caller: Caller,
    ) -> Result<(), ViewError> {
        match (from, to) {
            (Place::Sys(from), Place::Sys(to)) => {
                let (Some((old, above)), Some((new, below))) = (from.split_last(), to.split_last())
                else {
                    return Ok(());
                };
                let (above, below) = (self.sys_node(above).await?, self.sys_node(below).await?);
                let from = (above.node, old.as_bytes());
                self.view.rename(from, (below.node, new.as_bytes()), true).await
            }
            (Place::Entry(level, entry, below), Place::Sys(to)) if below.is_empty() => {
                self.moved_away(level, entry, to).await
            }
            // From outside of the root, or out of it: the empty path is the root's.
            (Place::Root, Place::Sys(to)) if directory => self.sys_created(to, true, caller).await,
            (Place::Root, Place::Sys(to)) => self.sys_written(to, caller).await,
            (Place::Sys(from), Place::Root) => self.sys_removed(from, directory).await,
            _ => Ok(()),
        }
    }

    /// rez has removed a variant: what it moved to `to_delete` becomes an empty directory.
    async fn moved_away(
        self: &Arc<Self>,
        level: &Level,
        entry: &str,
        to: &[String],
    ) -> Result<(), ViewError> {
        let _turn = self.lanes.turn(Lane::Sys).await;
        let Some((name, above)) = to.split_last() else { return Ok(()) };
        let above = self.sys_node(above).await?;
        let node = self.level_node(level).await?;
        let from = (node, entry.as_bytes());
        self.view.rename(from, (above.node, name.as_bytes()), true).await?;
        self.levels.leaves(level, entry, false);
        let _ = self.projection.delete_tombstone(&entry_path(level, entry));
        let place: Vec<String> = std::iter::once(SYS.to_owned()).chain(to.to_vec()).collect();
        let provider = Arc::clone(self);
        let emptied = tokio::task::spawn_blocking(move || {
            let place: Vec<&str> = place.iter().map(String::as_str).collect();
            // A copy under way is full files, which rez deletes.
            match provider.ground.there(&place)? {
                There::Link(_) => provider.ground.unlink(&place)?,
                There::Directory if provider.way() == Way::OnDisk => return Ok(()),
                // A projected link.
                _ => {
                    let path = joined(place.iter().copied());
                    let _ = provider.projection.delete(&path);
                }
            }
            provider.ground.make_directory(&place)
        });
        if !matches!(emptied.await, Ok(Ok(()))) {
            self.view.tell(format!("{level}\\{entry}: its link stays in .sys\\to_delete"));
        }
        self.settle(level).await;
        Ok(())
    }

    pub(crate) async fn level_node(self: &Arc<Self>, level: &Level) -> Result<NodeId, ViewError> {
        if let Some(node) = self.levels.node(level) {
            return Ok(node);
        }
        let names = level.names().map(str::to_owned);
        Ok(self.shelf(&names, 0).await?.ok_or(ViewError::NotFound)?.node)
    }

    /// rez made a directory of the registry: a full one, which is projected from now on.
    async fn level_made(
        self: &Arc<Self>,
        request: &Request,
        names: &[String],
        caller: Caller,
    ) -> Result<(), ViewError> {
        let Some((name, above)) = names.split_last() else { return Ok(()) };
        let above = match above {
            [] => NodeId::ROOT,
            above => self.shelf(above, request.pid).await?.ok_or(ViewError::NotFound)?.node,
        };
        let node = match self.view.make_directory(above, name.as_bytes(), 0o777, caller).await {
            Ok(found) => found.attributes.node,
            Err(ViewError::Exists) => {
                let found = self.view.lookup(above, name.as_bytes(), caller).await?;
                let Lookup::Found(found) = found else { return Err(ViewError::NotFound) };
                found.attributes.node
            }
            Err(error) => {
                // Nothing is in it yet, and nothing can be.
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let _ = self.ground.remove_directory(&names);
                return Err(error);
            }
        };
        if let Err(error) =
            self.projection.mark_directory(&request.path, &Version::of(self.life, node, None))
        {
            // What the view shows there later is written by `settle` all the same.
            tracing::debug!(%error, path = readable(&request.path), "stays a full directory");
        }
        if let Some(level) = Level::of(names) {
            self.appeared(level, node).await;
        }
        Ok(())
    }

    async fn level_removed(
        self: &Arc<Self>,
        request: &Request,
        names: &[String],
    ) -> Result<(), ViewError> {
        let Some((name, above)) = names.split_last() else { return Ok(()) };
        // What was removed hides what comes to be there later.
        let _ = self.projection.delete_tombstone(&request.path);
        if let Some(level) = Level::of(names) {
            self.levels.forget(&level);
        }
        if !self.is_registered(&Place::Level(names.to_vec())).await? {
            return Ok(());
        }
        let above = match above {
            [] => NodeId::ROOT,
            above => self.shelf(above, 0).await?.ok_or(ViewError::NotFound)?.node,
        };
        match self.view.remove_directory(above, name.as_bytes()).await {
            Err(ViewError::NotFound) => Ok(()),
            removed => removed,
        }
    }

    async fn entry_made(
        self: &Arc<Self>,
        level: &Level,
        entry: &str,
        directory: bool,
        caller: Caller,
    ) -> Result<(), ViewError> {
        self.levels.leaves(level, entry, false);
        let node = self.level_node(level).await?;
        if directory {
            let found = self.view.make_directory(node, entry.as_bytes(), 0o777, caller).await?;
            self.view.forget(found.attributes.node, 1);
            return Ok(());
        }
        match self.view.create_file(node, entry.as_bytes(), 0o666, true, caller).await {
            Ok((_, handle)) => {
                self.view.release(handle);
                Ok(())
            }
            Err(ViewError::Exists) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn entry_written(
        self: &Arc<Self>,
        level: &Level,
        entry: &str,
        caller: Caller,
    ) -> Result<(), ViewError> {
        let place = level.names().into_iter().chain([entry]).map(str::to_owned).collect();
        let Some(bytes) = self.read_disk(place, LONGEST_FILE).await? else { return Ok(()) };
        let node = self.level_node(level).await?;
        let found = self.view.lookup(node, entry.as_bytes(), caller).await?;
        let Lookup::Found(found) = found else { return Err(ViewError::NotFound) };
        self.overwrite(found.attributes.node, &bytes, caller).await?;
        self.entry_touched(level, entry).await
    }

    /// A look-up of rez sets the json's time, which ProjFS tells nobody of; that it was opened is told.
    async fn entry_touched(self: &Arc<Self>, level: &Level, entry: &str) -> Result<(), ViewError> {
        let Some(node) = self.levels.node(level) else { return Ok(()) };
        let place = [&*level.name, &*level.version, &*level.h4, entry];
        let Ok(mtime) = self.ground.mtime(&place) else { return Ok(()) };
        let found = self.view.lookup(node, entry.as_bytes(), self.caller).await?;
        let Lookup::Found(found) = found else { return Ok(()) };
        if found.attributes.mtime >= mtime {
            return Ok(());
        }
        let change = Change { mtime: Some(mtime), ..Change::default() };
        self.view.change(found.attributes.node, change).await.map(drop)
    }

    async fn entry_removed(
        self: &Arc<Self>,
        request: &Request,
        level: &Level,
        entry: &str,
        directory: bool,
    ) -> Result<(), ViewError> {
        let node = self.level_node(level).await?;
        let removed =
            if directory { Ok(()) } else { self.view.unlink(node, entry.as_bytes()).await };
        self.levels.leaves(level, entry, false);
        let _ = self.projection.delete_tombstone(&request.path);
        self.settle(level).await;
        match removed {
            Err(ViewError::NotFound) => Ok(()),
            removed => removed,
        }
    }

    /// Gives a file of the view these bytes, and has them take effect as a close does.
    pub(crate) async fn overwrite(
        self: &Arc<Self>,
        file: NodeId,
        bytes: &[u8],
        caller: Caller,
    ) -> Result<(), ViewError> {
        let opener = Opener { pid: caller.pid, all_told: false, has_bytes: false };
        let handle = self.view.open_file(file, true, opener).await?;
        let written = async {
            let emptied = Change { size: Some(0), ..Change::default() };
            self.view.change(file, emptied).await?;
            let mut at = 0;
            for piece in bytes.chunks(1 << 20) {
                at += self.view.write(handle, at, piece).await? as u64;
            }
            self.view.flush_file(handle, caller).await
        };
        let written = written.await;
        self.view.release(handle);
        written
    }

    /// A file of the root as it is on disk; `None` for one that is gone, or longer than this.
    pub(crate) async fn read_disk(
        self: &Arc<Self>,
        place: Vec<String>,
        most: u64,
    ) -> Result<Option<Vec<u8>>, ViewError> {
        let ground = Arc::clone(&self.ground);
        let read = tokio::task::spawn_blocking(move || {
            let place: Vec<&str> = place.iter().map(String::as_str).collect();
            ground.read(&place, most + 1)
        });
        match read.await {
            Ok(Ok(bytes)) => Ok((bytes.len() as u64 <= most).then_some(bytes)),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Ok(Err(error)) => {
                tracing::warn!(%error, "what was written could not be read");
                Err(ViewError::Failed)
            }
            Err(_) => Err(ViewError::Failed),
        }
    }
}
