//! Reading the mirrored directory: what each operation answers, without its cost.
//!
//! Every operation goes by path and checks that the path still holds the file the kernel means,
//! else ESTALE, as a file server answers for a handle whose file is gone. Nothing is cached
//! here: what the source says now is the answer.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{Errno, FileAttr, FileType, INodeNo};

use crate::error::Error;
use crate::nodes::{Identity, Nodes, Version};

/// The attributes of a file and which file it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) attr: FileAttr,
    pub(crate) identity: Identity,
}

/// An open file, and whether the kernel's pages of it are still good.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) unchanged: bool,
}

/// The mirrored directory.
#[derive(Debug)]
pub(crate) struct Source {
    root: PathBuf,
    device: u64,
    pub(crate) nodes: Nodes,
}

impl Source {
    pub(crate) fn new(root: &Path) -> Result<Self, Error> {
        let failed = |error| Error::Source { path: root.to_owned(), error };
        let canonical = root.canonicalize().map_err(failed)?;
        let metadata = fs::metadata(&canonical).map_err(failed)?;
        if !metadata.is_dir() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        let device = metadata.dev();
        let nodes = Nodes::new(Identity::of(&metadata, device));
        Ok(Self { root: canonical, device, nodes })
    }

    /// The path of `name` in a directory, relative to the source.
    pub(crate) fn child(&self, parent: INodeNo, name: &OsStr) -> Result<Arc<Path>, Errno> {
        Ok(Arc::from(self.nodes.path(parent)?.join(name)))
    }

    pub(crate) fn lookup(&self, parent: INodeNo, path: &Path) -> Result<Found, Errno> {
        let directory = path.parent().unwrap_or(Path::new(""));
        self.check(parent, directory)?;
        Ok(self.found(&fs::symlink_metadata(self.root.join(path))?))
    }

    /// An entry of a directory that was listed; its directory is not checked again.
    pub(crate) fn entry(&self, path: &Path) -> Result<Found, Errno> {
        Ok(self.found(&fs::symlink_metadata(self.root.join(path))?))
    }

    pub(crate) fn getattr(&self, ino: INodeNo, path: &Path) -> Result<FileAttr, Errno> {
        Ok(self.found(&self.check(ino, path)?).attr)
    }

    pub(crate) fn getattr_open(&self, file: &File) -> Result<FileAttr, Errno> {
        Ok(self.found(&file.metadata()?).attr)
    }

    pub(crate) fn readlink(&self, ino: INodeNo, path: &Path) -> Result<Vec<u8>, Errno> {
        self.check(ino, path)?;
        Ok(fs::read_link(self.root.join(path))?.into_os_string().into_vec())
    }

    pub(crate) fn open(&self, ino: INodeNo, path: &Path) -> Result<Opened, Errno> {
        // O_NONBLOCK: should a fifo have taken the file's place, opening it must not wait.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = flags.bits().cast_signed();
        let mut options = File::options();
        let file = options.read(true).custom_flags(flags).open(self.root.join(path))?;
        let metadata = file.metadata()?;
        if !self.nodes.is_at(ino, Identity::of(&metadata, self.device)) {
            return Err(Errno::ESTALE);
        }
        let unchanged = self.nodes.opened_unchanged(ino, Version::of(&metadata));
        Ok(Opened { file, unchanged })
    }

    pub(crate) fn read(file: &File, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; size as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// The names in a directory, `.` and `..` first.
    pub(crate) fn list(&self, ino: INodeNo, path: &Path) -> Result<Vec<OsString>, Errno> {
        self.check(ino, path)?;
        let mut names = vec![OsString::from("."), OsString::from("..")];
        for entry in fs::read_dir(self.root.join(path))? {
            names.push(entry?.file_name());
        }
        Ok(names)
    }

    pub(crate) fn getxattr(&self, path: &Path, name: &OsStr) -> Result<Vec<u8>, Errno> {
        let path = self.root.join(path);
        let size = rustix::fs::lgetxattr_query(&path, name).map_err(errno)?;
        let mut value = vec![0; size];
        let size = rustix::fs::lgetxattr(&path, name, &mut value[..]).map_err(errno)?;
        value.truncate(size);
        Ok(value)
    }

    pub(crate) fn listxattr(&self, path: &Path) -> Result<Vec<u8>, Errno> {
        let path = self.root.join(path);
        let size = rustix::fs::llistxattr_query(&path).map_err(errno)?;
        let mut names = vec![0; size];
        let size = rustix::fs::llistxattr(&path, &mut names[..]).map_err(errno)?;
        names.truncate(size);
        Ok(names)
    }

    pub(crate) fn statfs(&self) -> Result<rustix::fs::StatFs, Errno> {
        rustix::fs::statfs(&self.root).map_err(errno)
    }

    fn check(&self, ino: INodeNo, path: &Path) -> Result<Metadata, Errno> {
        let metadata = fs::symlink_metadata(self.root.join(path)).map_err(|_| Errno::ESTALE)?;
        let found = Identity::of(&metadata, self.device);
        if self.nodes.is_at(ino, found) { Ok(metadata) } else { Err(Errno::ESTALE) }
    }

    fn found(&self, metadata: &Metadata) -> Found {
        let identity = Identity::of(metadata, self.device);
        let epoch = |_| UNIX_EPOCH;
        let attr = FileAttr {
            ino: identity.ino,
            size: metadata.size(),
            blocks: metadata.blocks(),
            atime: metadata.accessed().unwrap_or_else(epoch),
            mtime: metadata.modified().unwrap_or_else(epoch),
            ctime: instant(metadata.ctime(), metadata.ctime_nsec()),
            crtime: UNIX_EPOCH,
            kind: FileType::from_std(metadata.file_type()).unwrap_or(FileType::RegularFile),
            perm: (metadata.mode() & 0o7777) as u16,
            nlink: metadata.nlink() as u32,
            uid: metadata.uid(),
            gid: metadata.gid(),
            // The low 32 bits of Linux's dev_t are the encoding that FUSE carries.
            rdev: metadata.rdev() as u32,
            blksize: metadata.blksize() as u32,
            flags: 0,
        };
        Found { attr, identity }
    }
}

fn instant(seconds: i64, nanoseconds: i64) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let second = if seconds < 0 { UNIX_EPOCH - whole } else { UNIX_EPOCH + whole };
    second + Duration::from_nanos(nanoseconds.unsigned_abs())
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_i32(error.raw_os_error())
}
