//! A payload that rez itself copied in, from the moment its copy is whole.

use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;

use pkgfs_tests::{MountOptions, Mounted, Scene, Tree, User};

use crate::attempts::{Place, all_fail};
use crate::modes;
use crate::payload::{outside, targets};
use crate::store;
use crate::witness::Witness;

/// The held files: of several pages, so that not all of a mapping is in use.
const HELD: &str = "held\n";
const LINES: usize = 4096;

/// What rez does in `add_variant`, up to and without the end of its copy.
fn copy_in(scene: &Scene, mounted: &Mounted, from: &Path) -> PathBuf {
    let place = mounted.registration("copied", "1.0", None);
    fs::create_dir_all(&place).unwrap();
    fs::File::create(place.join(".copying-a")).unwrap();
    let handle = scene.repository().handle("copied", "1.0", None);
    fs::write(place.join("a.json"), format!("{{\"handle\": {}}}", handle.to_json())).unwrap();
    let root = place.join("a");
    copy(from, &root);
    root
}

/// As `shutil.copytree` does it: a file's times and mode after its bytes, a directory's last.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for name in fs::read_dir(from).unwrap() {
        let name = name.unwrap();
        if name.file_type().unwrap().is_dir() {
            copy(&name.path(), &to.join(name.file_name()));
            continue;
        }
        let (source, target) = (name.path(), to.join(name.file_name()));
        fs::write(&target, fs::read(&source).unwrap()).unwrap();
        like(&source, &target);
    }
    like(from, to);
}

fn like(source: &Path, target: &Path) {
    let data = fs::metadata(source).unwrap();
    let file = fs::File::open(target).unwrap();
    file.set_times(fs::FileTimes::new().set_modified(data.modified().unwrap())).unwrap();
    file.set_permissions(data.permissions()).unwrap();
}

fn seal(root: &Path) {
    fs::remove_file(root.with_file_name(".copying-a")).unwrap();
}

fn release(scene: &Scene, owner: User) -> PathBuf {
    scene.repository().release("copied", "1.0", |root| {
        fs::create_dir_all(root.join("lib/sub")).unwrap();
        let files = [
            ("held", HELD.repeat(LINES), 0o644),
            ("lib/open", HELD.repeat(LINES), 0o666),
            ("lib/program", "#!/bin/sh\n".to_owned(), 0o755),
            ("lib/empty", String::new(), 0o644),
            ("lib/sub/large", "0123456789abcdef".repeat(1 << 16), 0o644),
        ];
        for (name, text, mode) in files {
            fs::write(root.join(name), text).unwrap();
            fs::set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap();
        }
    });
    let original = scene.repository().directory("copied", "1.0");
    give(&original, owner);
    original
}

/// Makes everything below a directory a user's own.
fn give(directory: &Path, user: User) {
    std::os::unix::fs::lchown(directory, Some(user.id()), Some(user.id())).unwrap();
    if directory.is_dir() {
        fs::read_dir(directory).unwrap().for_each(|entry| give(&entry.unwrap().path(), user));
    }
}

/// Options under which rez does all the work.
fn left_to_rez(user: User) -> MountOptions {
    MountOptions {
        user,
        allow_other: user == User::Own,
        serves_look_ups: false,
        configuration: "[registration]\non_pending = false".to_owned(),
        ..MountOptions::default()
    }
}

/// Every mode in which rez's copies can be sealed, with the options that ask for it.
fn every_mode() -> impl Iterator<Item = (&'static str, MountOptions)> {
    [User::Own, User::Ordinary].into_iter().flat_map(|user| {
        let options = left_to_rez(user);
        modes::of(&options).map(|mode| (mode, modes::options(mode, options.clone())))
    })
}

#[test]
fn nobody_changes_a_copy_of_rez_once_it_is_whole_in_any_mode() {
    for (mode, options) in every_mode() {
        let scene = Scene::new();
        let maker = options.user;
        let original = release(&scene, maker);
        let outside = outside(&scene);
        let mounted = scene.mount(&options);
        modes::assert_mode(&mounted, mode);
        let root = maker.run(|| {
            let root = copy_in(&scene, &mounted, &original);
            // While it is being made it is an ordinary tree, also to others.
            fs::write(root.join("lib/scratch"), "passing").unwrap();
            fs::remove_file(root.join("lib/scratch")).unwrap();
            like(&original.join("lib"), &root.join("lib"));
            seal(&root);
            root
        });

        let expected = Tree::of(&original).unwrap().as_payload();
        let shown = || maker.run(|| Tree::of(&root).unwrap()).as_payload();
        assert_eq!(shown().difference(&expected), None);
        let witness = Witness::of(maker, &original, &root);
        let writable = mounted.mountpoint().join(".sys/log");
        let place = Place { root: &root, outside: &outside, writable: &writable };
        let paths = maker.run(|| targets(&root));
        let users = if options.allow_other { &[User::Own, User::Ordinary][..] } else { &[maker] };
        for user in users {
            all_fail(*user, maker, &paths, &place);
        }
        witness.saw_nothing();
        assert_eq!(shown().difference(&expected), None);
        mounted.remount();
        fs::rename(scene.repository().source(), scene.path("gone")).unwrap();
        assert_eq!(shown().difference(&expected), None, "from the store alone");
        assert!(store::is_sound(&mounted) > 3);
    }
}

