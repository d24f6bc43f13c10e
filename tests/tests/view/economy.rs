//! Origin is asked once for the same thing, and only for what is read.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;

use pkgfs_tests::standin::{Operation, Options, Tally, TracedOperation};
use pkgfs_tests::{MountOptions, Mounted, Scene};

use crate::comparison;
use crate::tree::{self, Extras};

const PAYLOAD: &str = "library/1.0/os-linux";

fn behind(standin: &Options) -> Scene {
    let scene = Scene::behind_standin(standin);
    scene.repository().release_variants("library", "1.0", &[&["os-linux"]], |_, root| {
        tree::awkward(root, Extras::All);
    });
    scene
}

/// What the stand-in was asked of the payload since this was last called, and of the rest.
fn asked(scene: &Scene) -> (Vec<TracedOperation>, Vec<TracedOperation>) {
    let trace = scene.standin().control().trace().unwrap();
    assert_eq!(trace.dropped, 0);
    scene.standin().control().set_trace(true).unwrap();
    let of_payload = |operation: &TracedOperation| Path::new(&operation.path).starts_with(PAYLOAD);
    trace.operations.into_iter().partition(of_payload)
}

/// Reads and compares everything, and looks for what is not there.
fn pass(scene: &Scene, mounted: &Mounted) {
    let source = scene.repository().source().join(PAYLOAD);
    let payload = mounted.payload("library", "1.0", 0);
    assert_eq!(comparison::walk(&source, &payload), Vec::<String>::new());
    for directory in ["", "names", "sizes", "deep", "links/to-directory"] {
        for name in ["missing.py", "missing.so", "__pycache__", "numpy"] {
            assert!(!payload.join(directory).join(name).exists());
        }
    }
}

#[test]
fn a_second_pass_asks_origin_nothing_not_even_for_names_that_are_missing() {
    let scene = behind(&Options::uncached());
    let mounted = scene.mount(&MountOptions::default());
    scene.standin().control().set_trace(true).unwrap();
    pass(&scene, &mounted);
    let (payload, _) = asked(&scene);
    assert!(payload.iter().any(|operation| operation.operation == Operation::Read));

    let none = Vec::<TracedOperation>::new();
    pass(&scene, &mounted);
    assert_eq!(asked(&scene).0, none, "with the kernel's caches");
    mounted.remount();
    pass(&scene, &mounted);
    assert_eq!(asked(&scene).0, none, "after a restart");
    mounted.kill_daemon();
    mounted.mount_again();
    pass(&scene, &mounted);
    assert_eq!(asked(&scene).0, none, "after a crash");
}

#[test]
fn each_directory_is_listed_and_each_file_opened_once() {
    // Names are kept here, and OPENs counted all the same: the deep path alone would be asked
    // for name by name a hundred thousand times.
    let scene = behind(&Options { delay_us: 0, ..Options::default() });
    let mounted = scene.mount(&MountOptions::default());
    scene.standin().control().set_trace(true).unwrap();
    // All at once: who is second must wait for the first one's answer.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| pass(&scene, &mounted));
        }
    });
    let (mut payload, _) = asked(&scene);
    payload.retain(|asked| matches!(asked.operation, Operation::Open | Operation::Readdir));
    let mut all: Vec<_> =
        payload.into_iter().map(|asked| format!("{:?} {}", asked.operation, asked.path)).collect();
    all.sort_unstable();
    let twice: Vec<_> = all.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "asked twice: {twice:?}");
    let asked_for =
        |operation: &str| all.iter().filter(|asked| asked.starts_with(operation)).count();
    assert!(asked_for("Open") > 30 && asked_for("Readdir") > 200, "{all:?}");
}

#[test]
fn sixty_four_readers_of_one_cold_file_cause_one_fetch() {
    const READERS: usize = 64;
    const SIZE: usize = 9_000_001;
    let options = Options { delay_us: 2000, ..Options::uncached() };
    let scene = Scene::behind_standin(&options);
    let content = tree::content(SIZE);
    scene.repository().release("cold", "1.0", |root| {
        fs::write(root.join("file"), &content).unwrap();
    });
    let mounted = scene.mount(&MountOptions::default());
    // A second mount of the same store has page caches of its own: the kernel does not join
    // its readers to those of the first.
    let second = mounted.mountpoint().with_file_name("second");
    let store = mounted.store();
    let (file, repository) = (store.with_file_name("pkgfs.toml"), scene.repository().location());
    let mut arguments = vec![Path::new("mount"), &second, Path::new("--store"), &store];
    arguments.extend([Path::new("--config"), &file, Path::new("--repo"), repository]);
    let _ = mounted.pkgfs(&arguments).good();
    let first = mounted.payload("cold", "1.0", None).join("file");
    let below = first.strip_prefix(mounted.mountpoint()).unwrap();
    let paths: [PathBuf; 2] = [first.clone(), second.join(below)];
    for path in &paths {
        assert_eq!(fs::metadata(path).unwrap().len(), SIZE as u64);
    }
    let control = scene.standin().control();
    control.watch(["cold/1.0/file"]).unwrap();

    let barrier = Barrier::new(READERS);
    thread::scope(|scope| {
        for number in 0..READERS {
            let (barrier, path, content) = (&barrier, &paths[number % 2], &content);
            scope.spawn(move || {
                // Half of them past the page cache: each of their reads reaches the daemon.
                let direct = if number % 4 < 2 { rustix::fs::OFlags::DIRECT.bits() } else { 0 };
                let flags = direct.cast_signed();
                let file = File::options().read(true).custom_flags(flags).open(path).unwrap();
                barrier.wait();
                let offset = number * SIZE / READERS;
                let mut read = vec![0; SIZE - offset];
                file.read_exact_at(&mut read, offset as u64).unwrap();
                assert!(read == content[offset..], "reader {number} got other bytes");
            });
        }
    });
    let Tally { open, bytes_read, .. } = control.stats().unwrap().watched["cold/1.0/file"];
    assert_eq!((open, bytes_read), (1, SIZE as u64));
    let _ = mounted.pkgfs(&[Path::new("unmount"), &second]).good();
}

