//! How variants come into the view, and how they go.
//!
//! Two ways in without patching rez: a look-up of `<name>/<version>/<h4>`, and a handle
//! written to `.sys/pending`. Both end in [`View::register`], which holds rez's lock
//! out, so that no registration falls between two steps of a rez that is adding the
//! same variant. What rez removed stays away: look-ups do not bring it back until rez
//! asks for it anew or its tombstone's time has passed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use pkgfs_rez::{Refusal, VariantHandle};
use pkgfs_store::{NewRegistration, RegistrationState};

use crate::{
    Keep, View, ViewError,
    lock::Held,
    node::{Node, SlotId},
    registry::{LevelPath, Mark, Payload, Slot},
    repositories::{Candidate, NotOffered},
    view::blocking,
};

/// How long a close in `.sys/pending` waits for its registration.
const LONGEST_CLOSE: Duration = Duration::from_secs(5);

/// Why a variant was not registered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRegistered {
    #[error(transparent)]
    NotOffered(#[from] NotOffered),
    #[error("rez's lock is held by another process; try again")]
    Locked,
    #[error(transparent)]
    Store(#[from] pkgfs_store::StoreError),
    #[error(
        "{0}: repository not configured; a shared mount serves only those its administrator named"
    )]
    NotNamed(String),
}

impl From<Held> for NotRegistered {
    fn from(_: Held) -> Self {
        Self::Locked
    }
}

impl View {
    /// Whether some repository has a directory there. That storage does not say is told: who looked
    /// for it may be anybody.
    async fn have(&self, below: &Path) -> Result<bool, ViewError> {
        let there = self.repositories.have(below).await;
        Ok(there.inspect_err(|error| self.problems.tell(error.to_string()))?)
    }

    /// Registers what a look-up of this directory asks for. `Ok(true)`: it is there.
    pub(crate) async fn offer_level(
        self: &Arc<Self>,
        path: &LevelPath,
        pid: u32,
    ) -> Result<bool, ViewError> {
        if !self.settings.on_lookup || !pkgfs_rez::names::is_valid_package_name(&path.name) {
            return Ok(false);
        }
        let Some(version) = &path.version else {
            return self.have(path.name.as_ref().as_ref()).await;
        };
        if !pkgfs_rez::names::is_valid_version_dir(version)
            && **version != *pkgfs_rez::names::NO_VERSION
        {
            return Ok(false);
        }
        let Some(h4) = &path.h4 else {
            let below = if **version == *pkgfs_rez::names::NO_VERSION {
                PathBuf::from(&*path.name)
            } else {
                PathBuf::from(&*path.name).join(&**version)
            };
            return self.have(&below).await;
        };
        if !pkgfs_rez::layout::is_h4(h4) {
            return Ok(false);
        }
        let asked = self.repositories.variants(&path.name, version, h4).await;
        let (variants, not_offered) =
            asked.inspect_err(|error| self.problems.tell(error.to_string()))?;
        not_offered.iter().for_each(|reason| self.problems.tell(reason.to_string()));
        let mut registered = false;
        for handle in variants {
            if self.tombstones.covers(&handle.to_json()) {
                continue;
            }
            match self.take_in(handle, pid, false).await {
                Ok(_) => registered = true,
                Err(NotRegistered::NotOffered(NotOffered::Origin(error))) => {
                    self.problems.tell(error.to_string());
                    return Err(error.into());
                }
                // Most packages of most studios: nothing is wrong with them.
                Err(NotRegistered::NotOffered(NotOffered::Refused {
                    refusal: Refusal::NotCachable,
                    uri,
                })) => tracing::debug!(uri, "not cachable"),
                Err(reason) => self.problems.tell(reason.to_string()),
            }
        }
        Ok(registered)
    }

    /// A handle was written to `.sys/pending`: what rez asks for is registered before
    /// its close returns. Whatever stands in the way, rez copies by itself.
    pub(crate) async fn offer_pending(self: &Arc<Self>, text: &[u8], pid: u32) {
        if !self.settings.on_pending {
            return;
        }
        let handle = match pkgfs_rez::registration::parse_pending(text) {
            Ok(handle) => handle,
            Err(error) => return self.problems.tell(format!(".sys/pending: {error}")),
        };
        self.repositories.ask_anew(&handle);
        let view = Arc::clone(self);
        let taking_in = tokio::spawn(async move {
            match view.take_in(handle, pid, true).await {
                // Who closes it lists the directory next.
                Ok(_) => view.notices.delivered().await,
                Err(reason) => view.problems.tell(reason.to_string()),
            }
        });
        // A close cannot be interrupted: with origin in trouble the writer goes on, and
        // the registration follows when origin answers.
        let _ = tokio::time::timeout(LONGEST_CLOSE, taking_in).await;
    }

    pub(crate) async fn take_in(
        self: &Arc<Self>,
        handle: VariantHandle,
        pid: u32,
        by_handle: bool,
    ) -> Result<SlotId, NotRegistered> {
        if by_handle && self.settings.shared {
            let named = self.repositories.locations().await.map_err(NotOffered::from)?;
            let own = self.settings.locations.at_canonical(&handle).location;
            if !named.iter().any(|location| location.as_os_str() == own.as_str()) {
                return Err(NotRegistered::NotNamed(handle.location));
            }
        }
        let known = self.registry.lock().of_handle(&handle.to_json())?;
        if let Some(id) = known {
            // rez's own copy may be under way; one that stalled is healed by look-ups.
            return Ok(id);
        }
        let candidate = self.repositories.candidate(handle).await?;
        self.register(candidate, pid).await
    }

