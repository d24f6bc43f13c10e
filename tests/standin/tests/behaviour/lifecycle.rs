//! Nothing is left behind: no mount, no process, no caller that waits for ever.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use pkgfs_standin::{Effect, Error, Fault, Operation, Options, Standin, StandinProcess};
use rustix::process::{Pid, Signal, kill_process};

use crate::storage::{BINARY, Storage, keeping, wait_until, write};

fn is_mounted(path: &Path) -> bool {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.contains(&format!(" {} ", path.display()))
}

#[test]
fn dropping_it_leaves_neither_mount_nor_process() {
    let (source, mount) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let process = StandinProcess::spawn(BINARY, source.path(), mount.path(), &keeping()).unwrap();
    let pid = process.pid();
    assert!(is_mounted(mount.path()));
    drop(process);
    assert!(!is_mounted(mount.path()));
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn dropping_it_ends_what_hangs_and_keeps_open_files_from_holding_it() {
    let storage = Storage::mount(&keeping(), |source| {
        for name in ["open", "opening", "reading", "looked-up"] {
            write(source.join(name), b"x");
        }
    });
    let kept_open = fs::File::open(storage.seen("open")).unwrap();
    let control = storage.control();
    for (operation, name) in [
        (Operation::Open, "opening"),
        (Operation::Read, "reading"),
        (Operation::Lookup, "looked-up"),
    ] {
        control.fault(&Fault::new(Effect::Hang).at(name).on([operation])).unwrap();
    }
    let waiting: Vec<_> = ["opening", "reading", "looked-up"]
        .map(|name| storage.seen(name))
        .map(|path| thread::spawn(move || fs::read(path)))
        .into();
    wait_until("three hang", || control.stats().unwrap().hung == 3);
    // An invalidation waits in the kernel behind the hung look-up and must not hold the exit.
    let forgetting = {
        let control = control.clone();
        thread::spawn(move || control.forget("looked-up"))
    };
    let (pid, mount) = (storage.process.pid(), storage.seen(""));
    drop(storage);
    for caller in waiting {
        caller.join().unwrap().unwrap_err();
    }
    forgetting.join().unwrap().ok();
    assert!(!is_mounted(&mount));
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    drop(kept_open);
}

#[test]
fn a_stand_in_killed_while_its_own_invalidation_hangs_leaves_neither_mount_nor_process() {
    let storage = Storage::mount(&keeping(), |source| write(source.join("f"), b"x"));
    let control = storage.control();
    control.fault(&Fault::new(Effect::Hang).on([Operation::Lookup])).unwrap();
    let path = storage.seen("f");
    let caller = thread::spawn(move || fs::read(path));
    wait_until("it hangs", || control.stats().unwrap().hung == 1);
    let forgetting = {
        let control = control.clone();
        thread::spawn(move || control.forget("f"))
    };
    let pid = storage.process.pid();
    wait_until("the invalidation is stuck in the kernel", || has_stuck_thread(pid));

    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
    let mount = storage.seen("");
    drop(storage);
    caller.join().unwrap().unwrap_err();
    forgetting.join().unwrap().unwrap_err();
    assert!(!is_mounted(&mount));
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

/// Whether a thread of the process waits uninterruptibly.
fn has_stuck_thread(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.flatten().any(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|fields| fields.starts_with('D'))
    })
}

#[test]
fn a_signal_or_an_unmount_ends_it() {
    for end in ["signal", "unmount"] {
        let (source, mount) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut child = Command::new(BINARY)
            .args([source.path(), mount.path()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Mounted, or serving, is not yet ready: it looks at its mount once more.
        let mut said = [0; 6];
        child.stdout.take().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(&said, b"ready\n");
        assert!(is_mounted(mount.path()));
        if end == "signal" {
            kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        } else {
            rustix::mount::unmount(mount.path(), rustix::mount::UnmountFlags::empty()).unwrap();
        }
        assert!(child.wait().unwrap().success(), "{end}");
        assert!(!is_mounted(mount.path()));
    }
}

#[test]
fn a_mount_inside_the_process_is_unmounted_on_drop() {
    let (source, mount) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(source.path().join("f"), b"x");
    let standin = Standin::mount(source.path(), mount.path(), Options::uncached()).unwrap();
    assert_eq!(fs::read(mount.path().join("f")).unwrap(), b"x");
    drop(standin);
    assert!(!is_mounted(mount.path()));
    assert!(!mount.path().join("f").exists());
}

#[test]
fn a_source_that_is_missing_is_told() {
    let mount = tempfile::tempdir().unwrap();
    let refused = StandinProcess::spawn(BINARY, "/no/such/dir", mount.path(), &keeping());
    let error = refused.unwrap_err();
    assert!(matches!(error, Error::Start { .. }));
    assert!(error.to_string().contains("cannot mirror /no/such/dir"), "{error}");
}
