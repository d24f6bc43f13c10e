//! The daemon dies, and another takes over.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use pkgfs_tests::standin::{Effect, Fault, Operation, Options};
use pkgfs_tests::{MountOptions, Scene, User, ends, eventually};
use rustix::process::Signal;

use crate::load::{Way, register};
use crate::process::reader;
use crate::restless::{KNOWN, Restless};
use crate::{packages, store};

/// Packages that are registered at most in a life of a daemon under load.
const NEW: usize = 15;

/// How often a daemon is killed under load; `cargo xtask soak` asks for more.
fn kills() -> usize {
    std::env::var("PKGFS_KILLS").map_or(4, |kills| kills.parse().unwrap())
}

/// The packages that a load knows, and new ones; every third of those is for rez to copy in.
fn release(scene: &Scene, new: usize) {
    packages::release(scene, KNOWN + new);
    (KNOWN..KNOWN + new).filter(|package| package % 3 == 2).for_each(|package| {
        packages::leave_to_rez(scene, package);
    });
}

fn killed_under_load(options: &MountOptions) {
    let scene = Scene::behind_standin(&Options { delay_us: 100, ..Options::default() });
    let new = NEW * kills();
    release(&scene, new);
    let mounted = scene.mount(options);
    let killing = || {
        let mut daemon = mounted.daemon_pid();
        for life in 0..kills() {
            // A life that is too short counts as a failure to take over.
            thread::sleep(Duration::from_millis(600 + (life as u64 * 37) % 100));
            ends(daemon, Signal::KILL);
            daemon = mounted.next_daemon(daemon);
        }
    };
    let load = Restless::run(&scene, &mounted, options.user, new, killing);
    println!("{} steps, the longest took {:?}", load.steps(), load.longest());
    let hand_over = mounted.status()["daemon"]["hand_over"].clone();
    assert_eq!(hand_over["taken_over"], kills(), "{hand_over}");
    mounted.unmount();
    assert!(store::assert_sound(&mounted.store()) > KNOWN);
    mounted.mount_again();
    options.user.run(|| (0..KNOWN).for_each(|package| packages::assert_whole(&mounted, package)));
}

#[test]
fn programs_notice_no_death_in_a_passthrough_mount() {
    killed_under_load(&MountOptions::default());
}

#[test]
fn programs_notice_no_death_in_a_cached_mount() {
    let configuration = "mode = 'cached'".to_owned();
    killed_under_load(&MountOptions { configuration, ..MountOptions::default() });
}

#[test]
fn programs_notice_no_death_in_a_stateless_mount() {
    killed_under_load(&MountOptions { user: User::Ordinary, ..MountOptions::default() });
}

#[test]
fn an_upgrade_under_load_is_noticed_by_nobody() {
    let scene = Scene::behind_standin(&Options::default());
    release(&scene, 3 * NEW);
    let mounted = scene.mount(&MountOptions::default());
    let mountpoint = mounted.mountpoint();
    let upgrade = ["upgrade".as_ref(), mountpoint.as_os_str()];
    Restless::run(&scene, &mounted, User::Own, 3 * NEW, || {
        for _ in 0..3 {
            let said = mounted.pkgfs(&upgrade).good().out;
            assert!(said.contains("has taken over from process"), "{said}");
        }
    });
}

/// Notices wait in the kernel for directories that copies keep locked: once a daemon that was to end
/// did not, since its last notice waited for an answer that only the next one would give.
#[test]
fn copies_by_rez_go_on_over_upgrades() {
    let scene = Scene::behind_standin(&Options::default());
    let (copiers, each) = (4, 8);
    packages::release(&scene, copiers * each);
    (0..copiers * each).for_each(|package| packages::leave_to_rez(&scene, package));
    let mounted = scene.mount(&MountOptions::default());
    let mountpoint = mounted.mountpoint();
    thread::scope(|scope| {
        let (scene, mounted) = (&scene, &mounted);
        let copies = (0..copiers).map(|copier| {
            scope.spawn(move || {
                for package in (0..each).map(|turn| turn * copiers + copier) {
                    assert!(register(scene, mounted, package, Way::CopyIn).unwrap());
                    packages::assert_whole(mounted, package);
                }
            })
        });
        let copies: Vec<_> = copies.collect();
        while copies.iter().any(|copies| !copies.is_finished()) {
            let _ = mounted.pkgfs(&["upgrade".as_ref(), mountpoint.as_os_str()]).good();
        }
    });
    mounted.unmount();
    assert!(store::assert_sound(&mounted.store()) > copiers * each);
}

