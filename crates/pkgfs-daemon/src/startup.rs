//! From settings to a view: the store is locked, origin's worker started, rez asked.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use pkgfs_origin::{Origin, OriginError, OriginSettings};
use pkgfs_rez::{Locations, RezSettings};
use pkgfs_rez_worker::{RezWorker, RezWorkerSettings};
use pkgfs_store::{Store, StoreError, Turnable};
use pkgfs_view::{
    ProfileSettings, RepositoryPlace, ScrubSettings, StoreLimits, Succession, View, ViewSettings,
};
use serde::{Deserialize, Serialize};

use crate::{DaemonError, Settings, rez_settings, sys};

/// A view and what it works with.
pub(crate) struct Opened {
    pub(crate) view: Arc<View>,
    pub(crate) rez_worker: Option<RezWorker>,
}

/// What was found out about rez and about storage when the store was mounted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Surroundings {
    rez: RezSettings,
    repositories: Vec<RepositoryPlace>,
    /// What had to be said about it, one line each.
    pub(crate) notes: Vec<String>,
}

/// Why no store may be at this path, if it leads through another user's link: for who is about to
/// follow links. All else is for [`Store::open`] to tell.
#[must_use]
pub fn turnable(store: &Path) -> Option<DaemonError> {
    let path = store.to_owned();
    match pkgfs_store::turnable(store) {
        Ok(Some(turnable @ Turnable::Link { .. })) => {
            Some(StoreError::Turnable { path, turnable }.into())
        }
        _ => None,
    }
}

/// Starts what reads shared storage.
pub(crate) fn start_origin(settings: &Settings) -> Result<Origin, DaemonError> {
    Ok(Origin::start(origin_settings(settings))?)
}

fn origin_settings(settings: &Settings) -> OriginSettings {
    OriginSettings {
        parallel: settings.origin.parallel,
        deadline: Duration::from_secs(settings.origin.deadline_seconds),
        keep_acls: settings.origin.keep_acls,
        ..OriginSettings::default()
    }
}

/// Asks rez and storage what there is to know before a store is mounted.
pub(crate) async fn look_around(
    settings: &Settings,
    origin: &Origin,
) -> Result<Surroundings, DaemonError> {
    let (rez, named) =
        tokio::join!(rez_settings::read(&settings.rez), repositories(origin, settings));
    let (mut rez, note) = rez;
    let (mut repositories, mut notes) = named?;
    notes.extend(note);
    // Handles hold real paths, so what they are compared with must be one too.
    let local = rez.local_packages_path.clone();
    if let Ok(real) = origin.canonical(local.as_ref()).await {
        rez.local_packages_path = real.to_string_lossy().into_owned();
    }
    if settings.repositories.is_empty() {
        repositories = repositories_of(origin, &rez, &local).await;
    }
    Ok(Surroundings { rez, repositories, notes })
}

/// Opens the view of a store that this process has locked.
pub(crate) fn open(
    settings: &Settings,
    surroundings: Surroundings,
    store: Arc<Store>,
    origin: Origin,
    succession: Option<Succession>,
) -> Result<Opened, DaemonError> {
    let Surroundings { rez, repositories, .. } = surroundings;
    let rez_worker = rez_settings::python_command(&settings.rez).map(|command| {
        let deadline = Duration::from_secs(settings.rez.definition_deadline_seconds);
        RezWorker::new(RezWorkerSettings { command, deadline })
    });
    let seconds = Duration::from_secs;
    let megabytes = |number: u64| number.saturating_mul(1 << 20);
    let room = &settings.room;
    let limits = StoreLimits {
        quota: (room.quota_megabytes > 0).then(|| megabytes(room.quota_megabytes)),
        floor: room.free_megabytes.map_or(rez.package_cache_space_buffer, megabytes),
    };
    let view = View::open(
        store,
        origin,
        ViewSettings {
            repositories,
            locations: Locations::new(&settings.locations),
            rez,
            rez_worker: rez_worker.clone(),
            on_lookup: settings.registration.on_lookup,
            on_pending: settings.registration.on_pending,
            believe: seconds(settings.registration.miss_seconds),
            tombstone: seconds(settings.registration.tombstone_days.saturating_mul(86_400)),
            freshness: seconds(settings.freshness_minutes.saturating_mul(60)),
            rest_of_large_files: settings.origin.rest_of_large_files.into(),
            limits,
            scrub: ScrubSettings {
                bytes_per_second: megabytes(settings.scrub.megabytes_per_second),
                every: seconds(settings.scrub.days.saturating_mul(86_400)),
                delay: seconds(settings.scrub.delay_seconds),
            },
            profiles: ProfileSettings {
                learn: settings.profiles.learn,
                ahead_bytes: settings.profiles.ahead_megabytes.saturating_mul(1 << 20),
                ahead_files: settings.profiles.ahead_files,
            },
            owner: sys::owner(),
            shared: settings.allow_other,
        },
        succession,
    )?;
    Ok(Opened { view, rez_worker })
}

/// Where rez itself looks for packages, less the local builds, which are never served. What
/// does not exist, or is no directory, is missing: rez passes it over until it is there.
/// `local` is the path of local builds as it is set; that in `rez` must be real.
async fn repositories_of(origin: &Origin, rez: &RezSettings, local: &str) -> Vec<RepositoryPlace> {
    let mut places = Vec::new();
    for path in rez.packages_path.iter().map(PathBuf::from) {
        let place = match origin.real_directory(&path).await {
            Ok(Some(real)) => RepositoryPlace::Known(real),
            // Other kinds of repositories are no paths.
            Ok(None) if !path.is_absolute() => continue,
            Ok(None) => RepositoryPlace::Missing(path),
            // Storage that does not answer is no reason to leave it out.
            Err(_) => RepositoryPlace::Known(path),
        };
        let (RepositoryPlace::Known(at) | RepositoryPlace::Missing(at)) = &place;
        let is_local = [local, &rez.local_packages_path].iter().any(|local| at == Path::new(local));
        if !is_local && !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// The repositories by their real paths. Storage that does not answer is no reason not
/// to mount (what is local is to be served); storage that denies one's existence is.
async fn repositories(
    origin: &Origin,
    settings: &Settings,
) -> Result<(Vec<RepositoryPlace>, Vec<String>), DaemonError> {
    let mut real = Vec::new();
    let mut notes = Vec::new();
    for path in &settings.repositories {
        let found = match origin.canonical(path).await {
            Ok(path) => origin.stat(&path).await.map(|stat| (path, stat)),
            Err(error) => Err(error),
        };
        match found {
            Ok((path, stat)) if stat.is_dir() => real.push(path),
            Ok(_) | Err(OriginError::NotADirectory { .. }) => {
                return Err(DaemonError::RepositoryNotADirectory { path: path.clone() });
            }
            Err(OriginError::NotFound { .. }) => {
                return Err(DaemonError::NoRepository { path: path.clone() });
            }
            Err(error) => {
                notes.push(format!("{error}; what is local is served meanwhile"));
                real.push(path.clone());
            }
        }
    }
    real.dedup();
    Ok((real.into_iter().map(RepositoryPlace::Known).collect(), notes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_of_origin_reaches_it() {
        let mut settings = Settings::default();
        assert!(!origin_settings(&settings).keep_acls);
        settings.origin.keep_acls = true;
        settings.origin.parallel = 3;
        settings.origin.deadline_seconds = 7;
        let origin = origin_settings(&settings);
        assert!(origin.keep_acls);
        assert_eq!((origin.parallel, origin.deadline), (3, Duration::from_secs(7)));
    }
}
