//! The life of a mount, from `pkgfs mount` to the proof that nothing is left.
// Mounts through FUSE, users by number and signals: tests/windows.rs is for the other side.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::{
    fs,
    io::{Read, Write},
    process::Stdio,
    thread,
    time::Duration,
};

use pkgfs_rez::VariantHandle;
use rustix::process::Signal;
use support::{Place, Sitter, eventually, kill, ran};

/// Asked by the mount's own user: root may not enter it.
fn is_dead(place: &Place) -> bool {
    place.status()["problem"].as_str().is_some_and(|problem| problem.contains("has died"))
}

#[test]
fn a_mount_answers_when_the_command_returns_and_nothing_is_left_of_it_after_unmount() {
    let place = Place::new();
    place.mount(&[]).good();
    assert!(place.mountpoint().join(".sys/pending").is_dir());
    let [mount] = &place.mounts()[..] else { panic!("{:?}", place.mounts()) };
    assert_eq!(mount.source, place.store());
    for option in ["nosuid", "nodev", "default_permissions"] {
        assert!(mount.options.split(',').any(|own| own == option), "{}", mount.options);
    }
    assert!(place.status()["daemon"]["view"]["registrations"].is_object());
    let ran = place.unmount(&[]).good();
    assert!(ran.out.contains("is unmounted"), "{ran:?}");
    assert!(place.processes().is_empty(), "{:?}", place.processes());
    place.assert_nothing_left();
}

#[test]
fn an_ordinary_user_mounts_and_unmounts() {
    let place = Place::of_ordinary_user();
    place.mount(&[]).good();
    assert_eq!(place.mounts()[0].user_id(), Some(65534));
    let table = place.run(&["status"]).good().out;
    assert!(table.contains(place.mountpoint().to_str().unwrap()), "{table}");
    let again = place.mount(&[]).good();
    assert!(again.out.contains("already mounted"), "{again:?}");
    place.unmount(&[]).good();
    place.assert_nothing_left();
}

#[test]
fn a_second_identical_mount_succeeds_and_says_so() {
    let place = Place::new();
    let first = place.mount(&[]).good();
    assert!(!first.out.contains("already"), "{first:?}");
    let pid = place.daemon_pid();
    let second = place.mount(&[]).good();
    assert!(second.out.contains("is already mounted"), "{second:?}");
    assert_eq!(place.daemon_pid(), pid);
    assert_eq!(place.mounts().len(), 1);
    place.unmount(&[]).good();
    place.assert_nothing_left();
}

#[test]
fn a_second_mountpoint_of_a_store_is_served_by_the_same_daemon() {
    let place = Place::new();
    place.mount(&[]).good();
    let pid = place.daemon_pid();
    let second = place.at("second/deep");
    let second = second.to_str().unwrap();
    let store = place.store();
    place.run(&["mount", second, "--store", store.to_str().unwrap()]).good();
    fs::write(place.at("second/deep/.sys/log/x"), "seen").unwrap();
    assert_eq!(fs::read_to_string(place.mountpoint().join(".sys/log/x")).unwrap(), "seen");
    place.unmount(&[]).good();
    assert_eq!(place.mounts().len(), 1);
    let status = place.run(&["status", second, "--json"]).good().out;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["mounts"][0]["daemon"]["pid"], pid);
    place.run(&["unmount", second]).good();
    assert!(!place.at("second/deep").exists());
    place.assert_nothing_left();
}