#[test]
fn a_program_that_cannot_take_over_is_followed_by_the_one_before() {
    let scene = Scene::new();
    packages::release(&scene, 1);
    let mounted = scene.mount(&MountOptions::default());
    packages::assert_whole(&mounted, 0);
    let former = mounted.daemon_pid();
    let mountpoint = mounted.mountpoint();
    let upgrade = |program: &Path| {
        let arguments = ["upgrade".as_ref(), mountpoint.as_os_str(), "--program".as_ref()];
        mounted.pkgfs(&[&arguments[..], &[program.as_os_str()]].concat())
    };
    let said = upgrade("/bin/ls".as_ref()).bad();
    assert!(said.err.contains("/bin/ls is not pkgfs: choose another --program"), "{said:?}");
    assert_eq!(mounted.daemon_pid(), former);
    let broken = scene.path("broken");
    fs::write(&broken, "#!/bin/sh\n[ \"$1\" = --version ] && echo pkgfs 99.0\n").unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    let said = upgrade(&broken).bad();
    assert!(said.err.contains("broken did not take over; version"), "{said:?}");
    assert_ne!(mounted.daemon_pid(), former);
    packages::assert_whole(&mounted, 0);
}

#[test]
fn what_was_not_answered_is_answered_by_the_next_daemon() {
    for user in [User::Own, User::Ordinary] {
        let scene = Scene::behind_standin(&Options::uncached());
        packages::release(&scene, 2);
        let mounted = scene.mount(&MountOptions { user, ..MountOptions::default() });
        let file = mounted.payload("p000", "1.0", None).join("inner-1/file-3");
        let open = user.run(|| File::open(&file).unwrap());
        let hang = Fault::new(Effect::Hang).on([Operation::Open, Operation::Read]);
        scene.standin().control().fault(&hang).unwrap();
        let mut asking = user.run(|| [reader(&file), reader(&file)]);
        for reader in &asking {
            let waits = format!("/proc/{}/wchan", reader.id());
            eventually("it waits for its bytes", || {
                let waits = fs::read_to_string(&waits).unwrap_or_default();
                waits.contains("folio") || waits.contains("fuse")
            });
        }
        ends(mounted.daemon_pid(), Signal::KILL);
        scene.standin().control().clear_faults().unwrap();
        scene.standin().control().release().unwrap();
        for reader in &mut asking {
            assert!(reader.wait().unwrap().success());
        }
        let mut read = Vec::new();
        (&open).read_to_end(&mut read).unwrap();
        assert!(read == packages::content(0, 3), "opened before, read after");
        user.run(|| packages::assert_whole(&mounted, 0));
    }
}

