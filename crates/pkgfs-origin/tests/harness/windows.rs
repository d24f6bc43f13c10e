use std::{fs::File, os::windows::fs::FileExt, path::PathBuf, time::Duration};

use pkgfs_origin::Origin;

pub fn temporary() -> PathBuf {
    std::env::temp_dir()
}

/// By its real path, which may not be the one that the environment tells.
pub fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("origin-").tempdir_in(temporary()).unwrap()
}

pub fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) {
    while !bytes.is_empty() {
        let got = file.seek_read(bytes, offset).unwrap();
        assert!(got > 0, "it ends at {offset}");
        bytes = &mut bytes[got..];
        offset += got as u64;
    }
}

pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) {
    assert_eq!(file.seek_write(bytes, offset).unwrap(), bytes.len());
}

/// Kills the worker.
pub fn kill(origin: &Origin) -> u32 {
    let pid = origin.counters().pid.unwrap();
    pkgfs_win32::child::kill(pid, Duration::from_secs(10)).unwrap();
    pid
}

/// Whether there is such a process.
pub fn exists(pid: u32) -> bool {
    pkgfs_win32::child::exists(pid)
}
