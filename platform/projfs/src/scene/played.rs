//! ProjFS, played by what it would remember.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc,
};

use parking_lot::Mutex;

use crate::{
    codes::Win32,
    commands::{Completes, Outcome},
    ground::Links,
    names::readable,
    placeholder::{Kind, Placeholder, Version},
    projection::{Projection, Stream},
};

/// What ProjFS would remember.
pub(crate) struct Played {
    pub(super) root: PathBuf,
    pub(super) links: bool,
    pub(crate) placeholders: Mutex<BTreeMap<String, Placeholder>>,
    pub(crate) written: Mutex<Vec<(Stream, u64, Vec<u8>)>>,
    /// Paths that somebody has open.
    pub(crate) open: Mutex<Vec<String>>,
    pub(super) completed: Mutex<mpsc::Sender<(i32, Outcome)>>,
}

impl Completes for Played {
    fn complete(&self, command: i32, outcome: Outcome) {
        self.completed.lock().send((command, outcome)).unwrap();
    }
}

impl Projection for Played {
    fn has_links(&self) -> bool {
        self.links
    }

    fn alignment(&self) -> u32 {
        512
    }

    fn write_placeholder(&self, path: &[u16], placeholder: &Placeholder) -> Outcome {
        let path = readable(path);
        if placeholder.basic.kind == Kind::Directory {
            fs::create_dir_all(self.root.join(path.replace('\\', "/"))).unwrap();
        }
        self.placeholders.lock().insert(path, placeholder.clone());
        Ok(())
    }

    fn write_data(&self, stream: &Stream, offset: u64, data: &[u8]) -> Outcome {
        self.written.lock().push((*stream, offset, data.to_vec()));
        Ok(())
    }

    fn delete(&self, path: &[u16]) -> Outcome {
        let path = readable(path);
        if self.open.lock().contains(&path) {
            return Err(Win32::SHARING_VIOLATION);
        }
        let mut known = self.placeholders.lock();
        if known.keys().any(|other| other.starts_with(&format!("{path}\\"))) {
            return Err(Win32::DIR_NOT_EMPTY);
        }
        let placeholder = known.remove(&path).ok_or(Win32::FILE_NOT_FOUND)?;
        if placeholder.basic.kind == Kind::Directory {
            let on_disk = self.root.join(path.replace('\\', "/"));
            if fs::remove_dir(on_disk).is_err() {
                known.insert(path, placeholder);
                return Err(Win32::DIR_NOT_EMPTY);
            }
        }
        Ok(())
    }

    fn delete_tombstone(&self, _path: &[u16]) -> Outcome {
        Ok(())
    }

    fn mark_directory(&self, _path: &[u16], _version: &Version) -> Outcome {
        Ok(())
    }
}

/// Links on disk, with what a host has that makes them without privileges: symbolic links, or elsewhere
/// directories in which a file says where they lead.
pub(super) struct HostLinks;

#[cfg(unix)]
impl Links for HostLinks {
    fn make(&self, link: &Path, target: &Path) -> io::Result<()> {
        std::os::unix::fs::symlink(target, link)
    }

    fn lead(&self, link: &Path, target: &Path) -> io::Result<()> {
        let new = link.with_extension("new");
        self.make(&new, target)?;
        fs::rename(new, link)
    }

    fn target(&self, link: &Path) -> io::Result<Option<PathBuf>> {
        match fs::symlink_metadata(link) {
            Ok(data) if data.file_type().is_symlink() => fs::read_link(link).map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn remove(&self, link: &Path) -> io::Result<()> {
        fs::remove_file(link)
    }
}

#[cfg(windows)]
impl Links for HostLinks {
    fn make(&self, link: &Path, target: &Path) -> io::Result<()> {
        fs::create_dir(link)?;
        self.lead(link, target)
    }

    fn lead(&self, link: &Path, target: &Path) -> io::Result<()> {
        fs::write(link.join(LEADS), target.as_os_str().as_encoded_bytes())
    }

    fn target(&self, link: &Path) -> io::Result<Option<PathBuf>> {
        Ok(fs::read_to_string(link.join(LEADS)).ok().map(Into::into))
    }

    fn remove(&self, link: &Path) -> io::Result<()> {
        fs::remove_file(link.join(LEADS)).and_then(|()| fs::remove_dir(link))
    }
}

#[cfg(windows)]
const LEADS: &str = ".leads-to";
