//! Storage that never answers, so that no signal ends who waits for it: a FUSE mount
//! of this process that keeps its replies to itself.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, INodeNo,
    ReplyAttr, ReplyEntry, Request,
};
use pkgfs_origin::{Origin, OriginError, OriginSettings, Rest};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{empty, exists, file, kill, noise, scratch, settings, start, state};

type Kept = Arc<Mutex<Vec<ReplyEntry>>>;

struct Silent(Kept);

impl Filesystem for Silent {
    fn lookup(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEntry) {
        self.0.lock().unwrap().push(reply);
    }

    fn getattr(&self, _: &Request, _: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let at = std::time::UNIX_EPOCH;
        reply.attr(
            &Duration::from_secs(60),
            &FileAttr {
                ino: INodeNo::ROOT,
                size: 0,
                blocks: 0,
                atime: at,
                mtime: at,
                ctime: at,
                crtime: at,
                kind: FileType::Directory,
                perm: 0o755,
                nlink: 2,
                uid: 0,
                gid: 0,
                rdev: 0,
                blksize: 512,
                flags: 0,
            },
        );
    }
}

struct Hung {
    kept: Kept,
    root: tempfile::TempDir,
    session: Option<BackgroundSession>,
}

impl Hung {
    fn mount() -> Self {
        let root = scratch();
        let kept = Kept::default();
        let session =
            fuser::spawn_mount(Silent(kept.clone()), root.path(), &Config::default()).unwrap();
        Self { kept, root, session: Some(session) }
    }

    fn path(&self, n: usize) -> PathBuf {
        self.root.path().join(n.to_string())
    }

    /// Lets the storage answer (with errors) all it was asked, and go.
    fn release(&mut self) {
        if let Some(session) = self.session.take() {
            let kept = self.kept.clone();
            // One answer lets the next request in; the unmount ends them all.
            kept.lock().unwrap().drain(..).for_each(|reply| reply.error(Errno::EIO));
            nix::mount::umount2(
                self.root.path(),
                nix::mount::MntFlags::MNT_FORCE | nix::mount::MntFlags::MNT_DETACH,
            )
            .ok();
            drop(session);
            kept.lock().unwrap().clear();
        }
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        self.release();
    }
}

fn impatient(parallel: usize) -> OriginSettings {
    OriginSettings { parallel, deadline: Duration::from_secs(1), ..settings() }
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
}

async fn hang(origin: &Origin, hung: &Hung, n: usize) {
    let path = hung.path(n);
    let error = origin.stat(&path).await.unwrap_err();
    assert_eq!(error, OriginError::TimedOut { path, after: Duration::from_secs(1) });
}

#[tokio::test]
async fn a_request_that_hangs_fails_alone_and_its_thread_is_given_up() {
    let hung = Hung::mount();
    let local = file(Path::new("/var/tmp"), &format!("origin-local-{}", std::process::id()), "x");
    let origin = start(impatient(4));
    let healthy = async {
        for _ in 0..300 {
            origin.stat(&local).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::join!(hang(&origin, &hung, 0), healthy);
    let counters = origin.counters();
    assert_eq!((counters.started, counters.stuck, counters.timed_out), (1, 1, 1));
    std::fs::remove_file(local).unwrap();
    origin.stop().await;
}

#[tokio::test]
async fn a_worker_that_cannot_be_killed_is_left_behind_and_origin_goes_on() {
    let mut hung = Hung::mount();
    let root = scratch();
    let local = file(root.path(), "f", noise(50_000));
    let origin = start(impatient(2));
    let pid = origin.counters().pid.unwrap();
    tokio::join!(hang(&origin, &hung, 0), hang(&origin, &hung, 1));
    let fetched =
        origin.fetch(&local, state(&local), empty(), Rest::AtOnce).finish().await.unwrap();
    assert_eq!(fetched.size, 50_000);
    let counters = origin.counters();
    assert_eq!((counters.started, counters.left_behind), (2, 1), "{counters:?}");
    assert_ne!(counters.pid, Some(pid));
    // A second is killed and dies; the first has had as long, and has not.
    kill(&origin);
    origin.stat(&local).await.unwrap();
    assert!(exists(pid));
    hung.release();
    until(|| origin.counters().left_behind == 0).await;
    assert!(!exists(pid));
    origin.stop().await;
}

#[tokio::test]
async fn with_too_many_left_behind_requests_fail_at_once_until_one_dies() {
    let mut hung = Hung::mount();
    let root = scratch();
    let local = file(root.path(), "f", "x");
    let origin = start(OriginSettings { max_left_behind: 1, ..impatient(1) });
    hang(&origin, &hung, 0).await;
    let asked = Instant::now();
    let error = origin.stat(&local).await.unwrap_err();
    assert!(matches!(error, OriginError::Unavailable { left_behind: 1, .. }), "{error}");
    let fetch = origin.fetch(&local, state(&local), empty(), Rest::AtOnce);
    assert!(matches!(fetch.finish().await, Err(OriginError::Unavailable { .. })));
    assert!(asked.elapsed() < Duration::from_millis(500));
    hung.release();
    until(|| origin.counters().left_behind == 0).await;
    origin.stat(&local).await.unwrap();
    origin.stop().await;
}

#[tokio::test]
async fn a_stopped_worker_is_replaced_and_its_requests_are_answered() {
    let root = scratch();
    let local = file(root.path(), "f", noise(50_000));
    let origin = start(impatient(4));
    let pid = origin.counters().pid.unwrap();
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::STOP).unwrap();
    let fetch = origin.fetch(&local, state(&local), empty(), Rest::AtOnce);
    let (stat, fetched) = tokio::join!(origin.stat(&local), fetch.finish());
    assert_eq!((stat.unwrap().attributes.size, fetched.unwrap().size), (50_000, 50_000));
    until(|| origin.counters().left_behind == 0).await;
    assert_eq!(origin.counters().started, 2);
    assert!(!exists(pid));
    origin.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_worker_that_cannot_be_killed() {
    let hung = Hung::mount();
    let origin = start(impatient(1));
    hang(&origin, &hung, 0).await;
    let asked = Instant::now();
    origin.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(5));
}
