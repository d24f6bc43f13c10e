//! The directories above slots, by their paths.

use pkgfs_rez::VariantHandle;
use pkgfs_store::Registration;
use serde::{Deserialize, Serialize};

/// A registry directory, by its path below the root.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct LevelPath {
    pub name: Box<str>,
    pub version: Option<Box<str>>,
    pub h4: Option<Box<str>>,
}

impl LevelPath {
    pub(crate) fn child(&self, part: &str) -> Option<Self> {
        let mut child = self.clone();
        match (&self.version, &self.h4) {
            (None, _) => child.version = Some(part.into()),
            (Some(_), None) => child.h4 = Some(part.into()),
            (Some(_), Some(_)) => return None,
        }
        Some(child)
    }

    pub(crate) fn of_name(name: &str) -> Self {
        Self { name: name.into(), version: None, h4: None }
    }

    pub(crate) fn of_handle(handle: &VariantHandle) -> Self {
        Self {
            name: handle.name.as_str().into(),
            version: Some(handle.version_dir().into()),
            h4: Some(handle.h4().into()),
        }
    }

    pub(crate) fn of_registration(known: &Registration) -> Self {
        Self {
            name: known.name.as_str().into(),
            version: Some(known.version_dir.as_str().into()),
            h4: Some(known.h4.as_str().into()),
        }
    }

    /// The directory it lies in; `None` below the root.
    pub(crate) fn parent(&self) -> Option<Self> {
        let mut parent = self.clone();
        if parent.h4.take().is_some() || parent.version.take().is_some() {
            Some(parent)
        } else {
            None
        }
    }

    /// Its own name in its parent.
    pub(crate) fn last(&self) -> &str {
        self.h4.as_ref().or(self.version.as_ref()).unwrap_or(&self.name)
    }
}
