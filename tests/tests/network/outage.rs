//! The share hangs, dies and comes back: what is local goes on, and nobody waits for ever.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pkgfs_tests::{Mounted, Scene, eventually};
use rustix::io::Errno;

use crate::share::{Caching, DEADLINE_SECONDS, Share};
use crate::{comparison, tree};

/// What is read before an outage, and what is not.
const SIZE: usize = 3_000_000;

fn share() -> Share {
    let scene = Scene::new();
    for name in ["warm", "cold"] {
        scene.repository().release(name, "1.0", |root| {
            fs::create_dir(root.join("unlisted")).unwrap();
            fs::write(root.join("unlisted/file"), "inside\n").unwrap();
            fs::write(root.join("small"), tree::content(5000)).unwrap();
            fs::write(root.join("large"), tree::content(SIZE)).unwrap();
        });
    }
    Share::new(scene, Caching::None)
}

/// Reads `warm` and waits until all of it is local: the last reader of a long file has its bytes
/// before they are checked and kept.
fn warm_up(share: &Share, mounted: &Mounted) -> [PathBuf; 2] {
    let [warm, cold] = ["warm", "cold"].map(|name| share.payload(mounted, name));
    assert_warm_is_whole(share, &warm);
    eventually("all files read are local", || mounted.view()["hydrated"]["files"] == 4);
    assert!(cold.join("small").exists());
    [warm, cold]
}

/// What must end by itself, in time: within the deadline, and what a busy machine adds. It runs
/// in a thread that is given up should it hang; the end of the mount frees it.
fn in_time<T: Send + 'static>(path: PathBuf, what: impl FnOnce(&Path) -> T + Send + 'static) -> T {
    let (sender, outcome) = mpsc::channel();
    thread::spawn(move || sender.send(what(&path)));
    let most = Duration::from_secs(2 * DEADLINE_SECONDS + 6);
    outcome.recv_timeout(most).unwrap_or_else(|_| panic!("it did not end within {most:?}"))
}

/// Whatever is not local fails in time, and is never said not to exist.
fn assert_cold_fails(cold: &Path) {
    let refused = |outcome: io::Result<()>, what: &str| {
        let error = outcome.expect_err(what);
        let errno = Errno::from_io_error(&error);
        assert!(!matches!(errno, Some(Errno::NOENT | Errno::NOTDIR)), "{what}: {error}");
    };
    refused(in_time(cold.join("small"), |path| fs::read(path).map(drop)), "a small file");
    refused(in_time(cold.join("large"), |path| fs::read(path).map(drop)), "a large file");
    refused(
        in_time(cold.join("unlisted/file"), |path| fs::read(path).map(drop)),
        "a name never listed",
    );
    // To open it asks for nothing.
    let list = |path: &Path| fs::read_dir(path)?.try_for_each(|entry| entry.map(drop));
    refused(in_time(cold.join("unlisted"), list), "a directory");
    // Their parent has been listed: what is known is known.
    assert_eq!(fs::metadata(cold.join("large")).unwrap().len(), SIZE as u64);
    assert!(!in_time(cold.join("missing"), |path| path.exists()));
}

/// Reads everything and compares it with the server's disk, which is there all the time.
fn assert_warm_is_whole(share: &Share, warm: &Path) {
    let disk = share.scene.repository().directory("warm", "1.0");
    assert_eq!(comparison::diff(&disk, warm), "");
}

#[test]
fn while_the_share_hangs_local_files_are_served_and_cold_reads_end_within_their_deadline() {
    let share = share();
    let mounted = share.mount();
    let [warm, cold] = warm_up(&share, &mounted);
    let hang = share.hang();
    assert_warm_is_whole(&share, &warm);
    assert_cold_fails(&cold);
    assert_warm_is_whole(&share, &warm);
    drop(hang);
    eventually("a cold file can be read again", || fs::read(cold.join("small")).is_ok());
    assert!(fs::read(cold.join("large")).unwrap() == tree::content(SIZE));
    assert_eq!(fs::read_to_string(cold.join("unlisted/file")).unwrap(), "inside\n");
}

#[test]
fn when_the_share_dies_local_files_are_served_and_the_rest_when_it_is_back() {
    let mut share = share();
    let mounted = share.mount();
    let [warm, cold] = warm_up(&share, &mounted);
    share.die();
    assert_warm_is_whole(&share, &warm);
    assert_cold_fails(&cold);
    // A daemon that starts now serves what is local, too.
    mounted.remount();
    assert_warm_is_whole(&share, &warm);
    assert_cold_fails(&cold);
    share.come_back();
    eventually("a cold file can be read again", || fs::read(cold.join("small")).is_ok());
    assert!(fs::read(cold.join("large")).unwrap() == tree::content(SIZE));
    assert_eq!(fs::read_to_string(cold.join("unlisted/file")).unwrap(), "inside\n");
}
