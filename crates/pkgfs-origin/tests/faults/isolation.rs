//! What ties the worker to the daemon, and what does not.

use std::{
    fs,
    io::{Read, Write},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::{Child, Command, Stdio},
};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::harness::{empty, settings};

/// Starts a worker by hand and waits until it serves: a batch of one ping, as bytes.
fn serving() -> (Child, UnixStream) {
    let (mut socket, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(&settings().command[0])
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    socket.write_all(&[3, 0, 0, 0, 1, 1, 0]).unwrap();
    socket.read_exact(&mut [0; 4]).unwrap();
    (child, socket)
}

#[test]
fn a_worker_ends_when_the_daemon_is_gone() {
    let (mut child, socket) = serving();
    drop(socket);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_stopped_worker_is_killed_with_who_started_it() {
    let (mut child, _socket) = std::thread::spawn(|| {
        let (child, socket) = serving();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        (child, socket)
    })
    .join()
    .unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[test]
fn a_worker_holds_no_descriptor_of_the_daemon_and_no_directory() {
    let inherited = empty();
    fcntl(&inherited, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let (mut child, socket) = serving();
    let proc = std::path::PathBuf::from(format!("/proc/{}", child.id()));
    let held = fs::read_dir(proc.join("fd")).unwrap().map(|fd| fd.unwrap().path());
    let held: Vec<_> = held.map(|fd| fs::read_link(fd).unwrap()).collect();
    let files: Vec<_> = held.iter().filter(|at| at.starts_with("/var/tmp")).collect();
    assert!(files.is_empty(), "{held:?}");
    assert_eq!(fs::read_link(proc.join("cwd")).unwrap().to_str(), Some("/"));
    drop(socket);
    child.wait().unwrap();
}

#[test]
fn run_by_hand_it_says_what_it_is() {
    let output = Command::new(&settings().command[0]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("run by pkgfs itself"));
}
