//! The real program, mounted.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;

use pkgfs_tests::{Mapping, MountOptions, Mounted, Scene, VariantHandle};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

use crate::files::{Attempt, Files, Subject, Way, whole};

pub(crate) struct Mount(Mounted);

/// Few megabytes, no answer of origin believed for long.
const CONFIGURATION: &str = "room.quota_megabytes = 1\nroom.free_megabytes = 0\n\
                             registration.miss_seconds = 0";

impl Mount {
    fn at(&self, path: &str) -> PathBuf {
        self.0.mountpoint().join(path)
    }
}

impl Subject for Mount {
    fn start(scene: &Scene) -> Self {
        let configuration = CONFIGURATION.to_owned();
        Self(scene.mount(&MountOptions { configuration, ..MountOptions::default() }))
    }

    fn restart(&mut self, killed: bool) {
        if killed {
            self.0.kill_daemon();
            self.0.mount_again();
        } else {
            self.0.remount();
        }
    }

    fn flush(&self, variant: Option<&VariantHandle>) {
        let mountpoint = self.0.mountpoint().to_str().unwrap().to_owned();
        let mut arguments = vec!["flush".to_owned(), mountpoint];
        arguments.extend(variant.map(VariantHandle::uri));
        let _ = self.0.pkgfs(&arguments).good();
    }

    fn end(self) {
        drop(self.0);
    }
}

fn now() -> Timestamps {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Timestamps { last_access: now, last_modification: now }
}

impl Files for Mount {
    fn exists(&self, path: &str) -> io::Result<bool> {
        fs::exists(self.at(path))
    }

    fn links(&self, path: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.at(path))?.nlink())
    }

    fn modified(&self, path: &str) -> io::Result<i64> {
        Ok(fs::metadata(self.at(path))?.mtime())
    }

    fn names(&self, path: &str) -> io::Result<Vec<String>> {
        let names = fs::read_dir(self.at(path))?;
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        names.map(|entry| entry.map(name)).collect()
    }

    fn read(&self, path: &str, part: Range<usize>, way: Way) -> io::Result<Vec<u8>> {
        let file = File::open(self.at(path))?;
        let data = file.metadata()?;
        if data.is_dir() {
            return Err(Errno::ISDIR.into());
        }
        let size = usize::try_from(data.len()).unwrap();
        let part = part.start.min(size)..part.end.min(size);
        if way == Way::Mapped && !part.is_empty() {
            let mapping = Mapping::readable(&file, size)?;
            return Ok(part.map(|at| mapping.load(at)).collect());
        }
        let mut bytes = vec![0; part.len()];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], (part.start + filled) as u64)? {
                0 => break,
                more => filled += more,
            }
        }
        bytes.truncate(filled);
        whole(bytes, &part)
    }

    fn make_directory(&self, path: &str) -> io::Result<()> {
        fs::create_dir(self.at(path))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        fs::write(self.at(path), bytes)
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        fs::hard_link(self.at(from), self.at(to))
    }

    fn unlink(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.at(path))
    }

    fn remove_directory(&self, path: &str) -> io::Result<()> {
        fs::remove_dir(self.at(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn touch(&self, path: &str) -> io::Result<()> {
        Ok(rustix::fs::utimensat(CWD, self.at(path), &now(), AtFlags::empty())?)
    }

    fn attempt(&self, attempt: Attempt, directory: &str, file: &str) -> io::Result<()> {
        let (file, new) = (self.at(file), self.at(directory).join("intruder"));
        match attempt {
            Attempt::Create => File::create_new(new).map(drop),
            Attempt::Write => OpenOptions::new().write(true).open(file).map(drop),
            Attempt::Truncate => Ok(nix::unistd::truncate(&file, 0)?),
            Attempt::Unlink => fs::remove_file(file),
            Attempt::Rename => fs::rename(file, new),
            Attempt::MakeDirectory => fs::create_dir(new),
            Attempt::RemoveDirectory => fs::remove_dir(self.at(directory)),
            Attempt::Touch => Ok(rustix::fs::utimensat(CWD, file, &now(), AtFlags::empty())?),
            Attempt::Mode => fs::set_permissions(file, fs::Permissions::from_mode(0o777)),
            Attempt::Link => fs::hard_link(file, new),
        }
    }
}
