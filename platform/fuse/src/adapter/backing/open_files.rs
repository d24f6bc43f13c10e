//! Which files the kernel has, written down where it outlives the process.
//!
//! The kernel refuses an inode that is opened in another way than it is open already. So a process that takes
//! over must know of every one how it is open and which of the store's files it was given. Each has
//! a place of 16 bytes in a file that somebody else keeps open, too, and is written there whole before the
//! kernel is answered.
//!
//! ```text
//! inode u64 | handles u32 | number that the kernel gave the store's file, u32, 0: none
//! ```

use std::{fs::File, io, os::unix::fs::FileExt};

const PLACE: u64 = 16;

/// One inode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OpenFile {
    pub ino: u64,
    pub handles: u32,
    pub backing: u32,
}

/// All of them.
pub(super) struct OpenFiles {
    file: File,
    free: Vec<u64>,
    places: u64,
}

impl OpenFiles {
    /// With what a process before wrote, each at its place.
    pub(super) fn open(file: File) -> io::Result<(Self, Vec<(u64, OpenFile)>)> {
        let places = file.metadata()?.len() / PLACE;
        let mut bytes = vec![0; usize::try_from(places * PLACE).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, 0)?;
        let (mut free, mut open) = (Vec::new(), Vec::new());
        for (place, bytes) in (0..).zip(bytes.as_chunks::<16>().0) {
            let bits = u128::from_le_bytes(*bytes);
            let found = OpenFile {
                ino: bits as u64,
                handles: (bits >> 64) as u32,
                backing: (bits >> 96) as u32,
            };
            if found.ino == 0 {
                free.push(place);
            } else {
                open.push((place, found));
            }
        }
        Ok((Self { file, free, places }, open))
    }

    /// A place for one more.
    pub(super) fn place(&mut self) -> u64 {
        self.free.pop().unwrap_or_else(|| {
            self.places += 1;
            self.places - 1
        })
    }

    pub(super) fn write(&self, place: u64, file: OpenFile) {
        let OpenFile { ino, handles, backing } = file;
        let bits = u128::from(ino) | u128::from(handles) << 64 | u128::from(backing) << 96;
        if let Err(error) = self.file.write_all_at(&bits.to_le_bytes(), place * PLACE) {
            tracing::error!(%error, "an open file cannot be noted; who takes over may fail to open it");
        }
    }

    /// The kernel has it no more.
    pub(super) fn free(&mut self, place: u64) {
        self.write(place, OpenFile::default());
        self.free.push(place);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_has_is_found_by_who_comes_next_and_places_are_used_again() {
        let file = tempfile::tempfile().unwrap();
        let (mut files, none) = OpenFiles::open(file.try_clone().unwrap()).unwrap();
        assert!(none.is_empty());
        let one = OpenFile { ino: u64::MAX >> 1, handles: 3, backing: 7 };
        let other = OpenFile { ino: 5, handles: 0, backing: u32::MAX };
        let places = [files.place(), files.place()];
        files.write(places[0], one);
        files.write(places[1], other);
        let (mut files, found) = OpenFiles::open(file.try_clone().unwrap()).unwrap();
        assert_eq!(found, [(places[0], one), (places[1], other)]);
        files.free(places[0]);
        let (mut files, found) = OpenFiles::open(file).unwrap();
        assert_eq!(found, [(places[1], other)]);
        assert_eq!(files.place(), places[0]);
        assert_eq!(files.place(), 2);
    }
}
