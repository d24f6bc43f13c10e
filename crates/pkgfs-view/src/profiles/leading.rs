//! Following a profile: its directories are listed from the root down, each as soon as the one
//! above is known, and its files fetched in the order in which they are touched.
//!
//! Who waits for a file comes first: he joins the fetch that is under way, or makes his own, for
//! which origin has threads left.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::{BoxFuture, join_all};
use pkgfs_manifest::Kind;
use pkgfs_store::{Directory, RegistrationId};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    ahead::Unread,
    record::{Item, Record},
    run::{Run, Wish},
};
use crate::{
    View,
    hydration::Need,
    payload::{Origination, Payloads},
    registry::Payload,
};

/// What is in a directory of a profile.
struct Folder {
    /// When the first file in it, or below it, is touched.
    first: u32,
    files: Vec<Item>,
    below: BTreeMap<Box<[u8]>, Folder>,
}

impl Default for Folder {
    fn default() -> Self {
        Self { first: u32::MAX, files: Vec::new(), below: BTreeMap::new() }
    }
}

impl View {
    /// Fetches what a record holds of a variant, ahead of a launch.
    pub(super) fn lead(
        self: &Arc<Self>,
        run: &Arc<Run>,
        registration: RegistrationId,
        record: &Record,
    ) {
        let source = {
            let mut registry = self.registry.lock();
            let slot = registry.of_registration(registration).and_then(|id| registry.slot(id));
            slot.filter(|slot| slot.payload == Payload::Served).and_then(|slot| slot.root.clone())
        };
        let Some(source) = source else { return };
        let mut folder = Folder::default();
        record.items().iter().for_each(|item| folder.add(item.clone()));
        let root =
            Origination { registration, path: Box::default(), anchor: source.clone(), source };
        tokio::spawn(Arc::clone(self).enter(Arc::clone(run), folder, root));
    }

    /// Lists a directory of a profile, and wishes for what is in it and below it.
    fn enter(
        self: Arc<Self>,
        run: Arc<Run>,
        folder: Folder,
        place: Origination,
    ) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let Some(directory) = self.list_profiled(&run, place).await else { return };
            let entries = directory.listing.entries();
            let local = self.store.contents(directory.id).unwrap_or_default();
            for item in folder.files {
                let Some(index) = directory.listing.find(item.name()) else { continue };
                let size = entries[index].attributes.size;
                let is_local = local.binary_search_by_key(&(index as u32), |(at, _)| *at).is_ok();
                // One of another size is not what was learnt: it is left to its readers.
                if entries[index].kind == Kind::File && size == item.size && size > 0 && !is_local {
                    let directory = Arc::clone(&directory);
                    run.wish(Wish { rank: item.rank, directory, index, spans: item.spans });
                }
            }
            let mut folders: Vec<_> = folder.below.into_iter().collect();
            folders.sort_by_key(|(_, below)| below.first);
            for (name, below) in folders {
                let index = directory.listing.find(&name);
                if let Some(Ok(place)) = index.map(|index| Payloads::below(&directory, index)) {
                    tokio::spawn(Arc::clone(&self).enter(Arc::clone(&run), below, place));
                }
            }
        })
    }

    async fn list_profiled(&self, run: &Run, place: Origination) -> Option<Arc<Directory>> {
        if let Ok(Some(known)) = self.payloads.known(place.registration, &place.path) {
            return Some(known);
        }
        let _turn = self.profiles.ahead.directories.acquire().await.ok()?;
        if !run.may_list() {
            return None;
        }
        let listed = self.payloads.directory_unasked(place).await;
        listed.inspect_err(|error| run.failed(error)).ok()
    }

    /// Whether nobody has fetched, or fetches, this file.
    pub(super) fn is_needed(&self, wish: &Wish) -> bool {
        let file = wish.key();
        !self.hydration.is_known(file) && matches!(self.store.content(file), Ok(None))
    }

    /// Fetches a file, and gives its turn back when what is read first is there.
    pub(super) async fn fetch_profiled(
        self: &Arc<Self>,
        run: &Arc<Run>,
        wish: &Wish,
        turn: OwnedSemaphorePermit,
    ) {
        let wanted = Payloads::wanted(&wish.directory, wish.index);
        let registration = wish.directory.registration;
        let unread = Unread { registration, size: wish.size(), run: Arc::downgrade(run) };
        self.profiles.ahead.fetching(wanted.key, unread);
        self.hydration.room().await;
        let fetched = async {
            let parts = !wish.spans.is_empty();
            let need = if parts { Need::LikelyParts } else { Need::Likely };
            let flight = self.fetch(&wanted, need)?;
            if flight.is_asked() {
                // Somebody was there first.
                self.profiles.ahead.settle(wanted.key, true);
            }
            if parts {
                let reached = wish.spans.iter().map(|span| flight.foresee(span.clone()));
                // The rest is not waited for.
                join_all(reached).await.into_iter().try_for_each(|reached| reached.map(drop))
            } else {
                flight.outcome().await
            }
        };
        let fetched = fetched.await;
        drop(turn);
        if let Err(error) = fetched {
            self.profiles.ahead.settle(wanted.key, true);
            run.failed(&error);
        }
    }
}

impl Folder {
    fn add(&mut self, item: Item) {
        let path = item.path.clone();
        let mut parts: Vec<_> = path.split(|byte| *byte == b'/').collect();
        parts.pop();
        let mut into = self;
        for part in parts {
            into = into.below.entry(part.into()).or_default();
            into.first = into.first.min(item.rank);
        }
        into.files.push(item);
    }
}