#[test]
fn what_several_daemons_in_a_row_may_have_died_of_is_refused() {
    let scene = Scene::behind_standin(&Options::uncached());
    packages::release(&scene, 2);
    // Longer than this test waits: only a refusal ends a read.
    let configuration = "origin.deadline_seconds = 300".to_owned();
    let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
    packages::assert_whole(&mounted, 0);
    let file = mounted.payload("p001", "1.0", None).join("inner-1/file-3");
    assert!(file.exists());
    scene.standin().control().fault(&Fault::new(Effect::Hang).on([Operation::Read])).unwrap();
    // Past the page cache: what is refused is not asked for again.
    let mut asking = Command::new("dd")
        .arg(format!("if={}", file.display()))
        .args(["of=/dev/null", "iflag=direct", "bs=4096"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let waits = format!("/proc/{}/wchan", asking.id());
    eventually("it waits for its bytes", || {
        fs::read_to_string(&waits).unwrap_or_default().contains("request_wait")
    });
    let holder = mounted.holder_pid();
    let mut daemon = mounted.daemon_pid();
    let mut deaths = 0;
    let refused = loop {
        if let Some(ended) = asking.try_wait().unwrap() {
            break ended;
        }
        ends(daemon, Signal::KILL);
        deaths += 1;
        assert!(deaths < 5, "what is sent again is never refused");
        // As soon as it is there: whoever takes over dies of it, too.
        let children = format!("/proc/{holder}/task/{holder}/children");
        eventually("another takes over", || {
            let next = fs::read_to_string(&children).unwrap();
            let next = next.split_whitespace().filter_map(|pid| pid.parse().ok()).next_back();
            next.filter(|next| *next != daemon).is_some_and(|next| {
                daemon = next;
                true
            })
        });
        if deaths >= 3 {
            eventually("the reader was refused", || asking.try_wait().unwrap().is_some());
        }
    };
    assert!(!refused.success());
    scene.standin().control().clear_faults().unwrap();
    scene.standin().control().release().unwrap();
    packages::assert_whole(&mounted, 0);
    packages::assert_whole(&mounted, 1);
}

#[test]
fn daemons_that_cannot_take_over_come_to_an_end_that_is_told_and_nobody_waits() {
    let scene = Scene::new();
    packages::release(&scene, 1);
    let mounted = scene.mount(&MountOptions::default());
    packages::assert_whole(&mounted, 0);
    let open = File::open(mounted.payload("p000", "1.0", None).join("inner-1/file-1")).unwrap();
    let (serving, stamp) = (mounted.all_processes(), mounted.store().join("format"));
    let sound = fs::read(&stamp).unwrap();
    fs::write(&stamp, "pkgfs store 999\n").unwrap();
    serving.kill_daemon();
    eventually("the mount is taken away", || !mounted.mountpoint().exists());
    eventually("the holder has ended", || !crate::process::runs(serving.holder()));
    let log = mounted.log();
    assert!(log.contains("died one after the other"), "{log}");
    assert!(log.contains("has format 999"), "{log}");
    drop(open);
    fs::write(&stamp, sound).unwrap();
    mounted.mount_again();
    packages::assert_whole(&mounted, 0);
}

#[test]
fn the_process_that_holds_a_mount_may_die_too() {
    let scene = Scene::new();
    packages::release(&scene, 2);
    let mounted = scene.mount(&MountOptions::default());
    packages::assert_whole(&mounted, 0);
    for _ in 0..2 {
        let (daemon, holder) = (mounted.daemon_pid(), mounted.holder_pid());
        ends(holder, Signal::KILL);
        eventually("another holds it", || {
            let now = mounted.status()["daemon"]["hand_over"]["holder"].as_u64();
            now.is_some_and(|now| now != u64::from(holder))
        });
        assert_eq!(mounted.daemon_pid(), daemon);
        thread::sleep(Duration::from_millis(600));
        ends(daemon, Signal::KILL);
        packages::assert_whole(&mounted, 1);
        let _ = mounted.next_daemon(daemon);
    }
}

#[test]
fn a_copy_by_rez_goes_on_over_a_death() {
    for user in [User::Own, User::Ordinary] {
        let scene = Scene::new();
        packages::release(&scene, 1);
        packages::leave_to_rez(&scene, 0);
        let mounted = scene.mount(&MountOptions { user, ..MountOptions::default() });
        let place = mounted.registration("p000", "1.0", None);
        let handle = scene.repository().handle("p000", "1.0", None).to_json();
        let dies = || {
            let daemon = mounted.daemon_pid();
            thread::sleep(Duration::from_millis(550));
            ends(daemon, Signal::KILL);
        };
        user.run(|| fs::create_dir_all(&place).unwrap());
        dies();
        let mark = place.join(".copying-a");
        let text = format!("{{\"handle\": {handle}}}");
        let (begin, rest) = text.split_at(20);
        let mut json = user.run(|| {
            File::create(&mark).unwrap();
            let mut json = File::create(place.join("a.json")).unwrap();
            json.write_all(begin.as_bytes()).unwrap();
            json
        });
        dies();
        user.run(|| {
            json.write_all(rest.as_bytes()).unwrap();
            drop(json);
        });
        dies();
        let mut inner = user.run(|| {
            fs::create_dir(place.join("a")).unwrap();
            let mut inner = File::create(place.join("a/file")).unwrap();
            inner.write_all(b"be").unwrap();
            inner
        });
        dies();
        user.run(|| {
            inner.write_all(b"fore").unwrap();
            drop(inner);
            assert_eq!(fs::read_to_string(place.join("a.json")).unwrap(), text);
            fs::remove_file(&mark).unwrap();
        });
        dies();
        user.run(|| {
            assert_eq!(fs::read_to_string(place.join("a/file")).unwrap(), "before");
            assert!(fs::write(place.join("a/file"), "after").is_err());
        });
        mounted.unmount();
        mounted.mount_again();
        user.run(|| {
            assert_eq!(fs::read_to_string(place.join("a/file")).unwrap(), "before");
        });
    }
}

#[test]
fn without_hand_over_a_mount_ends_with_its_daemon() {
    let scene = Scene::new();
    packages::release(&scene, 1);
    let configuration = "hand_over = false".to_owned();
    let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
    packages::assert_whole(&mounted, 0);
    let mountpoint = mounted.mountpoint();
    let said = mounted.pkgfs(&["upgrade".as_ref(), mountpoint.as_os_str()]).bad();
    assert!(said.err.contains("hand_over is false"), "{said:?}");
    assert!(mounted.status()["daemon"]["hand_over"]["holder"].is_null());
    ends(mounted.daemon_pid(), Signal::KILL);
    let error = fs::read_dir(&mountpoint).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected);
    mounted.mount_again();
    packages::assert_whole(&mounted, 0);
}

#[test]
fn what_is_registered_by_who_waits_for_a_death_is_registered_once() {
    let scene = Scene::new();
    packages::release(&scene, 12);
    let mounted = scene.mount(&MountOptions::default());
    let mut daemon = mounted.daemon_pid();
    thread::sleep(Duration::from_millis(500));
    for package in 0..12 {
        thread::scope(|scope| {
            let way = if package % 2 == 0 { Way::LookUp } else { Way::Pending };
            let (scene, mounted) = (&scene, &mounted);
            let registered = scope.spawn(move || register(scene, mounted, package, way).unwrap());
            if package % 4 == 0 {
                ends(daemon, Signal::KILL);
                daemon = mounted.next_daemon(daemon);
                thread::sleep(Duration::from_millis(500));
            }
            assert!(registered.join().unwrap());
        });
    }
    assert_eq!(mounted.variants().len(), 12);
}
