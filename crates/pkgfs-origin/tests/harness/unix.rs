use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use pkgfs_origin::Origin;
use rustix::process::{Pid, Signal, kill_process};

pub fn temporary() -> PathBuf {
    "/var/tmp".into()
}

pub fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("origin-").tempdir_in(temporary()).unwrap()
}

pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) {
    file.read_exact_at(bytes, offset).unwrap();
}

pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) {
    file.write_all_at(bytes, offset).unwrap();
}

/// Kills the worker.
pub fn kill(origin: &Origin) -> u32 {
    let pid = origin.counters().pid.unwrap();
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
    pid
}

/// Whether there is such a process.
pub fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