#[test]
fn mounts_of_one_store_started_at_once_all_succeed() {
    let place = Place::new();
    let store = place.store();
    let children: Vec<_> = (0..4)
        .map(|number| {
            let mountpoint = place.at(&format!("m{number}"));
            let arguments =
                ["mount", mountpoint.to_str().unwrap(), "--store", store.to_str().unwrap()];
            let mut command = place.command(&arguments);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        ran(child.wait_with_output().unwrap()).good();
    }
    assert_eq!(place.mounts().len(), 4);
    for number in 0..4 {
        place.run(&["unmount", place.at(&format!("m{number}")).to_str().unwrap()]).good();
    }
    place.assert_nothing_left();
}

#[test]
fn a_busy_unmount_names_who_uses_it_and_leaves_the_mount_working() {
    let place = Place::new();
    place.mount(&[]).good();
    let sitter = Sitter::in_directory(&place.mountpoint());
    let open = fs::File::create(place.mountpoint().join(".sys/log/held")).unwrap();
    let ran = place.unmount(&[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let line = |pid: u32, how: &str| {
        let start = format!("  {pid} ");
        ran.err.lines().any(|line| line.starts_with(&start) && line.contains(how))
    };
    assert!(line(sitter.0.id(), "sleep (working directory"), "{ran:?}");
    assert!(line(std::process::id(), ".sys/log/held open"), "{ran:?}");
    assert!(place.mountpoint().join(".sys/pending").is_dir());
    drop((open, sitter));
    place.unmount(&[]).good();
    place.assert_nothing_left();
}

#[test]
fn who_uses_a_mount_in_passing_does_not_keep_it() {
    let place = Place::new();
    place.mount(&[]).good();
    let open = fs::File::create(place.mountpoint().join(".sys/log/held")).unwrap();
    let user = thread::spawn(move || {
        thread::sleep(Duration::from_millis(400));
        drop(open);
    });
    place.unmount(&[]).good();
    user.join().unwrap();
    place.assert_nothing_left();
}

#[test]
fn a_command_run_inside_the_mount_does_not_keep_it_busy() {
    let place = Place::new();
    place.mount(&[]).good();
    let output = place.command(&["unmount", "."]).current_dir(place.mountpoint()).output().unwrap();
    ran(output).good();
    place.assert_nothing_left();
}

#[test]
fn a_lazy_unmount_lets_open_files_finish_and_then_the_daemon_ends() {
    let place = Place::new();
    place.mount(&[]).good();
    let path = place.mountpoint().join(".sys/log/held");
    fs::write(&path, "before").unwrap();
    let mut held = fs::OpenOptions::new().read(true).append(true).open(&path).unwrap();
    let ran = place.unmount(&["--lazy"]).good();
    assert!(ran.out.contains("ends when the last file"), "{ran:?}");
    assert_eq!(place.mounts(), []);
    assert!(!place.mountpoint().exists());
    held.write_all(b" and after").unwrap();
    let mut text = String::new();
    fs::File::open(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&held)))
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "before and after");
    assert!(!place.processes().is_empty());
    drop(held);
    place.assert_nothing_left();
}

#[test]
fn a_store_detached_from_one_place_can_be_mounted_there_again_meanwhile() {
    let place = Place::new();
    place.mount(&[]).good();
    let held = fs::File::create(place.mountpoint().join(".sys/log/held")).unwrap();
    place.unmount(&["--lazy"]).good();
    place.mount(&[]).good();
    assert!(place.mountpoint().join(".sys/log/held").exists());
    drop(held);
    place.unmount(&[]).good();
    place.assert_nothing_left();
}

#[test]
fn a_mount_whose_daemon_was_killed_is_recovered_and_that_is_said() {
    for place in [Place::new(), Place::of_ordinary_user()] {
        place.mount(&[]).good();
        place.crash();
        eventually("the mount is dead", || is_dead(&place));
        let ran = place.mount(&[]).good();
        assert!(ran.out.contains("had died"), "{ran:?}");
        assert!(place.status()["problem"].is_null());
        assert_eq!(place.mounts().len(), 1);
        place.unmount(&[]).good();
        place.assert_nothing_left();
    }
}

#[test]
fn a_mount_whose_daemon_was_killed_can_be_unmounted() {
    for place in [Place::new(), Place::of_ordinary_user()] {
        place.mount(&[]).good();
        let sitter = place.is_ours().then(|| Sitter::in_directory(&place.mountpoint()));
        place.crash();
        eventually("the mount is dead", || is_dead(&place));
        let ran = place.unmount(&[]).good();
        assert!(ran.out.contains("had died"), "{ran:?}");
        drop(sitter);
        assert_eq!(place.mounts(), []);
        assert!(!place.mountpoint().exists());
        eventually("every process has ended", || place.processes().is_empty());
    }
}

#[test]
fn an_unmount_by_other_means_ends_the_daemon_and_removes_the_directory() {
    let place = Place::new();
    place.mount(&[]).good();
    pkgfs_fuse::unmount(&place.mountpoint(), false).unwrap();
    eventually("the directory is gone", || !place.mountpoint().exists());
    eventually("every process has ended", || place.processes().is_empty());
    place.assert_nothing_left();
}

#[test]
fn a_mount_detached_by_other_means_leaves_no_directory_for_rez_to_fill() {
    let place = Place::new();
    place.mount(&[]).good();
    let path = place.mountpoint().join(".sys/log/held");
    fs::write(&path, "still here").unwrap();
    let mut held = fs::File::open(&path).unwrap();
    pkgfs_fuse::unmount(&place.mountpoint(), true).unwrap();
    eventually("the directory is gone", || !place.mountpoint().exists());
    let mut text = String::new();
    held.read_to_string(&mut text).unwrap();
    assert_eq!(text, "still here");
    drop(held);
    place.assert_nothing_left();
}

#[test]
fn sigterm_unmounts_and_detaches_what_is_busy() {
    let place = Place::new();
    place.mount(&[]).good();
    kill(place.daemon_pid(), Signal::TERM);
    eventually("every process has ended", || place.processes().is_empty());
    place.assert_nothing_left();

    place.mount(&[]).good();
    let held = fs::File::create(place.mountpoint().join(".sys/log/held")).unwrap();
    kill(place.daemon_pid(), Signal::TERM);
    eventually("the mount is detached", || place.mounts().is_empty());
    drop(held);
    place.assert_nothing_left();
}