#[test]
fn bytes_copied_are_those_of_the_files_opened() {
    const FILES: usize = 300;
    let scene = Scene::behind_standin(&Options::default());
    let size = |number: usize| 200 + number * number;
    // No word of any content is such a name: nothing is fetched ahead.
    let name = |number: usize| format!("package-{}/no-{number}.py", number % 7);
    scene.repository().release_variants("wheel", "1.0", &[&["os-linux"]], |_, root| {
        for number in 0..FILES {
            let path = root.join(name(number));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, tree::content(size(number))).unwrap();
        }
    });
    let mounted = scene.mount(&MountOptions::default());
    let payload = mounted.payload("wheel", "1.0", 0);
    let control = scene.standin().control();
    control.watch(["wheel/1.0/os-linux"]).unwrap();
    let mut opened = 0;
    for number in (0..FILES).step_by(5) {
        opened += fs::read(payload.join(name(number))).unwrap().len();
    }
    mounted.remount();
    let copied = control.stats().unwrap().watched["wheel/1.0/os-linux"].bytes_read;
    let most = opened as u64 * 102 / 100;
    assert!((opened as u64..=most).contains(&copied), "{copied} copied, {opened} opened");
    let (_, stored) = blobs(&mounted);
    assert_eq!(stored, opened as u64, "what the store holds of it");
}

#[test]
fn two_variants_with_the_same_file_hold_it_once() {
    let scene = Scene::new();
    let shared = tree::content(2_000_000);
    let own = |index: u32| tree::content(100_000 + index as usize);
    let variants: [&[&str]; 2] = [&["python-3.11"], &["python-3.12"]];
    scene.repository().release_variants("twin", "1.0", &variants, |index, root| {
        fs::write(root.join("shared"), &shared).unwrap();
        fs::write(root.join(format!("shared-copy-{index}")), &shared).unwrap();
        fs::write(root.join("own"), own(index)).unwrap();
        fs::write(root.join("empty"), "").unwrap();
    });
    let mounted = scene.mount(&MountOptions::default());
    for index in [0, 1] {
        let payload = mounted.payload("twin", "1.0", index);
        assert!(fs::read(payload.join("shared")).unwrap() == shared);
        assert!(fs::read(payload.join(format!("shared-copy-{index}"))).unwrap() == shared);
        assert!(fs::read(payload.join("own")).unwrap() == own(index));
        assert!(fs::read(payload.join("empty")).unwrap().is_empty());
    }
    mounted.remount();
    let (files, bytes) = blobs(&mounted);
    let expected = (shared.len() + own(0).len() + own(1).len()) as u64;
    assert_eq!((files, bytes), (3, expected));
    let store = &mounted.view()["store"];
    assert_eq!(store["blob_bytes"], expected, "{store}");
}

/// Blobs in the store that hold anything, and their bytes.
fn blobs(mounted: &Mounted) -> (usize, u64) {
    let fans = fs::read_dir(mounted.store().join("blobs")).unwrap();
    let files = fans.flat_map(|fan| fs::read_dir(fan.unwrap().path()).unwrap());
    let sizes = files.map(|file| file.unwrap().metadata().unwrap().len()).filter(|size| *size > 0);
    sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes + size))
}

#[test]
fn the_registry_asks_the_repository_once_within_the_time_that_answers_are_believed() {
    let scene = behind(&Options::uncached());
    let mounted = scene.mount(&MountOptions {
        configuration: "registration.miss_seconds = 600".to_owned(),
        ..MountOptions::default()
    });
    let look = || {
        assert!(mounted.payload("library", "1.0", 0).is_dir());
        assert!(!mounted.payload("library", "2.0", 0).exists());
        assert!(!mounted.payload("library", "1.0", 7).exists());
        assert!(!mounted.payload("nothing", "1.0", None).exists());
    };
    scene.standin().control().set_trace(true).unwrap();
    look();
    assert!(!asked(&scene).1.is_empty());
    for _ in 0..20 {
        look();
    }
    assert_eq!(asked(&scene), (Vec::new(), Vec::new()));
}
