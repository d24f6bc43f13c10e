//! The root of a repository: which of its entries may be families.

use std::{
    ffi::CString,
    path::{Path, PathBuf},
};

use pkgfs_rez::{
    Format,
    repository::{self as rez, Kind},
};

use crate::{
    Part, Problem, Rules,
    directory::{self, Entry},
    sys::{self, Buffer, Dir, Errno},
};

/// A repository whose root was listed.
pub(crate) struct Root {
    /// rez's location: the real path.
    pub(crate) path: PathBuf,
    pub(crate) dir: Dir,
    /// In the order of the listing, which is rez's.
    pub(crate) candidates: Vec<Candidate>,
}

/// An entry that may be a family.
pub(crate) struct Candidate {
    pub(crate) name: CString,
    /// The family that a directory of this name is,
    pub(crate) as_directory: Option<String>,
    /// and the combined one that anything else is.
    pub(crate) as_combined: Option<(String, Format)>,
    /// What it is, unless it is a link.
    pub(crate) kind: Option<Kind>,
}

impl Root {
    /// Opens and lists a repository.
    pub(crate) fn open(given: &Path, rules: &Rules, buffer: &mut Buffer) -> Result<Self, Problem> {
        let failed = |errno| Problem::new(given.to_owned(), Part::Repository, errno);
        let from_io =
            |error: std::io::Error| failed(Errno::from_io_error(&error).unwrap_or(Errno::IO));
        let path = sys::location(given).map_err(from_io)?;
        let dir = sys::open_path(&path).map_err(failed)?;
        let entries = sys::list(&dir, buffer).map_err(failed)?;
        let mut candidates = Vec::with_capacity(entries.len());
        for mut entry in entries {
            let name = entry.name.to_bytes();
            let as_directory = rez::directory_family(name).map(ToOwned::to_owned);
            let as_combined = rez::combined_family(name);
            let as_combined = as_combined.map(|(family, format)| (family.to_owned(), format));
            if name == rez::SETTINGS_FILE || (as_directory.is_none() && as_combined.is_none()) {
                continue;
            }
            sys::resolve(&dir, &mut entry).map_err(failed)?;
            if is_lock_directory(&dir, &entry, rules).map_err(failed)? {
                continue;
            }
            let settled = directory::is_settled(&entry);
            let kind = settled.then_some(directory::kind_of(entry.listed));
            candidates.push(Candidate { name: entry.name, as_directory, as_combined, kind });
        }
        Ok(Self { path, dir, candidates })
    }

    /// Whether the repository is still where it was, and if not, how that shows.
    pub(crate) fn is_in_place(&self) -> Result<(), Errno> {
        match (sys::stat(&self.dir), sys::stat_path(&self.path)) {
            (Ok(read), Ok(now)) if read.identity.is_same(&now.identity) => Ok(()),
            (Ok(_), Ok(_)) | (_, Err(Errno::NOENT | Errno::NOTDIR)) => Err(Errno::STALE),
            (Err(errno), _) | (_, Err(errno)) => Err(errno),
        }
    }
}

/// `file_lock_dir`: the name that is set, if it leads to anything.
fn is_lock_directory(root: &Dir, entry: &Entry, rules: &Rules) -> Result<bool, Errno> {
    let set = rules.file_lock_dir.as_deref().unwrap_or_default();
    Ok(entry.name.to_bytes() == set.as_bytes()
        && (directory::is_settled(entry) || sys::look(root, &entry.name)?.is_some()))
}
