//! Shared mappings of files, as `mmap(2)` gives them: the one way to write to a file that passes
//! neither `write` nor any check after the mapping was made.

#![allow(unsafe_code, reason = "memory that other processes change has no safe wrapper")]

use std::ffi::c_void;
use std::os::fd::AsFd;
use std::ptr;

use rustix::io::Result;
use rustix::mm::{MapFlags, MprotectFlags, MsyncFlags, ProtFlags};

/// A shared mapping of the start of a file.
#[derive(Debug)]
pub struct Mapping {
    start: *mut u8,
    length: usize,
}

impl Mapping {
    /// Maps a file for reading.
    ///
    /// # Errors
    /// The kernel's.
    pub fn readable(file: impl AsFd, length: usize) -> Result<Self> {
        Self::new(file, length, ProtFlags::READ)
    }

    /// Maps a file for reading and writing.
    ///
    /// # Errors
    /// The kernel's; `EACCES` if the file is not open for both.
    pub fn writable(file: impl AsFd, length: usize) -> Result<Self> {
        Self::new(file, length, ProtFlags::READ | ProtFlags::WRITE)
    }

    fn new(file: impl AsFd, length: usize, protection: ProtFlags) -> Result<Self> {
        // SAFETY: the kernel chooses the place, so nothing of this process is replaced; the
        // memory is only touched by the volatile accesses below, within `length`.
        let start = unsafe {
            rustix::mm::mmap(ptr::null_mut(), length, protection, MapFlags::SHARED, file, 0)?
        };
        Ok(Self { start: start.cast(), length })
    }

    /// Asks for write permission on a mapping made for reading.
    ///
    /// # Errors
    /// The kernel's; `EACCES` if the file is not open for writing.
    pub fn make_writable(&self) -> Result<()> {
        let flags = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: the range is this mapping, which stays readable.
        unsafe { rustix::mm::mprotect(self.start.cast::<c_void>(), self.length, flags) }
    }

    /// A byte. Ends the process with SIGBUS where the file has no such byte any more.
    #[must_use]
    pub fn load(&self, at: usize) -> u8 {
        assert!(at < self.length, "{at} is not mapped");
        // SAFETY: within the mapping; volatile, as others may write to the file.
        unsafe { self.start.add(at).read_volatile() }
    }

    /// Stores a byte; the mapping must have been made [writable](Self::writable). Ends the process
    /// with SIGBUS where the kernel cannot give the page for writing.
    pub fn store(&self, at: usize, byte: u8) {
        assert!(at < self.length, "{at} is not mapped");
        // SAFETY: within the mapping; where it is not writable the process ends.
        unsafe { self.start.add(at).write_volatile(byte) }
    }

    /// Has the kernel write back what was stored.
    ///
    /// # Errors
    /// The file system's.
    pub fn sync(&self) -> Result<()> {
        // SAFETY: the range is this mapping; syncing does not invalidate it.
        unsafe { rustix::mm::msync(self.start.cast::<c_void>(), self.length, MsyncFlags::SYNC) }
    }

    /// Where it is in this process.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.start as u64
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is this mapping, to which nothing refers any more.
        unsafe { rustix::mm::munmap(self.start.cast::<c_void>(), self.length).ok() };
    }
}
