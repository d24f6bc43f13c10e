//! The conversation with a process that pretends to be rez, on systems that have no rez, too.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use pkgfs_rez_worker::{RezError, RezWorker, RezWorkerSettings, ToldPackage};

fn worker() -> RezWorker {
    let tests = std::env::current_exe().unwrap();
    let examples = tests.ancestors().nth(2).unwrap().join("examples");
    let program = examples.join("pretended-rez").with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.exists(), "{}: run all targets of this crate", program.display());
    let command = vec![program.to_str().unwrap().to_owned()];
    RezWorker::new(RezWorkerSettings { command, deadline: Duration::from_secs(1) })
}

async fn ask(worker: &RezWorker, name: &str) -> Result<Option<ToldPackage>, RezError> {
    worker.package("/sw/pkg", name, None).await
}

#[tokio::test]
async fn what_it_says_is_told() {
    let worker = worker();
    let told = ask(&worker, "foo").await.unwrap().unwrap();
    assert_eq!((&*told.name, &*told.location, told.cachable), ("foo", "/sw/pkg", true));
    assert_eq!(ask(&worker, "none").await.unwrap(), None);
    let after = Duration::from_secs(1);
    assert_eq!(ask(&worker, "late").await.unwrap_err(), RezError::TimedOut { after });
    assert_eq!(ask(&worker, "dead").await.unwrap_err(), RezError::Died);
    let wrong = RezError::Raised("it is wrong".to_owned());
    assert_eq!(ask(&worker, "wrong").await.unwrap_err(), wrong);
    let status = worker.status();
    assert_eq!((status.started, status.version.as_deref()), (1, Some("pretended")));
    assert!(status.pid.is_some());
    worker.stop().await;
}

#[tokio::test]
async fn one_that_ended_is_replaced_and_one_that_says_nothing_is_ended() {
    let worker = worker();
    assert_eq!(ask(&worker, "end").await.unwrap_err(), RezError::Died);
    assert!(ask(&worker, "foo").await.unwrap().is_some());
    // Ended twice: now, and when it was asked again.
    let started = worker.status().started;
    let silent = ask(&worker, "silent").await.unwrap_err();
    assert!(matches!(silent, RezError::TimedOut { .. }), "{silent}");
    assert!(ask(&worker, "foo").await.unwrap().is_some());
    assert_eq!(worker.status().started, started + 1);
    worker.stop().await;
    assert_eq!(worker.status().left_behind, 0);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told() {
    let command = vec!["no-such-rez-python".to_owned()];
    let settings = RezWorkerSettings { command, deadline: Duration::from_secs(1) };
    let error = ask(&RezWorker::new(settings), "foo").await.unwrap_err();
    assert!(error.to_string().contains("no-such-rez-python"), "{error}");
}
