//! Opening a store: is it one, is it ours, is it free, do we know its format.
//!
//! Everything that can be refused is refused before anything is written. The stamp
//! `format` is written last when a store is made, so a directory without it and with
//! nothing but our own names is one that was never finished, and is finished now.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::{Mutex, atomic::AtomicU64},
};

use crate::{
    Descriptor, Store, StoreError,
    blobs::sync_dir,
    caretaker::Caretaker,
    database::{Database, VERSION, format_of},
    layout::{self, Layout},
    partial,
    sys::{self, network_file_system},
    way::turnable,
};

/// What the stamp says before the number.
const STAMP: &str = "pkgfs store ";

impl Store {
    /// Opens the store at `dir`, making it if there is none, and removes what an
    /// earlier process left unfinished. The directory is made private to this user.
    ///
    /// # Errors
    /// One for each way in which `dir` is not, or cannot be, this process's own store.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_as(dir, None)
    }

    /// Opens the store of a process that has died while what it served is still mounted. Its lock
    /// was handed on, so that nobody else could take the store meanwhile; retired listings stay,
    /// since their files may be open.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn take_over(dir: &Path, lock: Descriptor) -> Result<Self, StoreError> {
        Self::open_as(dir, Some(lock.into()))
    }

    /// The lock, for who takes over: it holds for as long as anybody keeps it open.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn lock(&self) -> Result<Descriptor, StoreError> {
        let copy = self.lock.try_clone().map(Descriptor::from);
        copy.map_err(|e| StoreError::io("hand on", &self.layout.lock(), e))
    }

    fn open_as(dir: &Path, handed_on: Option<File>) -> Result<Self, StoreError> {
        let layout = Layout::new(prepare_dir(dir)?);
        stamp_of(&layout)?;
        sys::make_private(layout.dir()).map_err(|e| refused(layout.dir(), e))?;
        let takes_over = handed_on.is_some();
        let lock = match handed_on {
            Some(lock) => sign_lock(&layout, lock)?,
            None => take_lock(&layout)?,
        };
        // Once more, now that nobody else can be making it.
        let stamp = stamp_of(&layout)?;
        for dir in [layout.blobs(), layout.partial(), layout.staging(), layout.sys()] {
            make_dir(&dir)?;
        }
        let caretaker = Caretaker::start(layout.database())
            .map_err(|e| StoreError::io("start a thread for", layout.dir(), e))?;
        let database =
            Database::open(&layout, stamp, caretaker.connected(), caretaker.checkpoint_bell())?;
        if fs::read(layout.format()).ok() != Some(stamp_text().into_bytes()) {
            write_stamp(&layout)?;
        }
        let store = Self {
            caretaker,
            database,
            placing: Mutex::default(),
            live: partial::Live::default(),
            next: AtomicU64::new(0),
            layout,
            lock,
        };
        store.use_reserve_if_needed();
        store.sweep(!takes_over)?;
        store.keep_reserve();
        Ok(store)
    }
}

/// Makes the directory if need be, and gives its absolute path.
fn prepare_dir(dir: &Path) -> Result<PathBuf, StoreError> {
    let refused = |error| refused(dir, error);
    let absolute = std::path::absolute(dir).map_err(refused)?;
    if let Some(turnable) = turnable(&absolute).map_err(refused)? {
        // Of two faults, that which another place on the same disk would have, too.
        let above = absolute.ancestors().skip(1).find(|above| above.is_dir());
        if let Some(kind) = above.and_then(|above| network_file_system(above).ok().flatten()) {
            return Err(StoreError::OnNetworkFileSystem { path: absolute, kind });
        }
        return Err(StoreError::Turnable { path: absolute, turnable });
    }
    if let Some(parent) = absolute.parent() {
        fs::create_dir_all(parent).map_err(refused)?;
    }
    match sys::make_private_dir(&absolute) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refused(error)),
        _ => {}
    }
    let metadata = fs::metadata(&absolute).map_err(refused)?;
    let path = sys::real_path(&absolute).map_err(refused)?;
    if !metadata.is_dir() {
        return Err(StoreError::NotADirectory { path });
    }
    if let Some(kind) = network_file_system(&path).map_err(refused)? {
        return Err(StoreError::OnNetworkFileSystem { path, kind });
    }
    if let Some(owner) = sys::other_owner(&path, &metadata).map_err(refused)? {
        return Err(StoreError::OwnedByAnother { path, owner });
    }
    Ok(path)
}

