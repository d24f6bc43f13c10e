//! What a hostile user of a shared mount tries: traps in `.sys`, texts without end, names at the
//! limit, handles of folders that only the daemon may read.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use pkgfs_tests::standin::{Effect, Fault, FaultErrno, Options};
use pkgfs_tests::{MountOptions, Mounted, Scene, User, VariantHandle};
use rustix::io::Errno;

use crate::actions::{Cache, names};
use crate::payloads::{self, problems, ready};

fn shared(scene: &Scene) -> Mounted {
    scene.mount(&MountOptions { allow_other: true, ..MountOptions::default() })
}

fn errno<T>(outcome: io::Result<T>) -> Option<Errno> {
    outcome.err().and_then(|error| Errno::from_io_error(&error))
}

/// The daemon's largest size in memory so far, in KiB.
fn peak(mounted: &Mounted) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", mounted.daemon_pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_link_cannot_be_planted_where_the_daemon_writes() {
    let scene = Scene::new();
    scene.repository().release("tool", "1.0", payloads::small);
    let mounted = shared(&scene);
    let cache = Cache::new(mounted.mountpoint());
    let handle =
        VariantHandle { name: "mine".to_owned(), ..scene.repository().handle("tool", "1.0", None) };
    User::Ordinary.run(|| {
        let copy = cache.begin(&handle).unwrap().unwrap();
        fs::create_dir(&copy.root).unwrap();
        let place = cache.place(&handle);
        let sys = cache.sys();
        let below = ["log", "pending", "to_delete"].map(|name| sys.join(name));
        for directory in [&sys, &copy.root, &place, &mounted.mountpoint()].into_iter().chain(&below)
        {
            let refused = errno(symlink("/etc", directory.join("trap")));
            assert_eq!(refused, Some(Errno::ROFS), "{}", directory.display());
        }
        // Nor can anything outside come in by a second name or by a move.
        for outcome in [
            fs::hard_link("/etc/passwd", sys.join("trap")),
            fs::rename("/etc/passwd", sys.join("trap")),
        ] {
            assert!(outcome.is_err());
        }
    });
}

#[test]
fn a_registration_of_a_gigabyte_is_refused_and_takes_no_memory() {
    let scene = Scene::new();
    scene.repository().release("tool", "1.0", payloads::small);
    let mounted = shared(&scene);
    let cache = Cache::new(mounted.mountpoint());
    let handle =
        VariantHandle { name: "mine".to_owned(), ..scene.repository().handle("tool", "1.0", None) };
    let before = peak(&mounted);
    User::Ordinary.run(|| {
        // As a pending handle, whole in one write of its end: the file is sparse.
        let pending = File::create(cache.sys().join("pending/huge-5b2f.json")).unwrap();
        pending.set_len(1 << 30).unwrap();
        rustix::io::pwrite(&pending, b"{}", (1 << 30) - 2).unwrap();
        drop(pending);
        // As a registration.
        fs::create_dir_all(cache.place(&handle)).unwrap();
        drop(File::create(cache.place(&handle).join(".copying-a")).unwrap());
        let json = File::create(cache.place(&handle).join("a.json")).unwrap();
        // Made longer, it stays what it is.
        let _ = json.set_len(1 << 30);
        assert_eq!(json.metadata().unwrap().len(), 0);
        assert!(rustix::io::pwrite(&json, b"{}", (1 << 30) - 2).is_err());
        let block = vec![b' '; 1 << 20];
        let written = (0..16).map(|_| (&json).write_all(&block)).take_while(Result::is_ok).count();
        assert!(written <= 1, "{written} MiB were taken");
    });
    assert_eq!(ready(&mounted), 0);
    let told = problems(&mounted);
    assert!(told.iter().any(|text| text.contains("too many")), "{told:?}");
    let grown = peak(&mounted) - before;
    assert!(grown < 32 << 10, "{grown} KiB more");
}

#[test]
fn what_registers_nothing_is_taken_up_to_a_bound_and_again_when_some_of_it_is_removed() {
    let scene = Scene::new();
    scene.repository().release("tool", "1.0", payloads::small);
    let mounted = shared(&scene);
    let cache = Cache::new(mounted.mountpoint());
    let before = peak(&mounted);
    let place = cache.place(&VariantHandle {
        name: "mine".to_owned(),
        ..scene.repository().handle("tool", "1.0", None)
    });
    let block = vec![b' '; 1 << 20];
    let stem = |number: usize| [number / 26, number % 26].map(|at| char::from(b'a' + at as u8));
    let json = |number: usize| place.join(format!("{}.json", String::from_iter(stem(number))));
    User::Ordinary.run(|| {
        fs::create_dir_all(&place).unwrap();
        let taken = (0..200).take_while(|number| fs::write(json(*number), &block).is_ok()).count();
        assert!((60..64).contains(&taken), "{taken} MiB were taken");
        assert_eq!(errno(fs::write(json(taken), &block)), Some(Errno::NOSPC));
    });
    assert!(problems(&mounted).iter().any(|text| text.contains("registers nothing")));
    let grown = peak(&mounted) - before;
    assert!(grown < 256 << 10, "{grown} KiB more");
    // Who asks for what there is, is not kept from it.
    let handle = scene.repository().handle("tool", "1.0", None);
    assert!(User::Ordinary.run(|| cache.find(&handle).unwrap()).is_some());
    User::Ordinary.run(|| {
        (0..8).for_each(|number| fs::remove_file(json(number)).unwrap());
        fs::write(json(300), &block).unwrap();
    });
}

