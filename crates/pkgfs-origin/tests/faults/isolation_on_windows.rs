//! What ties the worker to the daemon, and what does not.

use std::{
    os::windows::io::AsHandle,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use pkgfs_win32::{child::Child, child_pipe};

use crate::harness::settings;

const LONG: Option<Duration> = Some(Duration::from_secs(20));

fn worker() -> (Child, [child_pipe::Ends; 2]) {
    let command = settings().command;
    let [to, from] = [child_pipe::to_child().unwrap(), child_pipe::from_child().unwrap()];
    let (stdin, stdout) = (to.1.as_handle(), from.1.as_handle());
    let program = Path::new(&command[0]);
    let place = Path::new(r"C:\\");
    (Child::spawn(program, &[], place, stdin, stdout).unwrap(), [to, from])
}

#[tokio::test]
async fn a_worker_ends_when_the_daemon_is_gone() {
    let (child, ends) = worker();
    assert_eq!(child.wait(Some(Duration::from_millis(300))).unwrap(), None);
    drop(ends);
    // What is under way ends on the runtime.
    let end = tokio::task::spawn_blocking(move || child.wait(LONG).unwrap());
    assert_eq!(end.await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_worker_ends_with_the_last_that_knows_it() {
    let (child, _ends) = worker();
    let id = child.id();
    assert!(crate::harness::exists(id));
    drop(child);
    let until = std::time::Instant::now() + LONG.unwrap();
    while crate::harness::exists(id) {
        assert!(std::time::Instant::now() < until, "it did not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn run_by_hand_it_says_what_it_is() {
    let output = Command::new(&settings().command[0]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("run by pkgfs itself"));
}
