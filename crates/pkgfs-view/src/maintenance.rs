//! What is done to variants from outside the tree: flush, freshness, settling.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use pkgfs_rez::VariantHandle;
use pkgfs_store::{DirectoryId, Rebuilt, RegistrationId, RegistrationState};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::{
    Target, View, ViewError,
    hydration::Local,
    node::SlotId,
    problems::Problems,
    registry::{Payload, Slot},
    view::blocking,
};

/// What a flush did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FlushReport {
    /// Variants whose local bytes and listings were forgotten.
    pub flushed: Vec<String>,
    /// Variants that were left as they are, each with the reason.
    pub kept: Vec<String>,
    /// Targets that mean no variant of this view, each with the reason.
    pub unknown: Vec<String>,
}

/// A variant whose tree can be forgotten.
struct Tree {
    registration: RegistrationId,
    handle: Option<VariantHandle>,
    root: Option<PathBuf>,
}

impl Tree {
    fn of(slot: &Slot) -> Option<Self> {
        let registration = slot.registration.filter(|_| slot.payload.is_tree())?;
        Some(Self { registration, handle: slot.handle.clone(), root: slot.root.clone() })
    }
}

impl View {
    /// Forgets local bytes and listings, so that the next read asks origin again. Open
    /// files go on. No target means all.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn flush(self: &Arc<Self>, targets: &[Target]) -> Result<FlushReport, ViewError> {
        self.repositories.forget();
        let mut report = FlushReport::default();
        if targets.is_empty() {
            let mut walk = self.walk(None);
            while let Some(page) = walk.next(|_, slot| Tree::of(slot))? {
                for tree in page {
                    self.flush_one(tree, &mut report).await?;
                }
            }
        } else {
            let chosen = self.registered(targets);
            report.unknown = chosen.refused;
            for registration in chosen.registrations {
                let tree = {
                    let mut registry = self.registry.lock();
                    let id = registry.of_registration(registration);
                    id.and_then(|id| registry.slot(id)).and_then(Tree::of)
                };
                if let Some(tree) = tree {
                    self.flush_one(tree, &mut report).await?;
                }
            }
        }
        self.notices.delivered().await;
        self.room.freed().await;
        Ok(report)
    }

    async fn flush_one(
        self: &Arc<Self>,
        tree: Tree,
        report: &mut FlushReport,
    ) -> Result<(), ViewError> {
        let Tree { registration, handle, root } = tree;
        let uri = handle.as_ref().map(VariantHandle::uri).unwrap_or_default();
        let Some(root) = root else {
            report.kept.push(format!(
                "{uri}: rez copied it in and its origin is not known; remove it instead"
            ));
            return Ok(());
        };
        let moved = self.moved(handle, &root).await;
        // Of what nobody has asked about since it was registered there is nothing to forget.
        let untouched = !self.registry.lock().has_in_memory(registration)
            && self.store.recorded(registration)?.directories == 0;
        if !untouched || moved.is_some() {
            let id = self.registry.lock().of_registration(registration);
            let Some(id) = id else { return Ok(()) };
            self.serve_from(id, registration, moved.unwrap_or(root)).await?;
        }
        report.flushed.push(uri);
        Ok(())
    }

    /// Where the variant of this handle lies now, if its definition was released anew and says
    /// another place. One that is not offered any more stays where it was.
    async fn moved(&self, handle: Option<VariantHandle>, root: &Path) -> Option<PathBuf> {
        let candidate = self.repositories.candidate(handle?).await.ok()?;
        (candidate.root != root).then_some(candidate.root)
    }

    /// Forgets the tree of a variant, and serves it from this place.
    async fn serve_from(
        self: &Arc<Self>,
        id: SlotId,
        registration: RegistrationId,
        root: PathBuf,
    ) -> Result<(), ViewError> {
        // Who has a file open goes on reading what is local of it.
        for open in self.handles.of_payload(registration) {
            if open.local.get().is_none()
                && let Some(local) = self.local_file(open.wanted.key, open.wanted.state.size)?
            {
                let _ = open.local.set(Local::File(local));
            }
        }
        let place = root.clone();
        self.foresight.forget(registration);
        self.profiles.ahead.forget(registration);
        let store = Arc::clone(&self.store);
        let forgotten = blocking(move || {
            store.retire_directories(registration)?;
            store.set_root(registration, &place)?;
            store.set_state(registration, RegistrationState::Served)
        });
        self.payloads.forget_when(registration, forgotten).await?;
        if let Some(mut slot) = self.registry.lock().slot_mut(id) {
            slot.payload = Payload::Served;
            slot.root = Some(root);
            slot.checked = Some(std::time::Instant::now());
        }
        self.replaced(id);
        Ok(())
    }

    /// The tree of a registration is another than platforms know.
    pub(crate) fn show_anew(&self, registration: RegistrationId) {
        let id = self.registry.lock().of_registration(registration);
        if let Some(id) = id {
            self.replaced(id);
        }
    }

    /// Does, for as long as the view lives, what is to be done when the store's database was made
    /// anew: what memory knows of listings may be in it no more.
    pub(crate) fn keep_up_with_rebuilding(self: &Arc<Self>) {
        self.store.rebuilt().iter().for_each(|rebuilt| told(&self.problems, rebuilt));
        let (sender, mut receiver) = mpsc::unbounded_channel();
        // The view may be gone before its store.
        self.store.on_rebuilt(move |rebuilt| _ = sender.send(rebuilt.clone()));
        let view = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(rebuilt) = receiver.recv().await {
                let Some(view) = view.upgrade() else { return };
                told(&view.problems, &rebuilt);
                view.payloads.forget_all();
                view.open_blobs.close();
                let known: Vec<_> = {
                    let registry = view.registry.lock();
                    let trees = registry.slots().filter(|(_, slot)| slot.payload.is_tree());
                    trees.map(|(id, _)| id).collect()
                };
                known.into_iter().for_each(|id| view.replaced(id));
            }
        });
    }

    /// The tree of a variant was replaced: it shows under a new number, and platforms
    /// are told that its name does not mean the old one any more.
    fn replaced(&self, id: SlotId) {
        let mut registry = self.registry.lock();
        let Some(mut slot) = registry.slot_mut(id) else { return };
        self.open_blobs.close();
        slot.epoch += 1;
        slot.root_attributes = None;
        self.notices.name(self.level_node(slot.level), slot.stem.as_bytes());
    }

    /// Compares a variant with origin, off the path of any request.
    pub(crate) fn check_later(self: &Arc<Self>, registration: RegistrationId) {
        let view = Arc::clone(self);
        tokio::spawn(async move {
            if view.follow(registration).await {
                return;
            }
            match view.payloads.refresh(registration).await {
                Ok(false) => {}
                Ok(true) => {
                    view.foresight.forget(registration);
                    view.profiles.ahead.forget(registration);
                    let id = view.registry.lock().of_registration(registration);
                    if let Some(id) = id {
                        view.problems.tell(format!(
                            "{}: changed at origin; its listing was replaced",
                            view.name_of(id)
                        ));
                        view.replaced(id);
                    }
                }
                // Origin's trouble; what is local goes on.
                Err(error) => tracing::warn!(%error, "freshness could not be checked"),
            }
        });
    }

    /// Serves a variant from where its definition says it lies, if that is another place than
    /// before: the same index may mean other requirements after a release was repaired in place.
    async fn follow(self: &Arc<Self>, registration: RegistrationId) -> bool {
        let found = {
            let mut registry = self.registry.lock();
            let id = registry.of_registration(registration);
            let slot = id.and_then(|id| registry.slot(id));
            let served = slot.filter(|slot| slot.payload == Payload::Served);
            id.zip(served.and_then(|slot| Some((slot.handle.clone()?, slot.root.clone()?))))
        };
        let Some((id, (handle, root))) = found else { return false };
        let uri = handle.uri();
        let Some(moved) = self.moved(Some(handle), &root).await else { return false };
        let told = format!("{uri}: its definition now says that it lies in {}", moved.display());
        match self.serve_from(id, registration, moved).await {
            Ok(()) => self.problems.tell(told),
            Err(error) => tracing::warn!(%error, "{told}"),
        }
        true
    }

    /// A file of this listing was not what the listing says.
    pub(crate) fn outdated(self: &Arc<Self>, directory: DirectoryId) {
        let Ok(directory) = self.payloads.by_id(directory) else { return };
        let served = {
            let mut registry = self.registry.lock();
            let slot = registry.of_registration(directory.registration);
            slot.and_then(|id| registry.slot(id)).is_some_and(|s| s.payload == Payload::Served)
        };
        if served {
            self.check_later(directory.registration);
        }
    }

    pub(crate) fn name_of(&self, id: SlotId) -> String {
        let registry = self.registry.lock();
        let handle = registry.slot(id).and_then(|slot| slot.handle.as_ref());
        handle.map(|handle| handle.uri()).unwrap_or_default()
    }

    /// Waits until nothing is under way and everything is durable.
    pub async fn settle(&self) {
        self.profiles.end().await;
        self.hydration.settle().await;
        self.recency.write(&self.store).await;
    }
}

fn told(problems: &Problems, rebuilt: &Rebuilt) {
    problems.tell(format!("the database of the store was damaged: {rebuilt}"));
}
