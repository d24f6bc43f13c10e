//! Workers that die, misbehave or cannot be started.

use std::{fs::File, path::Path, time::Duration};

use pkgfs_origin::{Origin, OriginError, OriginSettings, Rest};
use tokio::task::JoinSet;

use crate::harness::{
    empty, exists, file, kill, misbehaving, noise, read_exact_at, scratch, settings, start, state,
};

/// A directory that is there.
const PLACE: &str = if cfg!(windows) { r"C:\windows" } else { "/etc" };
/// A program that is not.
const NOWHERE: &str = if cfg!(windows) { r"C:\nowhere\pkgfs.exe" } else { "/nowhere/pkgfs" };

#[tokio::test]
async fn a_worker_killed_under_load_costs_no_request_and_no_byte() {
    let root = scratch();
    let origin = start(settings());
    let mut fetches = JoinSet::new();
    for n in 0..400 {
        let content = noise(20_000 + n);
        let path = file(root.path(), &n.to_string(), &content);
        let origin = origin.clone();
        fetches.spawn(async move {
            let copy = empty();
            let fetch = origin.fetch(&path, state(&path), copy.try_clone().unwrap(), Rest::AtOnce);
            let fetched = fetch.finish().await.unwrap();
            let mut bytes = vec![0; content.len()];
            read_exact_at(&copy, &mut bytes, 0);
            assert!(bytes == content && copy.metadata().unwrap().len() == fetched.size);
            assert_eq!(fetched.digest.as_bytes(), blake3::hash(&content).as_bytes());
            assert!(!origin.names(path.parent().unwrap()).await.unwrap().is_empty());
        });
    }
    for _ in 0..50 {
        fetches.join_next().await.unwrap().unwrap();
    }
    kill(&origin);
    while let Some(done) = fetches.join_next().await {
        done.unwrap();
    }
    assert_eq!((origin.counters().started, origin.counters().replaced), (2, 1));
    origin.stop().await;
}

#[tokio::test]
async fn what_a_fetch_told_stays_true_when_its_worker_dies() {
    let root = scratch();
    let content = noise(48 << 20);
    let path = file(root.path(), "f", &content);
    let origin = start(settings());
    let copy = empty();
    let mut fetch = origin.fetch(&path, state(&path), copy.try_clone().unwrap(), Rest::AtOnce);
    let mut told = fetch.progress().await.unwrap();
    kill(&origin);
    loop {
        for place in &told {
            let mut bytes = vec![0; (place.end - place.start) as usize];
            read_exact_at(&copy, &mut bytes, place.start);
            assert!(bytes == content[place.start as usize..place.end as usize]);
        }
        let Some(more) = fetch.progress().await else { break };
        told.extend(more);
    }
    assert_eq!(fetch.finish().await.unwrap().size, content.len() as u64);
    assert_eq!(origin.counters().started, 2);
    origin.stop().await;
}

#[tokio::test]
async fn a_request_that_costs_two_workers_fails_and_is_not_tried_again() {
    let origin = start(misbehaving("nonsense"));
    let path = Path::new(PLACE);
    let error = origin.stat(path).await.unwrap_err();
    assert_eq!(error, OriginError::WorkerLost { path: path.into() });
    assert!(origin.counters().started <= 3);
    origin.stop().await;
}

#[tokio::test]
async fn a_frame_cut_by_death_is_no_answer() {
    let origin = start(misbehaving("cut"));
    let error = origin.stat(Path::new(PLACE)).await.unwrap_err();
    assert!(matches!(error, OriginError::WorkerLost { .. }), "{error}");
    origin.stop().await;
}

#[tokio::test]
async fn a_worker_that_never_comes_up_is_not_started_without_pause() {
    let mut settings = misbehaving("exit");
    settings.deadline = Duration::from_secs(2);
    let origin = start(settings);
    let error = origin.stat(Path::new(PLACE)).await.unwrap_err();
    let lost = matches!(error, OriginError::WorkerLost { .. } | OriginError::TimedOut { .. });
    assert!(lost, "{error}");
    assert!(origin.counters().started < 10, "{:?}", origin.counters());
    origin.stop().await;
}

#[tokio::test]
async fn a_worker_that_cannot_be_run_is_told_by_its_program() {
    let command = vec![NOWHERE.into()];
    let error = Origin::start(OriginSettings { command, ..settings() }).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot start {NOWHERE}")), "{error}");
}

#[tokio::test]
async fn stopping_leaves_no_process_and_fails_what_comes_after() {
    let origin = start(settings());
    origin.stat(Path::new(PLACE)).await.unwrap();
    let pid = origin.counters().pid.unwrap();
    origin.stop().await;
    assert!(!exists(pid));
    let error = origin.stat(Path::new(PLACE)).await.unwrap_err();
    assert!(matches!(error, OriginError::Stopped { .. }));
    origin.stop().await;
}

#[tokio::test]
async fn an_abandoned_copy_gives_its_thread_back() {
    let root = scratch();
    let path = root.path().join("huge");
    let size = 8 << 30;
    File::create(&path).unwrap().set_len(size).unwrap();
    let origin = start(OriginSettings { parallel: 1, ..settings() });
    let mut fetch = origin.fetch(&path, state(&path), empty(), Rest::AtOnce);
    fetch.progress().await.unwrap();
    drop(fetch);
    origin.stat(&path).await.unwrap();
    assert!(origin.counters().operations.bytes < size / 2);
    origin.stop().await;
}

#[tokio::test]
async fn requests_that_come_together_are_sent_together() {
    let origin = start(settings());
    let mut asked = JoinSet::new();
    for _ in 0..64 {
        let origin = origin.clone();
        asked.spawn(async move { origin.stat(Path::new(PLACE)).await.unwrap() });
    }
    asked.join_all().await;
    let counters = origin.counters();
    assert_eq!((counters.requests, counters.operations.stat), (64, 64));
    assert!(counters.batches <= 64 - 15, "{counters:?}");
    origin.stop().await;
}

#[tokio::test]
async fn a_worker_that_says_nothing_is_killed_and_what_it_was_asked_is_late() {
    let settings = OriginSettings { deadline: Duration::from_secs(2), ..misbehaving("silence") };
    let origin = start(settings);
    let pid = origin.counters().pid.unwrap();
    let error = origin.stat(Path::new(PLACE)).await.unwrap_err();
    let late = matches!(error, OriginError::TimedOut { .. } | OriginError::WorkerLost { .. });
    assert!(late, "{error}");
    origin.stop().await;
    assert!(!exists(pid));
}