/// What to say when the store's directory cannot be made or used.
fn refused(path: &Path, error: io::Error) -> StoreError {
    use io::ErrorKind::{AlreadyExists, NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    let path = path.to_owned();
    match error.kind() {
        PermissionDenied | ReadOnlyFilesystem => StoreError::NotWritable { path },
        NotADirectory | AlreadyExists => StoreError::NotADirectory { path },
        _ => StoreError::io("open the store", &path, error),
    }
}

/// The format of the finished store that is there, if there is one. Anything but the
/// beginnings of a store is foreign.
fn stamp_of(layout: &Layout) -> Result<Option<u64>, StoreError> {
    let refused = |error| refused(layout.dir(), error);
    let names: Vec<OsString> = fs::read_dir(layout.dir())
        .map_err(refused)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()
        .map_err(refused)?;
    if names.iter().any(|name| name == layout::FORMAT) {
        return read_stamp(layout).map(Some);
    }
    let has_blobs = fs::read_dir(layout.blobs()).is_ok_and(|mut blobs| blobs.next().is_some());
    let known = |name: &OsString| layout::NAMES.iter().any(|known| name == known);
    if has_blobs && let Some(found) = format_of(&layout.database()) {
        return Ok(Some(found));
    }
    if has_blobs || !names.iter().all(known) {
        return Err(StoreError::Foreign { path: layout.dir().to_owned() });
    }
    Ok(None)
}

/// Locks the store for this process.
fn take_lock(layout: &Layout) -> Result<File, StoreError> {
    let path = layout.lock();
    let mut file = sys::open_lock(&path).map_err(|e| refused(layout.dir(), e))?;
    if !sys::try_lock(&file).map_err(|e| StoreError::io("lock", &path, e))? {
        let mut text = String::new();
        let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
        return Err(StoreError::InUse { path: layout.dir().to_owned(), pid });
    }
    sign_lock(layout, file)
}

/// Writes this process's id into its lock.
fn sign_lock(layout: &Layout, mut file: File) -> Result<File, StoreError> {
    let path = layout.lock();
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(|e| StoreError::io("write", &path, e))?;
    Ok(file)
}

/// The format that the stamp names: ours, or an older one that the database is brought
/// up from.
fn read_stamp(layout: &Layout) -> Result<u64, StoreError> {
    let path = layout.format();
    let text = fs::read(&path).map_err(|e| StoreError::io("read", &path, e))?;
    let number = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.strip_prefix(STAMP)?.trim_end().parse::<u64>().ok());
    match number {
        Some(found) if found > VERSION => {
            Err(StoreError::NewerFormat { path: layout.dir().to_owned(), found, known: VERSION })
        }
        Some(found @ 1..) => Ok(found),
        // The database says so too.
        _ => format_of(&layout.database())
            .ok_or_else(|| StoreError::Damaged { path, reason: "it names no format".into() }),
    }
}

fn stamp_text() -> String {
    format!("{STAMP}{VERSION}\n")
}

/// Declares the store finished, and of the present format: everything below its directory
/// is durable before.
fn write_stamp(layout: &Layout) -> Result<(), StoreError> {
    let (new, path) = (layout.format_new(), layout.format());
    sync_dir(layout.dir())?;
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(stamp_text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)
    };
    write().map_err(|e| StoreError::io("write", &path, e))?;
    sync_dir(layout.dir())
}

fn make_dir(path: &Path) -> Result<(), StoreError> {
    match sys::make_dir_inside(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(StoreError::io("create", path, error))
        }
        _ => Ok(()),
    }
}
