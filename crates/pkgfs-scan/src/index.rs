//! What was read of a repository, kept for the next scan (docs/format.md).
//!
//! A file for each repository and set of rules, named by the digest of both. It is read whole and
//! believed only if its checksum is right and it says itself that it is of this repository and these
//! rules. It is replaced by rename, and only if it would say something else; nobody locks it, and of
//! two who replace it at once the later one stays. Every failure is the same as there being no index.

use std::{
    collections::HashMap,
    fs,
    io::Write,
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Rules, family::Family};

/// The version of the format: whoever changes what the structures here encode to counts it up.
const VERSION: u8 = 1;
/// Version and checksum.
const HEADER: usize = 1 + blake3::OUT_LEN;

/// The index of a repository.
pub(crate) struct Index {
    file: PathBuf,
    repository: Vec<u8>,
    rules: String,
    /// The bytes after the header, as read.
    read: Vec<u8>,
}

/// What is kept, name by name.
#[derive(Serialize, Deserialize)]
struct Content {
    repository: Vec<u8>,
    rules: String,
    families: Vec<(String, Family)>,
}

impl Index {
    /// The index of a repository in a directory of indexes, and the families in it: none if everything
    /// is to be read `fresh`.
    pub(crate) fn open(
        directory: &Path,
        repository: &Path,
        rules: &Rules,
        fresh: bool,
    ) -> (Self, HashMap<String, Family>) {
        let repository = repository.as_os_str().as_bytes().to_vec();
        let rules = rules.identity();
        let mut name = blake3::Hasher::new();
        name.update(&repository).update(&[0]).update(rules.as_bytes());
        let file = directory.join(&name.finalize().to_hex()[..32]);
        let read = read(&file).unwrap_or_default();
        let index = Self { file, repository, rules, read };
        let known = if fresh { None } else { index.families() };
        (index, known.unwrap_or_default())
    }

    fn families(&self) -> Option<HashMap<String, Family>> {
        let content: Content = postcard::from_bytes(&self.read).ok()?;
        let is_of_this = content.repository == self.repository && content.rules == self.rules;
        is_of_this.then(|| content.families.into_iter().collect())
    }

    /// Keeps these families, in this order, for the next scan.
    pub(crate) fn keep(self, families: Vec<(String, Family)>) {
        let content = Content { repository: self.repository, rules: self.rules, families };
        let Ok(body) = postcard::to_stdvec(&content) else { return };
        if body != self.read {
            // A home that cannot be written to is a scan without an index.
            let _ = replace(&self.file, &body);
        }
    }
}

/// What follows the header, if it is whole.
fn read(file: &Path) -> Option<Vec<u8>> {
    let mut bytes = fs::read(file).ok()?;
    let (header, body) = bytes.split_at_checked(HEADER)?;
    if header != self::header(body) {
        return None;
    }
    bytes.drain(..HEADER);
    Some(bytes)
}

fn header(body: &[u8]) -> [u8; HEADER] {
    let mut header = [VERSION; HEADER];
    header[1..].copy_from_slice(blake3::hash(body).as_bytes());
    header
}

fn replace(file: &Path, body: &[u8]) -> std::io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("/"));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut temporary = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?;
    temporary.write_all(&header(body))?;
    temporary.write_all(body)?;
    temporary.persist(file)?;
    Ok(())
}
