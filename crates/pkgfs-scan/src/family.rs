//! A family: its directory listed, its versions looked at.

use std::{
    collections::HashMap,
    ffi::{CStr, CString},
};

use pkgfs_rez::repository::{self as rez, Kind};
use serde::{Deserialize, Serialize};

use crate::{
    Rules,
    directory::{self, Entry, FileType},
    observation::{Moment, Observation},
    probe::{Definitions, Found, Scratch, Which},
    sys::{self, Buffer, Dir, Errno},
};

/// What is known of a family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Family {
    /// The directory when it was read.
    pub(crate) observation: Observation,
    /// The definition right in it.
    pub(crate) own: Option<Which>,
    /// What may be a version; empty where `own` makes the family unversioned.
    pub(crate) versions: Vec<Version>,
}

/// A directory or a link that may be a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) name: CString,
    /// What it leads to may change without a change of the family's directory.
    is_link: bool,
    /// Whether it is, or leads to, a directory.
    is_directory: bool,
    needs_package: bool,
    found: Found,
    /// Its directory before `found` was found out, where that is worth knowing.
    directory: Option<Observation>,
}

/// What it takes to look at versions.
pub(crate) struct Looking<'a> {
    pub(crate) family: &'a Dir,
    pub(crate) remote: bool,
    pub(crate) definitions: &'a Definitions,
    pub(crate) scratch: &'a mut Scratch,
}

/// A family that was listed.
pub(crate) struct Listed {
    pub(crate) dir: Dir,
    pub(crate) own: Option<Which>,
    /// To be checked: as they were known, or not looked at yet.
    pub(crate) versions: Vec<Version>,
    /// Whether all this holds as long as the directory does not change.
    pub(crate) is_settled: bool,
}

impl Version {
    /// Whether it has to be looked at although the family's directory is as it was.
    pub(crate) fn is_open(&self) -> bool {
        self.is_link
            || self.found.definition.is_none()
            || (self.needs_package && !self.found.package)
    }

    /// Looks at it anew. Where a look is dear (`remote`), the directory is remembered.
    pub(crate) fn look(&mut self, hands: &mut Looking<'_>) -> Result<(), Errno> {
        self.found = Found::default();
        self.directory = None;
        if self.is_link {
            self.is_directory = sys::look(hands.family, &self.name)?
                .is_some_and(|stat| stat.kind == FileType::Directory);
        }
        if self.is_directory {
            if hands.remote && !self.is_link {
                let identity = sys::at_hand(hands.family, &self.name);
                self.directory = identity.map(Observation::now).filter(Observation::is_reliable);
            }
            let Looking { family, definitions, scratch, .. } = hands;
            self.found = definitions.look(family, &self.name, self.needs_package, scratch)?;
        }
        Ok(())
    }

    /// Looks at it anew unless its directory is as it was.
    pub(crate) fn check(&mut self, hands: &mut Looking<'_>) -> Result<(), Errno> {
        if let (Some(was), false) = (&self.directory, self.is_open()) {
            let now = Moment::now();
            let stat = sys::look(hands.family, &self.name)?;
            if stat.is_some_and(|stat| was.holds_for(&stat.identity, now)) {
                return Ok(());
            }
        }
        self.look(hands)
    }

    /// Whether rez yields it (`_get_version_dirs`, and `iter_packages` with `check`).
    pub(crate) fn counts(&self, rules: &Rules) -> bool {
        self.is_directory
            && (!self.needs_package || self.found.package)
            && (!rules.check_package_definition_files || self.found.definition.is_some())
    }

    pub(crate) fn definition(&self) -> Option<Which> {
        self.found.definition
    }
}

/// Lists an open family.
pub(crate) fn list(
    dir: Dir,
    known: Option<&Family>,
    rules: &Rules,
    definitions: &Definitions,
    buffer: &mut Buffer,
) -> Result<Listed, Errno> {
    let mut entries = sys::list(&dir, buffer)?;
    entries.retain(|entry| matters(entry, definitions));
    entries.iter_mut().try_for_each(|entry| sys::resolve(&dir, entry))?;
    let (own, own_settled) = definitions.among(&dir, &entries)?;
    if own.is_some() && rules.allow_unversioned_packages {
        return Ok(Listed { dir, own, versions: Vec::new(), is_settled: own_settled });
    }
    let mut is_settled = own_settled;
    let mut named = Vec::new();
    for entry in entries.iter().filter(|entry| rez::is_version_name(entry.name.to_bytes())) {
        let is_ignore = entry.name.to_bytes().starts_with(rez::IGNORE_PREFIX);
        let kind = match directory::is_settled(entry) {
            // What a link leads to is found out when it is looked at.
            false if !is_ignore => Kind::Directory,
            settled => {
                is_settled &= settled;
                directory::kind(&dir, entry)?
            }
        };
        named.push((entry, kind));
    }
    let entries: Vec<_> =
        named.iter().map(|(entry, kind)| (entry.name.to_bytes(), *kind)).collect();
    let versions = rez::versions(&entries, rules.check_package_definition_files);
    let known = known.into_iter().flat_map(|family| &family.versions);
    let known: HashMap<&CStr, &Version> =
        known.map(|version| (version.name.as_c_str(), version)).collect();
    let version = |version: &rez::VersionDirectory| {
        let entry: &Entry = named[version.entry].0;
        let unknown = Version {
            name: entry.name.clone(),
            is_link: !directory::is_settled(entry),
            is_directory: true,
            needs_package: version.needs_package,
            found: Found::default(),
            directory: None,
        };
        let same = |known: &&&Version| {
            (known.is_link, known.needs_package) == (unknown.is_link, unknown.needs_package)
        };
        match known.get(unknown.name.as_c_str()).filter(same) {
            Some(known) => (*known).clone(),
            None => unknown,
        }
    };
    let versions = versions.iter().map(version).collect();
    Ok(Listed { dir, own, versions, is_settled })
}

/// Whether an entry can be a version, say something of one, or be the family's own definition.
fn matters(entry: &Entry, definitions: &Definitions) -> bool {
    rez::is_version_name(entry.name.to_bytes()) || definitions.has_file(&entry.name)
}

/// The definition in a family that may be entered and not listed: enough for an unversioned package.
pub(crate) fn own_of_unlistable(
    root: &Dir,
    name: &CStr,
    rules: &Rules,
    definitions: &Definitions,
    scratch: &mut Scratch,
) -> Option<Which> {
    let own = definitions.definition_in(root, name, scratch).ok().flatten();
    own.filter(|_| rules.allow_unversioned_packages)
}