#[test]
fn names_and_paths_at_the_limit_are_taken_and_longer_ones_refused() {
    let scene = Scene::new();
    let longest = "n".repeat(255);
    // Below the root of a variant, names up to what the system takes of a path.
    let deep = Path::new(&"d".repeat(200)).join(&longest);
    scene.repository().release("tool", "1.0", |root| {
        let mut at = root.to_owned();
        for part in deep.iter().cycle().take(8) {
            at.push(part);
        }
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join(&longest), "deep").unwrap();
    });
    let mounted = shared(&scene);
    let cache = Cache::new(mounted.mountpoint());
    let mut at = mounted.payload("tool", "1.0", None);
    at.extend(deep.iter().cycle().take(8));
    assert_eq!(fs::read_to_string(at.join(&longest)).unwrap(), "deep");
    User::Ordinary.run(|| {
        for directory in
            [cache.sys(), cache.sys().join("pending"), mounted.mountpoint(), at.clone()]
        {
            let too_long = errno(fs::metadata(directory.join("n".repeat(256))));
            assert_eq!(too_long, Some(Errno::NAMETOOLONG), "{}", directory.display());
        }
        fs::write(cache.sys().join(&longest), "long").unwrap();
        assert_eq!(fs::read_to_string(cache.sys().join(&longest)).unwrap(), "long");
        fs::remove_file(cache.sys().join(&longest)).unwrap();
        // 4095 bytes are the longest path that a call takes; as deep as that nothing can be named.
        let mut path = cache.sys().into_os_string().into_encoded_bytes();
        path.extend(b"/.".repeat(4_096));
        path.truncate(4_095);
        let path = String::from_utf8(path).unwrap();
        assert!(fs::metadata(path.trim_end_matches('/')).is_ok());
        assert_eq!(errno(fs::metadata(format!("{path}/."))), Some(Errno::NAMETOOLONG));
    });
    assert_eq!(names(&cache.sys()), ["log", "pending", "to_delete"]);
}

#[test]
fn a_handle_of_a_folder_that_only_the_daemon_may_read_opens_it_for_nobody() {
    let scene = Scene::new();
    // Named by the administrator, but closed to others by its modes.
    scene.repository().release("closed", "1.0", |root| {
        fs::write(root.join("secret"), "secret").unwrap();
    });
    let guarded = scene.repository().directory("closed", "1.0");
    fs::set_permissions(&guarded, fs::Permissions::from_mode(0o700)).unwrap();
    // Not named at all.
    let private = scene.path("private");
    fs::create_dir_all(private.join("secret/1.0")).unwrap();
    let text = "name = 'secret'\nversion = '1.0'\ncachable = True\n";
    fs::write(private.join("secret/1.0/package.py"), text).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
    let mut unnamed = scene.repository().handle("secret", "1.0", None);
    unnamed.location = private.to_str().unwrap().to_owned();

    let mounted = shared(&scene);
    let cache = Cache::new(mounted.mountpoint());
    User::Ordinary.run(|| {
        let _ = cache.ask(&unnamed);
        assert_eq!(cache.find(&unnamed).unwrap(), None);
        let handle = scene.repository().handle("closed", "1.0", None);
        let _ = cache.ask(&handle);
        let root = mounted.payload("closed", "1.0", None);
        assert_eq!(errno(fs::read(root.join("secret"))), Some(Errno::ACCESS));
        assert_eq!(errno(fs::read_dir(&root)), Some(Errno::ACCESS));
    });
    let told = problems(&mounted);
    assert!(told.iter().any(|text| text.contains(&unnamed.location)), "{told:?}");
}

#[test]
fn what_lies_below_a_closed_directory_is_shown_to_those_alone_whom_that_lets_in() {
    let scene = Scene::behind_standin(&Options::uncached());
    let repository = scene.repository();
    let [closed, of_a_group] = ["closed", "grouped"].map(|name| {
        repository.release(name, "1.0", |root| fs::write(root.join("secret"), name).unwrap());
        repository.source().join(name)
    });
    // A payload that is open to all, with links to what is not.
    repository.release("linked", "1.0", |root| {
        let closed = repository.location().join("closed");
        symlink(closed.join("1.0/secret"), root.join("file")).unwrap();
        symlink(closed.join("1.0"), root.join("directory")).unwrap();
    });
    let mode = |directory: &Path, mode| {
        fs::set_permissions(directory, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&closed, 0o700);
    mode(&of_a_group, 0o750);
    chown(&of_a_group, None, Some(User::Ordinary.id())).unwrap();

    let mounted = shared(&scene);
    let payload = |name| mounted.payload(name, "1.0", None);
    let read = |path: &Path| User::Ordinary.run(|| fs::read_to_string(path));
    let assert_held = || {
        // The daemon, and who runs it, may.
        assert_eq!(fs::read_to_string(payload("closed").join("secret")).unwrap(), "closed");
        assert_eq!(errno(read(&payload("closed").join("secret"))), Some(Errno::ACCESS));
        assert_eq!(read(&payload("grouped").join("secret")).unwrap(), "grouped");
        for name in ["file", "directory/secret"] {
            let path = payload("linked").join(name);
            assert_eq!(fs::read_to_string(&path).unwrap(), "closed", "{name}");
            assert_eq!(errno(read(&path)), Some(Errno::ACCESS), "{name}");
        }
    };
    assert_held();
    // Also when nobody can be asked.
    mounted.remount();
    let down = Fault::new(Effect::Error { errno: FaultErrno::Eio });
    scene.standin().control().fault(&down).unwrap();
    assert_held();
    scene.standin().control().clear_faults().unwrap();
    // What is closed later is noticed where it is looked at.
    mode(&of_a_group, 0o700);
    let _ = mounted.pkgfs(&["flush".as_ref(), mounted.mountpoint().as_os_str()]).good();
    assert_eq!(errno(read(&payload("grouped").join("secret"))), Some(Errno::ACCESS));
}
