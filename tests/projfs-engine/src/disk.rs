//! The real disk below a root: what lies there, and under which names.
//!
//! Names that the disk or Wine cannot hold (unpaired surrogates, devices' names, trailing dots, very
//! long ones) lie there under a substitute; such an item always has a record that says its name.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    Wide,
    codes::attribute,
    records::{Kind, Record, State, Times},
    wide,
};

const SUBSTITUTE: &str = "%u";
/// From 1601 to 1970, in 100 ns.
const EPOCH: i64 = 116_444_736_000_000_000;

/// Where `path` lies below `root`.
pub(crate) fn path_of(root: &Path, path: &Wide) -> PathBuf {
    let mut at = root.to_owned();
    for component in path.components() {
        at.push(name_of(&component));
    }
    at
}

/// The name on disk for a name.
fn name_of(name: &Wide) -> String {
    match String::from_utf16(&name.0) {
        Ok(text) if can_lie(&text) => text,
        _ => format!("{SUBSTITUTE}{:016x}", number(&name.0)),
    }
}

fn can_lie(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let device = matches!(stem.as_str(), "con" | "prn" | "aux" | "nul" | "conin$" | "conout$")
        || ((stem.starts_with("com") || stem.starts_with("lpt")) && stem.len() == 4);
    !device && !name.ends_with(['.', ' ']) && name.len() < 200 && !name.starts_with(SUBSTITUTE)
}

/// FNV-1a: the same number each time for the same units.
pub(crate) fn number(units: &[u16]) -> u64 {
    units.iter().flat_map(|unit| unit.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What lies in a directory under its own name.
pub(crate) fn list(root: &Path, directory: &Wide) -> Vec<(Wide, Metadata)> {
    let Ok(entries) = fs::read_dir(path_of(root, directory)) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            if name.starts_with(SUBSTITUTE) {
                return None;
            }
            Some((Wide::from(name.as_str()), entry.metadata().ok()?))
        })
        .collect()
}

/// What lies at `name` in `directory`, under the name it really has.
pub(crate) fn find(root: &Path, directory: &Wide, name: &Wide) -> Option<(Wide, Metadata)> {
    // Where the disk itself ignores case, a listing is needed for names that exist only.
    if cfg!(windows) && fs::symlink_metadata(path_of(root, &directory.join(name))).is_err() {
        return None;
    }
    list(root, directory).into_iter().find(|(found, _)| wide::compare(&found.0, &name.0).is_eq())
}

/// The record of something that is on disk and nowhere else.
pub(crate) fn full(path: Wide, metadata: &Metadata) -> Record {
    let directory = metadata.is_dir();
    let mut attributes = if directory { attribute::DIRECTORY } else { attribute::ARCHIVE };
    if metadata.permissions().readonly() && !directory {
        attributes |= attribute::READONLY;
    }
    Record {
        id: number(&path.key()) | 1 << 63,
        original: path.clone(),
        path,
        kind: if directory { Kind::Directory } else { Kind::File },
        state: State::Full,
        dirty: false,
        size: metadata.len(),
        attributes,
        times: times(metadata),
        security: None,
        version: Default::default(),
        present: Vec::new(),
    }
}

/// The times of something on disk.
pub(crate) fn times(metadata: &Metadata) -> Times {
    let write = metadata.modified().map_or(0, filetime);
    Times {
        creation: metadata.created().map_or(write, filetime),
        access: metadata.accessed().map_or(write, filetime),
        write,
        change: write,
    }
}

/// A time as `FILETIME` counts.
pub(crate) fn filetime(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    EPOCH + i64::try_from(since.as_nanos() / 100).unwrap_or(0)
}

/// Now, as `FILETIME` counts.
pub(crate) fn now() -> i64 {
    filetime(SystemTime::now())
}

/// Sets when a file was last written.
pub(crate) fn set_written(path: &Path, filetime: i64) -> io::Result<()> {
    let since = u64::try_from(filetime - EPOCH).unwrap_or(0);
    let time = UNIX_EPOCH + Duration::new(since / 10_000_000, (since % 10_000_000 * 100) as u32);
    File::options().write(true).open(path)?.set_modified(time)
}

/// Reads up to `length` bytes at `offset`.
pub(crate) fn read(path: &Path, offset: u64, length: u32) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(u64::from(length)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes `bytes` at `offset`, into a file that is made where there is none.
pub(crate) fn write(path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(false).open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// Gives a file a length, making it where there is none.
pub(crate) fn set_length(path: &Path, length: u64) -> io::Result<()> {
    File::options().write(true).create(true).truncate(false).open(path)?.set_len(length)
}
