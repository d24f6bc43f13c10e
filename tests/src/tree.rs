//! A directory tree as data: everything a reader can see of it, to be compared.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What may be seen of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Type and permissions.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
    /// Size; 0 for directories, whose size says nothing.
    pub size: u64,
    /// Modification time.
    pub modified: (i64, i64),
    /// Digest of the bytes of a file, or of a link's target.
    pub content: Option<blake3::Hash>,
    /// Extended attributes of users.
    pub attributes: BTreeMap<OsString, Vec<u8>>,
}

/// A tree: its names, and what may be seen of each. The root has the empty path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree(pub BTreeMap<PathBuf, Seen>);

impl Tree {
    /// Looks at everything below a directory, and at itself.
    ///
    /// # Errors
    /// When anything cannot be read.
    pub fn of(root: &Path) -> io::Result<Self> {
        let mut tree = BTreeMap::new();
        let mut waiting = vec![PathBuf::new()];
        while let Some(below) = waiting.pop() {
            let path = if below.as_os_str().is_empty() { root.into() } else { root.join(&below) };
            let seen = Seen::of(&path)?;
            if seen.mode & file_type::MASK == file_type::DIRECTORY {
                for name in fs::read_dir(&path)? {
                    waiting.push(below.join(name?.file_name()));
                }
            }
            tree.insert(below, seen);
        }
        Ok(Self(tree))
    }

    /// This tree as a payload shows it: without write permission, and with the root left out,
    /// whose owner and mode are the mount's own.
    #[must_use]
    pub fn as_payload(mut self) -> Self {
        self.0.remove(Path::new(""));
        for seen in self.0.values_mut() {
            if seen.mode & file_type::MASK != file_type::LINK {
                seen.mode &= !0o222;
            }
        }
        self
    }

    /// The first difference, in words.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        let names = self.0.keys().chain(other.0.keys());
        names.into_iter().find_map(|name| {
            let (here, there) = (self.0.get(name), other.0.get(name));
            (here != there).then(|| format!("{}: {here:?}, {there:?}", name.display()))
        })
    }
}

/// The types in a mode (inode(7)).
mod file_type {
    pub(super) const MASK: u32 = 0o170_000;
    pub(super) const DIRECTORY: u32 = 0o040_000;
    pub(super) const LINK: u32 = 0o120_000;
    pub(super) const FILE: u32 = 0o100_000;
}

impl Seen {
    /// Looks at one name, not following a link.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        let data = fs::symlink_metadata(path)?;
        let kind = data.mode() & file_type::MASK;
        let content = match kind {
            file_type::FILE => Some(blake3::hash(&fs::read(path)?)),
            file_type::LINK => {
                Some(blake3::hash(&fs::read_link(path)?.into_os_string().into_vec()))
            }
            _ => None,
        };
        Ok(Self {
            mode: data.mode(),
            owner: (data.uid(), data.gid()),
            size: if kind == file_type::DIRECTORY { 0 } else { data.size() },
            modified: (data.mtime(), data.mtime_nsec()),
            content,
            attributes: attributes(path)?,
        })
    }
}

fn attributes(path: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
    let mut names = Vec::with_capacity(4096);
    rustix::fs::llistxattr(path, rustix::buffer::spare_capacity(&mut names))?;
    let names = names.split(|byte| *byte == 0).filter(|name| name.starts_with(b"user."));
    names
        .map(|name| {
            let name = OsString::from_vec(name.to_vec());
            let mut value = Vec::with_capacity(4096);
            rustix::fs::lgetxattr(path, &name, rustix::buffer::spare_capacity(&mut value))?;
            Ok((name, value))
        })
        .collect()
}
