//! The ways in which a mount serves bytes: which is taken, and what each does.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pkgfs_tests::{MountOptions, Mounted, Scene, User, eventually};
use rustix::fs::{Mode, OFlags, openat};
use rustix::process::{Pid, Signal, kill_process};

/// Longer than any read takes, shorter than a test may.
const PATIENCE: Duration = Duration::from_secs(20);

/// More than the kernel reads ahead.
const LARGE: usize = 8 << 20;

fn scene() -> Scene {
    let scene = Scene::new();
    scene.repository().release("tool", "1.0", |root| {
        fs::write(root.join("large"), content()).unwrap();
        fs::write(root.join("small"), "small").unwrap();
    });
    scene
}

fn content() -> Vec<u8> {
    (0..LARGE).map(|at| (at >> 8) as u8 ^ at as u8).collect()
}

fn mounted(scene: &Scene, mode: &str, user: User) -> Mounted {
    let configuration = format!("mode = '{mode}'");
    scene.mount(&MountOptions { user, configuration, ..MountOptions::default() })
}

/// Reads the file with the daemon stopped; `None` if the read needs it.
fn read_without_the_daemon(mounted: &Mounted, mut file: File) -> Option<Vec<u8>> {
    let daemon = Pid::from_raw(i32::try_from(mounted.daemon_pid()).unwrap()).unwrap();
    kill_process(daemon, Signal::STOP).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = file.read_to_end(&mut bytes).map(|_| bytes);
        // Closed before the outcome is told: a close must not outlive the test.
        drop(file);
        sender.send(read.unwrap()).ok();
    });
    let first = receiver.recv_timeout(Duration::from_secs(2));
    kill_process(daemon, Signal::CONT).unwrap();
    let read = first.ok();
    if read.is_none() {
        assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), content());
    }
    read
}

fn is_local(mounted: &Mounted, path: &Path) {
    assert_eq!(fs::read(path).unwrap(), content());
    eventually("the file is committed", || mounted.view()["hydrated"]["bytes"] != 0);
}

#[test]
fn the_first_mode_that_a_mount_may_risk_is_taken() {
    let scene = scene();
    let own = MountOptions::default();
    let shared = MountOptions { allow_other: true, ..own.clone() };
    let ordinary = MountOptions { user: User::Ordinary, ..own.clone() };
    for (options, mode) in [(own, "passthrough"), (shared, "passthrough"), (ordinary, "stateless")]
    {
        assert_eq!(scene.mount(&options).mode(), mode, "{options:?}");
    }
}

#[test]
fn a_file_that_is_local_is_read_by_the_kernel_itself() {
    let scene = scene();
    let mounted = mounted(&scene, "passthrough", User::Own);
    let path = mounted.payload("tool", "1.0", None).join("large");
    is_local(&mounted, &path);
    mounted.remount();
    let file = File::open(&path).unwrap();
    assert_eq!(read_without_the_daemon(&mounted, file).unwrap(), content());
}

#[test]
fn a_file_opened_before_it_was_local_is_read_through_the_daemon_until_all_its_handles_are_closed() {
    let scene = scene();
    let mounted = mounted(&scene, "passthrough", User::Own);
    let path = mounted.payload("tool", "1.0", None).join("large");
    let early = File::open(&path).unwrap();
    is_local(&mounted, &path);
    // In one way at a time: the kernel refuses two.
    let late = File::open(&path).unwrap();
    let mut bytes = Vec::new();
    (&late).read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, content());
    drop((early, late));
    drop_caches(&path);
    eventually("the kernel reads it by itself", || {
        read_without_the_daemon(&mounted, File::open(&path).unwrap()).is_some()
    });
}

/// Has the kernel drop the pages it keeps of a file.
fn drop_caches(path: &Path) {
    let file = File::open(path).unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

#[test]
fn without_backing_files_bytes_are_asked_for() {
    let scene = scene();
    let mounted = mounted(&scene, "cached", User::Own);
    let path = mounted.payload("tool", "1.0", None).join("large");
    is_local(&mounted, &path);
    mounted.remount();
    assert_eq!(read_without_the_daemon(&mounted, File::open(&path).unwrap()), None);
}

#[test]
fn a_stateless_mount_opens_known_files_without_asking() {
    let scene = scene();
    let mounted = mounted(&scene, "stateless", User::Ordinary);
    // Above the payload names are asked for anew: releases appear there.
    let root = mounted.payload("tool", "1.0", None);
    let root = User::Ordinary.run(|| File::open(root).unwrap());
    let read = move || {
        User::Ordinary.run(|| {
            let small = openat(&root, "small", OFlags::RDONLY, Mode::empty()).unwrap();
            std::io::read_to_string(File::from(small)).unwrap()
        })
    };
    // The second time the kernel asks for the attributes: bytes that it was given are an access.
    assert_eq!([read(), read()], ["small", "small"]);
    let daemon = Pid::from_raw(i32::try_from(mounted.daemon_pid()).unwrap()).unwrap();
    kill_process(daemon, Signal::STOP).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(read()).ok());
    let again = receiver.recv_timeout(PATIENCE);
    kill_process(daemon, Signal::CONT).unwrap();
    assert_eq!(again.unwrap(), "small");
}

#[test]
fn a_stateless_mount_acts_on_what_rez_writes_before_the_write_returns_and_tells_of_what_is_cut_off()
{
    let scene = scene();
    let configuration = "mode = 'stateless'".to_owned();
    let options = MountOptions {
        user: User::Ordinary,
        serves_look_ups: false,
        configuration,
        ..MountOptions::default()
    };
    let mounted = scene.mount(&options);
    let handle = scene.repository().handle("tool", "1.0", None).to_json();
    let pending = mounted.mountpoint().join(".sys/pending");
    User::Ordinary.run(|| fs::write(pending.join("one.json"), &handle).unwrap());
    let small = mounted.payload("tool", "1.0", None).join("small");
    assert_eq!(User::Ordinary.run(|| fs::read_to_string(&small).unwrap()), "small");

    let cut = &handle[..handle.len() / 2];
    User::Ordinary.run(|| {
        fs::write(pending.join("two.json"), cut).unwrap();
        fs::remove_file(pending.join("two.json")).unwrap();
    });
    eventually("what was cut off is told of", || {
        mounted.view()["problems"].to_string().contains(".sys/pending")
    });
}
