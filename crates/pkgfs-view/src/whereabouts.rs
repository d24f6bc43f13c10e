//! Where the repositories lie: those that are known, and those that rez looks in and that were not
//! there yet.
//!
//! A missing one is looked for again by the first who asks after the time for which answers of origin
//! are believed. Once it is there it counts as any other, at its place in rez's order; it is not
//! forgotten should it vanish.

use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use pkgfs_origin::{Origin, OriginError};

use crate::asked::Asked;

/// A repository that look-ups are answered from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum RepositoryPlace {
    /// Its location as rez names it: absolute, links resolved.
    Known(PathBuf),
    /// No directory was there; the path as it is set.
    Missing(PathBuf),
}

pub(crate) struct Whereabouts {
    origin: Origin,
    /// The repository of local builds, which is none of these wherever it turns up.
    local: PathBuf,
    /// The real paths of those that were missing.
    found: Asked<PathBuf, Option<PathBuf>>,
    places: Mutex<Vec<RepositoryPlace>>,
}

impl Whereabouts {
    pub(crate) fn new(
        origin: Origin,
        local: PathBuf,
        places: Vec<RepositoryPlace>,
        valid: std::time::Duration,
    ) -> Self {
        Self { origin, local, found: Asked::new(valid), places: Mutex::new(places) }
    }

    /// The locations of all that are there, in rez's order.
    pub(crate) async fn all(&self) -> Result<Vec<PathBuf>, OriginError> {
        for path in self.missing() {
            let look = async || self.origin.real_directory(&path).await;
            if let Some(real) = self.found.get(path.clone(), look).await? {
                // Its path may lead elsewhere now than when it was missing itself.
                let local = self.origin.canonical(&self.local).await;
                self.settle(&path, real, &local.unwrap_or_else(|_| self.local.clone()));
            }
        }
        Ok(self.known())
    }

    /// The locations that are known, without a question.
    pub(crate) fn known(&self) -> Vec<PathBuf> {
        self.of(|place| match place {
            RepositoryPlace::Known(path) => Some(path.clone()),
            RepositoryPlace::Missing(_) => None,
        })
    }

    /// The paths that led to nothing when they were last looked at.
    pub(crate) fn missing(&self) -> Vec<PathBuf> {
        self.of(|place| match place {
            RepositoryPlace::Known(_) => None,
            RepositoryPlace::Missing(path) => Some(path.clone()),
        })
    }

    /// Forgets what origin said of those that are missing.
    pub(crate) fn forget(&self) {
        self.found.forget();
    }

    fn of(&self, what: impl Fn(&RepositoryPlace) -> Option<PathBuf>) -> Vec<PathBuf> {
        self.places.lock().iter().filter_map(what).collect()
    }

    /// A path that was missing leads to this directory now.
    fn settle(&self, path: &Path, real: PathBuf, local: &Path) {
        let mut places = self.places.lock();
        let missing = RepositoryPlace::Missing(path.to_owned());
        let Some(at) = places.iter().position(|place| *place == missing) else { return };
        let known = RepositoryPlace::Known(real);
        if known == RepositoryPlace::Known(local.to_owned()) || places.contains(&known) {
            places.remove(at);
        } else {
            tracing::info!(path = %path.display(), "a repository that was missing is there");
            places[at] = known;
        }
    }
}
