//! Looking for definitions.
//!
//! Each look is one `stat` of a name relative to an open directory, version included: one operation
//! of shared storage where the version's own name came with the listing. Listing the version's
//! directory would cost as much, and more where a payload lies beside the definition.

use std::ffi::{CStr, CString};

use pkgfs_rez::{
    Format,
    repository::{FORMATS, Kind, PACKAGE},
};
use serde::{Deserialize, Serialize};

use crate::{
    Rules,
    directory::{self, Entry, is_file},
    sys::{Dir, Errno, is_same_name},
};

/// The names of definition files, in the order in which they count.
pub(crate) struct Definitions {
    files: Vec<File>,
    /// Names that decide whether a version is one.
    package: Vec<CString>,
    includes_package: bool,
}

/// A name that a definition may have.
pub(crate) struct File {
    pub(crate) name: CString,
    pub(crate) format: Format,
    is_package: bool,
}

/// A definition: the place of its name among those that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Which(u16);

/// What a version's directory holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Its definition.
    pub(crate) definition: Option<Which>,
    /// Whether one named [`PACKAGE`] is there, if that was asked.
    pub(crate) package: bool,
}

/// A path that is put together for one look after another.
#[derive(Default)]
pub(crate) struct Scratch(Vec<u8>);

impl Scratch {
    fn join(&mut self, directory: &CStr, file: &CStr) -> &CStr {
        self.0.clear();
        self.0.extend_from_slice(directory.to_bytes());
        self.0.push(b'/');
        self.0.extend_from_slice(file.to_bytes_with_nul());
        // Both parts came without a NUL, so the only one is at the end.
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

impl Definitions {
    pub(crate) fn new(rules: &Rules) -> Self {
        let of = |stem: &str| {
            let is_package = stem == PACKAGE;
            let file = |format: Format| {
                let name = CString::new(format!("{stem}.{}", format.extension())).ok()?;
                Some(File { name, format, is_package })
            };
            FORMATS.into_iter().filter_map(file).collect::<Vec<_>>()
        };
        let mut files: Vec<File> =
            rules.package_filenames.iter().flat_map(|stem| of(stem)).collect();
        files.truncate(usize::from(u16::MAX));
        let includes_package = files.iter().any(|file| file.is_package);
        let package = of(PACKAGE).into_iter().map(|file| file.name).collect();
        Self { files, package, includes_package }
    }

    pub(crate) fn file(&self, which: Which) -> Option<&File> {
        self.files.get(usize::from(which.0))
    }

    /// Whether a definition may have this name.
    pub(crate) fn has_file(&self, name: &CStr) -> bool {
        self.files.iter().any(|file| is_same_name(&file.name, name))
    }

    /// What the directory `name` holds.
    pub(crate) fn look(
        &self,
        at: &Dir,
        name: &CStr,
        needs_package: bool,
        scratch: &mut Scratch,
    ) -> Result<Found, Errno> {
        let definition = self.definition_in(at, name, scratch)?;
        let package = match definition {
            _ if !needs_package => false,
            Some(which) if self.file(which).is_some_and(|file| file.is_package) => true,
            None if self.includes_package => false,
            _ => any(&self.package, |file| is_file(at, scratch.join(name, file)))?,
        };
        Ok(Found { definition, package })
    }

    /// The definition in the directory `name`.
    pub(crate) fn definition_in(
        &self,
        at: &Dir,
        name: &CStr,
        scratch: &mut Scratch,
    ) -> Result<Option<Which>, Errno> {
        self.first(|file| is_file(at, scratch.join(name, file)))
    }

    /// The definition among the entries of a directory, and whether it will be there as long as the
    /// directory does not change.
    pub(crate) fn among(
        &self,
        at: &Dir,
        entries: &[Entry],
    ) -> Result<(Option<Which>, bool), Errno> {
        let mut settled = true;
        let definition = self.first(|file| {
            if file.to_bytes().contains(&b'/') {
                settled = false;
                return is_file(at, file);
            }
            let Some(entry) = entries.iter().find(|entry| is_same_name(&entry.name, file)) else {
                return Ok(false);
            };
            settled &= directory::is_settled(entry);
            Ok(directory::kind(at, entry)? == Kind::File)
        })?;
        Ok((definition, settled))
    }

    fn first(
        &self,
        mut is_there: impl FnMut(&CStr) -> Result<bool, Errno>,
    ) -> Result<Option<Which>, Errno> {
        for (place, file) in (0..).zip(&self.files) {
            if is_there(&file.name)? {
                return Ok(Some(Which(place)));
            }
        }
        Ok(None)
    }
}

fn any(
    names: &[CString],
    mut is_there: impl FnMut(&CStr) -> Result<bool, Errno>,
) -> Result<bool, Errno> {
    for name in names {
        if is_there(name)? {
            return Ok(true);
        }
    }
    Ok(false)
}
