//! When things were last used, written to the store now and then.
//!
//! Times are data here, not file timestamps. Losing the last seconds of them in a crash
//! costs nothing, so they are collected and written in batches, not synced.

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use parking_lot::Mutex;
use pkgfs_manifest::{BlobDigest, Timestamp};
use pkgfs_store::{RegistrationId, Store};

use crate::{View, view::blocking};

/// How often what was collected is written.
const EVERY: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct Recency {
    registrations: Mutex<HashMap<RegistrationId, Timestamp>>,
    blobs: Mutex<HashMap<BlobDigest, Timestamp>>,
}

impl Recency {
    /// rez (or a user) set the time of a registration.
    pub(crate) fn touched(&self, registration: RegistrationId, at: Timestamp) {
        self.registrations.lock().insert(registration, at);
    }

    pub(crate) fn blob_used(&self, digest: BlobDigest) {
        self.blobs.lock().insert(digest, Timestamp::now());
    }

    /// Writes what was collected.
    pub(crate) async fn write(&self, store: &Arc<Store>) {
        let registrations: Vec<_> =
            mem::take(&mut *self.registrations.lock()).into_iter().collect();
        let blobs: Vec<_> = mem::take(&mut *self.blobs.lock()).into_iter().collect();
        if registrations.is_empty() && blobs.is_empty() {
            return;
        }
        let store = Arc::clone(store);
        let written = blocking(move || {
            store.touch(&registrations)?;
            store.touch_blobs(&blobs)
        });
        if let Err(error) = written.await {
            tracing::warn!(%error, "times of last use could not be written");
        }
    }
}

impl View {
    /// The payload of a registration is in use.
    pub(crate) fn used(&self, registration: RegistrationId) {
        let mut registry = self.registry.lock();
        let id = registry.of_registration(registration);
        if let Some(mut slot) = id.and_then(|id| registry.slot_mut(id)) {
            let now = Timestamp::now();
            // Once a second is enough for a time that rez reads in days.
            if slot.used.secs != now.secs {
                slot.used = now;
                self.recency.touched(registration, slot.shown_mtime());
            }
        }
    }

    /// Writes times of use for as long as the view lives.
    pub(crate) fn keep_writing_recency(self: &Arc<Self>) {
        let view = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                let Some(view) = view.upgrade() else { return };
                view.recency.write(&view.store).await;
            }
        });
    }
}
