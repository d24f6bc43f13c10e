//! What nobody may do in the root, said before it happens.
//!
//! | wish | in a payload | `<inc>` | directories of the registry | rez's files |
//! | --- | --- | --- | --- | --- |
//! | delete | access denied | not supported | directory not empty, while the view has something in it | yes |
//! | rename | access denied | not supported, but into `.sys\to_delete` | not supported | in `.sys` |
//! | hard link | access denied | not supported | – | in `.sys` |
//! | write to a placeholder | access denied | – | – | yes |
//!
//! "Access denied" is what editors understand, and what has rez fall back to a copy that never ends; so
//! rez never hears it where it moves or removes something.

use std::sync::Arc;

use pkgfs_view::{Lookup, NodeId, ViewError};

use crate::{
    codes::{Win32, win32, win32_for_rez},
    commands::Outcome,
    ground::There,
    path::{Level, Place},
    projection::{Event, Request},
    provider::{Provider, Way},
};

/// What rez's lock is called.
const LOCK: &str = ".lock.lock";

impl Provider {
    /// Whether something that is about to happen may.
    pub(crate) async fn may(
        self: &Arc<Self>,
        request: &Request,
        directory: bool,
        event: Event,
        destination: Option<&Place>,
    ) -> Outcome {
        let place = Place::of(&request.path);
        let of_payload = |place: &Place| place.is_payload() && !self.is_going(place);
        if of_payload(&place) || destination.is_some_and(of_payload) {
            return Err(Win32::ACCESS_DENIED);
        }
        match event {
            Event::PreConvertToFull => self.not_within(&place).await,
            Event::PreDelete => self.may_delete(request, &place, directory).await,
            Event::PreRename => match destination {
                Some(destination) => self.may_rename(&place, destination).await,
                None => Ok(()),
            },
            Event::PreSetHardlink => match destination {
                Some(destination) => self.may_link(&place, destination).await,
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn is_going(&self, place: &Place) -> bool {
        match place {
            Place::Tree(tree, _) => self.trees.is_retired(*tree),
            _ => false,
        }
    }

    /// Below `<inc>` lies a payload where no link can be made.
    async fn not_within(self: &Arc<Self>, place: &Place) -> Outcome {
        match place {
            Place::Entry(level, entry, below) if self.way() == Way::Within && !below.is_empty() => {
                let wanted = self.wanted(level).await.map_err(|error| win32(&error))?;
                let tree = wanted.and_then(|wanted| wanted.tree(entry));
                if tree.is_some() { Err(Win32::ACCESS_DENIED) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    async fn may_delete(
        self: &Arc<Self>,
        request: &Request,
        place: &Place,
        directory: bool,
    ) -> Outcome {
        match place {
            Place::Root => Err(Win32::NOT_SUPPORTED),
            Place::Sys(names) if names.is_empty() => Err(Win32::NOT_SUPPORTED),
            Place::Level(names) if directory => {
                let shelf = self.known_shelf(names).await.map_err(|error| win32_for_rez(&error))?;
                let Some(node) = shelf else { return Ok(()) };
                let listed = self.names_in(node).await.map_err(|error| win32_for_rez(&error))?;
                if listed.is_empty() { Ok(()) } else { Err(Win32::DIR_NOT_EMPTY) }
            }
            Place::Entry(level, entry, below) => {
                self.not_within(place).await?;
                if !below.is_empty() {
                    return Ok(());
                }
                let wanted = self.wanted(level).await.map_err(|error| win32_for_rez(&error))?;
                let Some(wanted) = wanted else { return Ok(()) };
                if directory && wanted.tree(entry).is_some() {
                    // It is moved away, not deleted.
                    return Err(Win32::NOT_SUPPORTED);
                }
                if let Some(stem) = entry.strip_prefix(".copying-")
                    && wanted.staged.contains(stem)
                {
                    self.take_copy_in(level, stem, request.pid).await?;
                }
                self.levels.leaves(level, entry, true);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn may_rename(self: &Arc<Self>, from: &Place, to: &Place) -> Outcome {
        match (from, to) {
            (Place::Sys(from), Place::Sys(to)) if !from.is_empty() && !to.is_empty() => Ok(()),
            // Of a copy under way.
            (Place::Entry(one, stem, _), Place::Entry(other, other_stem, below))
                if one == other && stem == other_stem && !below.is_empty() =>
            {
                self.not_within(from).await
            }
            (Place::Entry(level, entry, below), Place::Sys(to))
                if below.is_empty() && is_to_delete(to) =>
            {
                let wanted = self.wanted(level).await.map_err(|error| win32_for_rez(&error))?;
                let known = wanted.is_some_and(|wanted| {
                    wanted.tree(entry).is_some() || wanted.staged.contains(entry)
                });
                if !known {
                    return Err(Win32::NOT_SUPPORTED);
                }
                self.levels.leaves(level, entry, true);
                Ok(())
            }
            // From elsewhere, or to elsewhere, it is a copy.
            (Place::Root, Place::Sys(_)) | (Place::Sys(_), Place::Root) => Ok(()),
            _ => Err(Win32::NOT_SUPPORTED),
        }
    }

    async fn may_link(self: &Arc<Self>, from: &Place, to: &Place) -> Outcome {
        let (Place::Sys(_), Place::Sys(names)) = (from, to) else {
            return Err(Win32::NOT_SUPPORTED);
        };
        if let [name] = names.as_slice()
            && name == LOCK
        {
            self.break_lock_on_disk().await;
        }
        Ok(())
    }

    /// A lock whose holder is gone was broken by the view: on disk it goes, too.
    async fn break_lock_on_disk(self: &Arc<Self>) {
        let place = [".sys", LOCK];
        if !matches!(self.ground.there(&place), Ok(There::File)) {
            return;
        }
        let Ok(sys) = self.sys_node(&[]).await else { return };
        let found = self.view.lookup(sys.node(), LOCK.as_bytes(), self.caller).await;
        match found {
            Ok(Lookup::Absent(_)) => {
                if let Err(error) = self.ground.remove_file(&place) {
                    tracing::warn!(%error, "rez's lock was left by a process that is gone, and stays");
                }
            }
            Ok(Lookup::Found(found)) => self.view.forget(found.attributes.node, 1),
            Err(_) => {}
        }
    }

    /// A directory of the registry, without asking storage for it.
    async fn known_shelf(self: &Arc<Self>, names: &[String]) -> Result<Option<NodeId>, ViewError> {
        if let Some(level) = Level::of(names)
            && let Some(node) = self.levels.node(&level)
        {
            return Ok(Some(node));
        }
        if !self.is_registered(&Place::Level(names.to_vec())).await? {
            return Ok(None);
        }
        Ok(self.shelf(names, 0).await?.map(|shelf| shelf.node))
    }
}

fn is_to_delete(names: &[String]) -> bool {
    matches!(names, [directory, _] if directory == "to_delete")
}
