//! What is refused for what Unix says of it: owners, mounts, and what nobody can write.
//!
//! Not on Windows: other users' directories, network drives and foreign mounts cannot be made there
//! by a test.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fs,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::Command,
};

use pkgfs_store::{Store, StoreError};

/// The error of opening, with its one line checked for what all of them promise.
fn refusal(dir: &Path) -> StoreError {
    let error = Store::open(dir).unwrap_err();
    let line = error.to_string();
    assert!(line.contains(dir.to_str().unwrap()), "names the path: {line}");
    assert!(!line.contains('\n') && !line.contains(['"', '{']), "one plain line: {line}");
    error
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    // Nobody can make directories there, root included.
    let error = refusal(Path::new("/sys/pkgfs-store"));
    assert!(matches!(error, StoreError::NotWritable { .. }), "{error}");
}

#[test]
fn a_directory_of_another_user_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(dir.path(), Some(12_345), None).unwrap();
        dir.path()
    } else {
        Path::new("/usr")
    };
    let error = refusal(path);
    assert!(matches!(error, StoreError::OwnedByAnother { .. }), "{error}");
}

/// Unmounts when the test ends, however it ends.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        Command::new("fusermount3").args(["-u", "-z"]).arg(self.0).status().unwrap();
    }
}

#[test]
fn a_network_file_system_is_refused_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let (served, mountpoint) = (dir.path().join("served"), dir.path().join("mnt"));
    fs::create_dir(&served).unwrap();
    fs::create_dir(&mountpoint).unwrap();
    // sshfs without ssh: its server at the other end of a socket.
    let (here, there) = UnixStream::pair().unwrap();
    let ends = |end: UnixStream| (OwnedFd::from(end.try_clone().unwrap()), OwnedFd::from(end));
    let (input, output) = ends(there);
    let mut server =
        Command::new("/usr/lib/openssh/sftp-server").stdin(input).stdout(output).spawn().unwrap();
    let (input, output) = ends(here);
    let mut client = Command::new("sshfs")
        .arg(format!("host:{}", served.display()))
        .arg(&mountpoint)
        .args(["-f", "-o", "passive"])
        .stdin(input)
        .stdout(output)
        .spawn()
        .unwrap();
    let mounted = Mounted(&mountpoint);
    let outside = dir.path().metadata().unwrap();
    while std::os::unix::fs::MetadataExt::dev(&mountpoint.metadata().unwrap())
        == std::os::unix::fs::MetadataExt::dev(&outside)
    {
        assert!(client.try_wait().unwrap().is_none(), "sshfs did not mount");
        std::thread::yield_now();
    }
    let error = refusal(&mountpoint.join("store"));
    let told =
        matches!(&error, StoreError::OnNetworkFileSystem { kind, .. } if kind == "fuse.sshfs");
    assert!(told, "{error}");
    drop(mounted);
    client.wait().unwrap();
    server.wait().unwrap();
}