/// A descriptor and a shared mapping opened while rez was copying outlive the copy, and permission
/// is never asked of them again.
#[test]
fn what_was_open_for_writing_before_the_copy_was_whole_changes_nothing_after_in_any_mode() {
    for (mode, options) in every_mode() {
        let scene = Scene::new();
        let maker = options.user;
        let original = release(&scene, maker);
        let mounted = scene.mount(&options);
        modes::assert_mode(&mounted, mode);
        let root = maker.run(|| copy_in(&scene, &mounted, &original));

        // Every name is held, as rez's own copy would be by a writer that it does not know of.
        let holders: Vec<_> =
            ["held", "lib/open"].iter().map(|name| Holder::of(maker, &root.join(name))).collect();
        maker.run(|| seal(&root));
        // What was stored before the copy was whole counts; so this is the original now.
        for name in ["held", "lib/open"] {
            let mut bytes = fs::read(original.join(name)).unwrap();
            bytes[0] = b'H';
            assert_eq!(maker.run(|| fs::read(root.join(name)).unwrap()), bytes, "{name}");
        }
        let before = maker.run(|| Tree::of(&root).unwrap()).as_payload();
        let sealed = scene.path("sealed");
        fs::create_dir(&sealed).unwrap();
        give(&sealed, maker);
        let sealed = sealed.join("copy");
        maker.run(|| duplicate(&root, &sealed));

        let witness = Witness::of(maker, &sealed, &root);
        let outcomes: Vec<_> = holders.into_iter().map(Holder::tries_everything).collect();
        witness.saw_nothing();
        let shown = || maker.run(|| Tree::of(&root).unwrap()).as_payload();
        assert_eq!(shown().difference(&before), None, "{outcomes:?}");
        for said in outcomes {
            assert!(said.contains("write at the start: "), "{said}");
            let refused = |how: &str| !said.contains(&format!("{how}: ok"));
            assert!(refused("write at the start") && refused("write at the end"), "{said}");
            assert!(refused("shorten") && refused("lengthen"), "{said}");
        }
        mounted.remount();
        assert_eq!(shown().difference(&before), None, "from the store");
        assert!(store::is_sound(&mounted) > 3);
    }
}

/// The copy is hashed while it becomes a payload: a write that slips in between would leave a blob
/// that is not what its name says.
#[test]
fn who_writes_without_pause_while_the_copy_becomes_a_payload_is_cut_off_at_one_state_of_it() {
    for round in 0..10 {
        let scene = Scene::new();
        let original = release(&scene, User::Own);
        let mounted = scene.mount(&left_to_rez(User::Own));
        let root = copy_in(&scene, &mounted, &original);
        let path = root.join("lib/open");
        let file = File::options().write(true).open(&path).unwrap();
        let (begun, begins) = mpsc::channel();
        let writer = thread::spawn(move || {
            for turn in 0_u64.. {
                let block = vec![b'a' + (turn % 26) as u8; 8192];
                if let Err(error) = file.write_all_at(&block, (turn % 2) * 8192) {
                    return error;
                }
                begun.send(()).ok();
            }
            unreachable!("the turns do not end");
        });
        // Under way: both blocks were written.
        begins.recv().unwrap();
        begins.recv().unwrap();
        seal(&root);
        let shown = fs::read(&path).unwrap();
        let refusal = writer.join().unwrap();
        assert_eq!(refusal.kind(), io::ErrorKind::ReadOnlyFilesystem, "round {round}");
        assert_eq!(fs::read(&path).unwrap(), shown, "round {round}");
        mounted.remount();
        assert_eq!(fs::read(&path).unwrap(), shown, "round {round}, from the store");
        assert!(store::is_sound(&mounted) > 3);
    }
}

/// A copy with all that [`Tree`] compares.
fn duplicate(from: &Path, to: &Path) {
    copy(from, to);
    assert_eq!(Tree::of(to).unwrap().as_payload(), Tree::of(from).unwrap().as_payload());
}

/// A process that has a file open for writing and mapped; ended with the test.
struct Holder(Child);

impl Holder {
    fn of(user: User, path: &Path) -> Self {
        let mut command = user.command(env!("CARGO_BIN_EXE_pkgfs-holder"));
        command.arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = Self(command.spawn().unwrap());
        let mut ready = String::new();
        let said = holder.0.stdout.as_mut().unwrap();
        BufReader::with_capacity(1, said).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n", "{} cannot be held", path.display());
        holder
    }

    /// What it says came of its attempts.
    fn tries_everything(mut self) -> String {
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        let mut said = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        let status = self.0.wait().unwrap();
        format!("{said}{status}")
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
