//! File operations, as a Windows program does them: what it asks, and the error codes it sees.

use pkgfs_projfs_engine::{
    Code, Wide,
    access::Descriptor,
    change::Status,
    codes::right,
    listing::Entry,
    open::{Disposition, How},
    records::Times,
};

use crate::standin::StandinDriver;

/// A program. What it has open is its own, and is closed when it is dropped. Paths are absolute and
/// taken as they are, with no meaning in trailing dots and the names of devices.
pub trait Driver: Send + Sync {
    /// Another program.
    fn another(&self) -> Box<dyn Driver>;
    /// `CreateFileW`.
    fn open(&self, path: &Wide, how: How) -> Result<u64, Code>;
    /// `ReadFile` at an offset.
    fn read(&self, handle: u64, offset: u64, length: u32) -> Result<Vec<u8>, Code>;
    /// `WriteFile` at an offset.
    fn write(&self, handle: u64, offset: u64, bytes: &[u8]) -> Result<(), Code>;
    /// `SetEndOfFile`.
    fn set_length(&self, handle: u64, length: u64) -> Result<(), Code>;
    /// Some more of a directory, without `.` and `..`: `NtQueryDirectoryFile`. Nothing at the end.
    fn list(
        &self,
        handle: u64,
        pattern: Option<&Wide>,
        restart: bool,
        most: usize,
    ) -> Result<Vec<Entry>, Code>;
    /// `GetFileInformationByHandle`.
    fn held_status(&self, handle: u64) -> Result<Status, Code>;
    /// `CloseHandle`.
    fn close(&self, handle: u64) -> Result<(), Code>;
    /// What a path leads to, or the link there unless `follow`.
    fn status(&self, path: &Wide, follow: bool) -> Result<Status, Code>;
    /// `GetFileSecurityW`.
    fn security(&self, path: &Wide) -> Result<Descriptor, Code>;
    /// Allows everyone everything, as `icacls PATH /grant Everyone:F` tries to.
    fn open_up(&self, path: &Wide) -> Result<(), Code>;
    /// `SetFileAttributesW` and `SetFileTime`; times of zero stay.
    fn set_metadata(
        &self,
        path: &Wide,
        attributes: Option<u32>,
        times: Option<Times>,
    ) -> Result<(), Code>;
    /// `CreateDirectoryW`.
    fn create_directory(&self, path: &Wide) -> Result<(), Code>;
    /// `CreateSymbolicLinkW`, or a junction.
    fn create_link(
        &self,
        path: &Wide,
        target: &Wide,
        directory: bool,
        junction: bool,
    ) -> Result<(), Code>;
    /// `DeleteFileW`, or `RemoveDirectoryW`; `despite_attribute` as newer programs can.
    fn delete(&self, path: &Wide, directory: bool, despite_attribute: bool) -> Result<(), Code>;
    /// `MoveFileExW`, with `MOVEFILE_REPLACE_EXISTING` if `replace`.
    fn rename(&self, from: &Wide, to: &Wide, replace: bool) -> Result<(), Code>;
    /// `CreateHardLinkW`.
    fn hard_link(&self, existing: &Wide, new: &Wide) -> Result<(), Code>;
    /// Another program begins to read a file and is ended before it has the answer.
    fn read_and_die(&self, path: &Wide) -> Result<(), Code>;
    /// What only the stand-in can do.
    fn standin(&self) -> Option<&StandinDriver> {
        None
    }
}

impl dyn Driver + '_ {
    /// All of a file.
    pub fn read_all(&self, path: &Wide) -> Result<Vec<u8>, Code> {
        let handle = self.open(path, How::read())?;
        let read = self.read_on(handle);
        self.close(handle)?;
        read
    }

    /// All of an open file, in steps that are no multiple of anything.
    pub fn read_on(&self, handle: u64) -> Result<Vec<u8>, Code> {
        let mut bytes = Vec::new();
        loop {
            let part = self.read(handle, bytes.len() as u64, 1_000_003)?;
            if part.is_empty() {
                return Ok(bytes);
            }
            bytes.extend(part);
        }
    }

    /// A file with these bytes, made or replaced.
    pub fn write_all(&self, path: &Wide, bytes: &[u8]) -> Result<(), Code> {
        let how = How::with(right::GENERIC_WRITE).and(Disposition::CreateAlways);
        let handle = self.open(path, How { backup: false, ..how })?;
        let written = self.write(handle, 0, bytes);
        self.close(handle)?;
        written
    }

    /// Everything in a directory, some at a time, as it comes.
    pub fn entries(
        &self,
        path: &Wide,
        pattern: Option<&str>,
        most: usize,
    ) -> Result<Vec<Entry>, Code> {
        let handle = self.open(path, How::with(right::LIST_DIRECTORY | right::SYNCHRONIZE))?;
        let pattern = pattern.map(Wide::from);
        let mut all = Vec::new();
        let ended = loop {
            match self.list(handle, pattern.as_ref(), false, most) {
                Ok(some) if some.is_empty() => break Ok(all),
                Ok(some) => all.extend(some),
                Err(code) => break Err(code),
            }
        };
        self.close(handle)?;
        ended
    }

    /// The names in a directory, as they come.
    pub fn names(&self, path: &Wide) -> Result<Vec<String>, Code> {
        Ok(self.entries(path, None, 100)?.iter().map(|entry| entry.name.to_string()).collect())
    }

    /// Whether something is there.
    pub fn exists(&self, path: &Wide) -> bool {
        self.status(path, true).is_ok()
    }
}
