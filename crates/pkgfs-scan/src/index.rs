//! What was read of a repository, kept for the next scan (docs/format.md).
//!
//! A file for each repository and set of rules, named by the digest of both. It is read whole and
//! believed only if its checksum is right and it says itself that it is of this repository and these
//! rules. It is replaced by rename, and only if it would say something else; nobody locks it, and of
//! two who replace it at once the later one stays. Every failure is the same as there being no index.
//!
//! Its modification time says, to the day, when it was last used. Who replaces an index removes those
//! that nobody has used for [`KEPT`]: their repositories are gone, or scanned under other rules.

use std::{
    collections::HashMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use pkgfs_manifest::os_name::{bytes_of, path_bytes};
use serde::{Deserialize, Serialize};

use crate::{Rules, family::Family, sys};

/// The version of the format: whoever changes what the structures here encode to counts it up.
const VERSION: u8 = 1;
const DAY: Duration = Duration::from_secs(86_400);
/// How long an index is kept that nobody uses.
const KEPT: Duration = Duration::from_secs(90 * DAY.as_secs());
/// What an index is called until it is whole.
const UNFINISHED: &str = ".new-";
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
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
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
        let repository = path_bytes(repository).to_vec();
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
        // A home that cannot be written to is a scan without an index.
        let _ = if body == self.read {
            note_use(&self.file)
        } else {
            replace(&self.file, &body).and_then(|()| remove_unused(&self.file))
        };
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
    sys::make_private_dir(directory)?;
    let mut temporary = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(directory)?;
    temporary.write_all(&header(body))?;
    temporary.write_all(body)?;
    temporary.persist(file)?;
    Ok(())
}

fn note_use(file: &Path) -> std::io::Result<()> {
    if is_older(&file.metadata()?, DAY) {
        fs::File::options().append(true).open(file)?.set_modified(SystemTime::now())?;
    }
    Ok(())
}

/// Removes what lies unused beside an index.
fn remove_unused(file: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(file.parent().unwrap_or(Path::new("/")))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = bytes_of(&name);
        let is_ours = name.starts_with(UNFINISHED.as_bytes())
            || (name.len() == 32 && name.iter().all(u8::is_ascii_hexdigit));
        if is_ours && is_older(&entry.metadata()?, KEPT) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether a file's time is so long past; one in the future is not.
fn is_older(metadata: &fs::Metadata, age: Duration) -> bool {
    metadata.modified().is_ok_and(|time| time.elapsed().is_ok_and(|elapsed| elapsed > age))
}