#[test]
fn in_the_foreground_the_command_is_the_daemon_and_ends_with_an_interrupt() {
    let place = Place::new();
    let (mountpoint, store) = (place.mountpoint(), place.store());
    let arguments =
        ["mount", mountpoint.to_str().unwrap(), "--store", store.to_str().unwrap(), "--foreground"];
    let child = place.command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    eventually("it is mounted", || place.mounts().len() == 1);
    eventually("it answers", || mountpoint.join(".sys/pending").is_dir());
    assert_eq!(place.daemon_pid(), child.id() as i32);
    kill(child.id() as i32, Signal::INT);
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("is mounted"), "{ran:?}");
    place.assert_nothing_left();
}

#[test]
fn a_store_with_a_path_longer_than_a_socket_address_can_be_controlled() {
    let place = Place::new();
    let store = place.at(&format!("{}/{}", "a".repeat(100), "b".repeat(100)));
    let (mountpoint, store) = (place.mountpoint(), store.to_str().unwrap().to_owned());
    place.run(&["mount", mountpoint.to_str().unwrap(), "--store", &store]).good();
    assert!(place.daemon_pid() > 0);
    place.unmount(&[]).good();
    place.assert_nothing_left();
}

#[test]
fn names_with_blanks_commas_and_other_letters_are_mounted_and_found_again() {
    for place in [Place::new(), Place::of_ordinary_user()] {
        let (mountpoint, store) = (place.at("a b,ü\\"), place.at("s t,ö\\re"));
        let mountpoint = mountpoint.to_str().unwrap();
        place.run(&["mount", mountpoint, "--store", store.to_str().unwrap()]).good();
        assert_eq!(place.mounts()[0].source, store);
        let again = place.run(&["mount", mountpoint, "--store", store.to_str().unwrap()]).good();
        assert!(again.out.contains("already"), "{again:?}");
        place.run(&["unmount", mountpoint]).good();
        place.assert_nothing_left();
    }
}

#[test]
fn a_changed_origin_is_read_again_after_flush() {
    let place = Place::new();
    let package = place.at("repo/foo/1.0.0");
    fs::create_dir_all(&package).unwrap();
    let definition = "name = 'foo'\nversion = '1.0.0'\ncachable = True\n";
    fs::write(package.join("package.py"), definition).unwrap();
    fs::write(package.join("data"), "old").unwrap();
    place.mount(&["--repo", place.at("repo").to_str().unwrap()]).good();

    let location = fs::canonicalize(place.at("repo")).unwrap().to_str().unwrap().to_owned();
    let version = Some("1.0.0".to_owned());
    let handle = VariantHandle { location, name: "foo".to_owned(), version, index: None };
    let level = place.mountpoint().join("foo/1.0.0").join(handle.h4());
    let shown = level.join("a/data");
    assert!(level.is_dir(), "{}", place.log());
    assert_eq!(fs::read_to_string(&shown).unwrap(), "old");
    fs::write(package.join("data"), "newer").unwrap();

    let ran = place.run(&["flush", place.mountpoint().to_str().unwrap(), "bar"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("bar: no registered variant is meant by it"), "{ran:?}");
    for wanted in ["foo-1.0.0", level.join("a").to_str().unwrap()] {
        let ran = place.run(&["flush", place.mountpoint().to_str().unwrap(), wanted]).good();
        assert!(ran.out.contains(&format!("flushed {}", handle.uri())), "{ran:?}");
    }
    assert_eq!(fs::read_to_string(&shown).unwrap(), "newer");
    let table = place.run(&["status", place.mountpoint().to_str().unwrap()]).good().out;
    assert!(table.contains("variants      1 registered"), "{table}");
    place.unmount(&[]).good();
    place.assert_nothing_left();
}

#[test]
fn with_nothing_mounted_status_says_so_and_exits_with_3() {
    let place = Place::new();
    let ran = place.run(&["status", place.mountpoint().to_str().unwrap()]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.out.contains("nothing is mounted at"), "{ran:?}");
}

#[test]
fn the_control_socket_answers_its_owner_over_curl_and_nobody_else() {
    support::needs_root();
    let place = Place::new();
    place.mount(&[]).good();
    let socket = place.store().join("control.sock");
    let ask = |wrapper: &[&str]| {
        let mut command = std::process::Command::new("env");
        command.args(wrapper).args(["curl", "-sS", "--unix-socket"]).arg(&socket);
        ran(command.arg("http://pkgfs/v1/status").output().unwrap())
    };
    assert!(ask(&[]).good().out.contains("\"pid\""));
    // Even if somebody opened the directories to all.
    for path in [place.at(""), place.store(), socket.clone()] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(path, mode).unwrap();
    }
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let ran = ask(&nobody).good();
    assert!(ran.out.contains("only the store's owner and root"), "{ran:?}");
    place.unmount(&[]).good();
    place.assert_nothing_left();
}
