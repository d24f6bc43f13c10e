//! The setting `mode` in FUSE's words.

use pkgfs_fuse::{Mode, ModeWanted};

use crate::settings::ModeKey;

impl From<ModeKey> for ModeWanted {
    fn from(key: ModeKey) -> Self {
        match key {
            ModeKey::Auto => Self::Auto,
            ModeKey::Stateless => Self::Only(Mode::Stateless),
            ModeKey::Passthrough => Self::Only(Mode::Passthrough),
            ModeKey::Cached => Self::Only(Mode::Cached),
        }
    }
}
