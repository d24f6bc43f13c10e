//! Directories are paths, and names are looked at by whole paths.

use std::{
    env,
    ffi::{CStr, CString},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use pkgfs_manifest::os_name::{bytes_of, name_from};
use pkgfs_win32::{disk, identity, paths};

use crate::{
    directory::{Entry, FileType, Stat},
    observation::{Identity, Moment},
};

/// An error number of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(i32);

/// "System Error Codes".
impl Errno {
    pub(crate) const NOENT: Self = Self(2);
    pub(crate) const ACCESS: Self = Self(5);
    pub(crate) const IO: Self = Self(1117);
    pub(crate) const NOTDIR: Self = Self(267);
    /// That a file is not what was opened any more.
    pub(crate) const STALE: Self = Self(1006);
    const PATH_NOT_FOUND: i32 = 3;
    const INVALID_NAME: i32 = 123;
    const BAD_PATHNAME: i32 = 161;
    const FILENAME_EXCED_RANGE: i32 = 206;
    const DELETE_PENDING: i32 = 303;
    const CANT_RESOLVE_FILENAME: i32 = 1921;

    /// A server or a share that does not answer (`ERROR_BAD_NETPATH`, `ERROR_BAD_NET_NAME`) is not
    /// taken for absence, as the standard library's kinds have it.
    pub(crate) fn from_io_error(error: &io::Error) -> Option<Self> {
        error.raw_os_error().map(|number| match number {
            Self::PATH_NOT_FOUND | Self::DELETE_PENDING => Self::NOENT,
            number => Self(number),
        })
    }

    pub(crate) fn from_raw_os_error(number: i32) -> Self {
        Self(number)
    }

    pub(crate) fn raw_os_error(self) -> i32 {
        self.0
    }

    fn of(error: io::Error) -> Self {
        Self::from_io_error(&error).unwrap_or(Self::IO)
    }
}

/// A directory that was there when it was opened.
pub(crate) struct Dir(PathBuf);

/// The system has room of its own for listings.
pub(crate) struct Buffer;

impl Buffer {
    pub(crate) fn new() -> Self {
        Self
    }
}

/// Opens a directory of another for listing and for looking at names in it; links are followed.
pub(crate) fn open(at: &Dir, name: &CStr) -> Result<Dir, Errno> {
    open_path(&below(at, name)?)
}

/// The same by its path.
pub(crate) fn open_path(path: &Path) -> Result<Dir, Errno> {
    match stat_path(path)?.kind {
        FileType::Directory => Ok(Dir(path.to_owned())),
        _ => Err(Errno::NOTDIR),
    }
}

/// Whether two names are of one file: case does not tell them apart.
pub(crate) fn is_same_name(one: &CStr, other: &CStr) -> bool {
    let lower = |name: &CStr| String::from_utf8_lossy(name.to_bytes()).to_lowercase();
    one == other || lower(one) == lower(other)
}

/// The location of a repository as rez has it: the path without links, in lower case
/// (`rez.utils.filesystem.canonical_path`).
pub(crate) fn location(path: &Path) -> io::Result<PathBuf> {
    let real = paths::real(path)?;
    Ok(real.to_str().map(|text| text.to_lowercase().into()).unwrap_or(real))
}

/// The entries of a directory, in its order, without `.` and `..`.
pub(crate) fn list(dir: &Dir, _buffer: &mut Buffer) -> Result<Vec<Entry>, Errno> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(&dir.0).map_err(Errno::of)? {
        let entry = entry.map_err(Errno::of)?;
        let Ok(name) = CString::new(bytes_of(&entry.file_name())) else { continue };
        entries
            .push(Entry { name, listed: entry.file_type().map_or(FileType::Unknown, file_type) });
    }
    Ok(entries)
}

/// Finds out what an entry is, links not followed: the listing always says.
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn resolve(_at: &Dir, _entry: &mut Entry) -> Result<(), Errno> {
    Ok(())
}

/// What a name leads to; `None` if to nothing.
pub(crate) fn look(at: &Dir, name: &CStr) -> Result<Option<Stat>, Errno> {
    match stat_path(&below(at, name)?) {
        Ok(stat) => Ok(Some(stat)),
        // A loop of links leads nowhere, and a name that cannot be is nobody's.
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(Errno(
            Errno::INVALID_NAME
            | Errno::BAD_PATHNAME
            | Errno::FILENAME_EXCED_RANGE
            | Errno::CANT_RESOLVE_FILENAME,
        )) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// What an open directory is.
pub(crate) fn stat(dir: &Dir) -> Result<Stat, Errno> {
    stat_path(&dir.0)
}

/// What a path leads to.
pub(crate) fn stat_path(path: &Path) -> Result<Stat, Errno> {
    let stat = || told(&identity::open_to_look_beyond(path)?);
    stat().map_err(Errno::of)
}

/// Nothing is known here without asking storage.
pub(crate) fn at_hand(_at: &Dir, _name: &CStr) -> Option<Identity> {
    None
}

/// Whether a directory lies on a disk of this machine, where a look costs next to nothing.
pub(crate) fn is_local(dir: &Dir) -> bool {
    !disk::is_remote(&dir.0).unwrap_or(true)
}

/// Whether this user may keep an index there: it is below a home of their own.
pub(crate) fn may_keep_index(_directory: &Path) -> bool {
    true
}

/// Where this user keeps what can be made anew: where the store lies, too.
pub(crate) fn cache_directory() -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let set = env::var_os("LOCALAPPDATA").map(PathBuf::from).filter(absolute);
    set.or_else(|| Some(env::home_dir().filter(absolute)?.join(r"AppData\Local")))
}

/// Makes a directory, and those above it: below a home they are this user's alone by inheritance.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

fn below(at: &Dir, name: &CStr) -> Result<PathBuf, Errno> {
    let name = name_from(name.to_bytes().to_vec()).ok_or(Errno::NOENT)?;
    // Definitions may be looked for below a name.
    Ok(Path::new(&name).iter().fold(at.0.clone(), |path, part| path.join(part)))
}

fn file_type(kind: fs::FileType) -> FileType {
    if kind.is_symlink() {
        FileType::Link
    } else if kind.is_dir() {
        FileType::Directory
    } else if kind.is_file() {
        FileType::File
    } else {
        FileType::Other
    }
}

fn told(file: &File) -> io::Result<Stat> {
    let data = file.metadata()?;
    let id = identity::id(file)?;
    let modified = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(Stat {
        kind: file_type(data.file_type()),
        identity: Identity {
            device: id.volume,
            // The upper half is zero but on ReFS.
            inode: id.number as u64 ^ (id.number >> 64) as u64,
            size: i64::try_from(data.len()).unwrap_or(i64::MAX),
            modified: Moment::of(modified),
            changed: Moment::of(identity::changed(file)?),
        },
    })
}
