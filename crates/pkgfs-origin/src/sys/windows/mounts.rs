//! Drives and shares, by how a path begins. No question is asked of any.
//!
//! A drive that stands for a share, and the share, are two here: one that is silent is found so by
//! either name.

use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::paths::plain;

/// What there was when it was looked at: nothing needs to be known.
#[derive(Debug)]
pub(crate) struct Mounts;

impl Mounts {
    pub(crate) fn look() -> Self {
        Self
    }

    /// The drive or share that holds this path.
    pub(crate) fn of(&self, path: &Path) -> Arc<Path> {
        let path = plain(path);
        let first = path.components().next();
        let prefix = first.filter(|part| matches!(part, Component::Prefix(_)));
        let prefix = prefix.map(|part| part.as_os_str().to_string_lossy().to_lowercase());
        PathBuf::from(prefix.unwrap_or_default()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_its_drive_or_share() {
        for (path, place) in [
            (r"C:\sw\pkg", "c:"),
            (r"c:", "c:"),
            (r"\\?\C:\sw", "c:"),
            (r"\\Server\Share\sw\pkg", r"\\server\share"),
            (r"\\?\UNC\server\share\x", r"\\server\share"),
            (r"\\server\share2\x", r"\\server\share2"),
            ("relative", ""),
        ] {
            assert_eq!(&*Mounts::look().of(Path::new(path)), Path::new(place), "{path}");
        }
    }
}