    /// Registers a variant, linear with rez's lock, durable when it returns.
    async fn register(
        self: &Arc<Self>,
        candidate: Candidate,
        pid: u32,
    ) -> Result<SlotId, NotRegistered> {
        let _guard = self.lock.exclusive(pid).await?;
        let Candidate { handle, root, root_attributes } = candidate;
        let key = handle.to_json();
        let path = LevelPath::of_handle(&handle);
        let stem = {
            let mut registry = self.registry.lock();
            if let Some(id) = registry.of_handle(&key)? {
                return Ok(id);
            }
            let slots = registry.slots_in(&path)?;
            let names: Vec<_> = slots
                .iter()
                .map(|(_, slot)| pkgfs_rez::layout::registration_name(&slot.stem))
                .collect();
            pkgfs_rez::layout::next_stem_of(names.iter().map(String::as_str))
        };
        let json = pkgfs_rez::registration::encode(&handle);
        let new = NewRegistration {
            name: handle.name.clone(),
            version_dir: handle.version_dir().to_owned(),
            h4: handle.h4(),
            stem,
            handle_key: key.clone(),
            json,
            repository: PathBuf::from(&handle.location),
            root: Some(root),
            state: RegistrationState::Served,
        };
        let store = Arc::clone(&self.store);
        let known = self.room.fit(move || store.register(new.clone())).await?;
        self.tombstones.lift(&key);
        tracing::info!(variant = %handle.uri(), stem = %known.stem, "registered");
        let mut registry = self.registry.lock();
        let id = registry.load(known, handle)?;
        if let Some(mut slot) = registry.slot_mut(id) {
            // Nothing is known of its tree yet that could be outdated.
            slot.checked = Some(Instant::now());
            slot.root_attributes = Some(root_attributes);
        }
        Ok(id)
    }

    /// Forgets a registration: durable when it returns.
    pub(crate) async fn unregister(&self, id: SlotId, tombstone: bool) -> Result<(), ViewError> {
        let (registration, handle) = {
            let mut registry = self.registry.lock();
            let Some(slot) = registry.slot(id) else { return Ok(()) };
            let known = (slot.registration, slot.handle.clone());
            registry.unindex(id);
            known
        };
        let Some(registration) = registration else { return Ok(()) };
        if tombstone && let Some(handle) = &handle {
            self.tombstones.set(handle.to_json());
            tracing::info!(variant = %handle.uri(), "removed");
        }
        self.payloads.forget(registration);
        self.foresight.forget(registration);
        self.profiles.ahead.forget(registration);
        let store = Arc::clone(&self.store);
        blocking(move || store.unregister(registration, tombstone)).await?;
        self.open_blobs.close();
        Ok(())
    }

    /// rez's own copy of a variant has stalled (its mark is not touched any more): if
    /// the variant may be served, serve it from origin instead.
    pub(crate) async fn heal(self: &Arc<Self>, id: SlotId, pid: u32) {
        let stalled = {
            let registry = self.registry.lock();
            registry.slot(id).filter(|slot| self.is_stalled(slot)).and_then(|s| s.handle.clone())
        };
        let Some(handle) = stalled else { return };
        if !self.settings.on_lookup && !self.settings.on_pending {
            return;
        }
        let uri = handle.uri();
        let candidate = match self.repositories.candidate(handle).await {
            Ok(candidate) => candidate,
            Err(reason) => return self.problems.tell(reason.to_string()),
        };
        let Ok(_guard) = self.lock.exclusive(pid).await else { return };
        // rez may have gone on meanwhile, or removed it.
        let registration = {
            let registry = self.registry.lock();
            registry.slot(id).filter(|slot| self.is_stalled(slot)).and_then(|s| s.registration)
        };
        let Some(registration) = registration else { return };
        let store = Arc::clone(&self.store);
        let root = candidate.root.clone();
        let served = blocking(move || {
            store.set_root(registration, &root)?;
            store.set_state(registration, RegistrationState::Served)
        })
        .await;
        if let Err(error) = served {
            return self.problems.tell(error.to_string());
        }
        let level = {
            let mut registry = self.registry.lock();
            let Some(mut slot) = registry.slot_mut(id) else { return };
            slot.copying = None;
            slot.payload = Payload::Served;
            slot.root = Some(candidate.root);
            slot.root_attributes = Some(candidate.root_attributes);
            (slot.level, slot.stem.clone())
        };
        self.notices.name(Node::Level(level.0).into(), level.1.as_bytes());
        self.discard_staging(registration);
        tracing::warn!(variant = %uri, "rez's copy had stalled; served from origin instead");
    }

    /// A copy is stalled when its mark has not been touched for as long as rez itself
    /// allows (`PackageCache._COPYING_TIME_MAX`).
    pub(crate) fn is_stalled(&self, slot: &Slot) -> bool {
        const LONGEST_PAUSE: Duration = Duration::from_secs(5);
        let copying = matches!(slot.payload, Payload::Absent | Payload::Staging);
        let Some(Mark { touched, .. }) = &slot.copying else { return false };
        let paused = touched.is_none_or(|at| at.elapsed() > LONGEST_PAUSE);
        copying && slot.registration.is_some() && paused
    }

    /// How long the name of a registry directory may be believed.
    pub(crate) fn keep_level(&self, path: &LevelPath) -> Result<Keep, ViewError> {
        let there = self.registry.lock().has_level(path)?;
        Ok(if there { Keep::Lasting } else { Keep::Never })
    }
}
