//! What becomes of those bytes of a large file that nobody reads.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use pkgfs_tests::standin::{Effect, Fault, Operation, Options, Tally};
use pkgfs_tests::{MountOptions, Mounted, Scene, eventually};

use crate::tree;

const FILE: &str = "cold/1.0/file";
const MIB: usize = 1 << 20;
const SIZE: usize = 40 * MIB;
/// What the first touch of a large file brings: the 4 MiB around it, and the last MiB.
const FIRST: u64 = 5 << 20;
/// What one more brings.
const NEXT: u64 = 4 << 20;

struct Cold {
    scene: Scene,
    mounted: Mounted,
    content: Vec<u8>,
}

impl Cold {
    fn mount(rest: &str) -> Self {
        let scene = Scene::behind_standin(&Options { delay_us: 0, ..Options::uncached() });
        let content = tree::content(SIZE);
        scene.repository().release("cold", "1.0", |root| {
            fs::write(root.join("file"), &content).unwrap();
        });
        scene.repository().release("other", "1.0", |root| {
            fs::write(root.join("file"), "other").unwrap();
            fs::write(root.join("long"), &content).unwrap();
        });
        let mounted = scene.mount(&MountOptions {
            // What an earlier start touched is not to be fetched ahead of the next.
            configuration: format!(
                "profiles.ahead_megabytes = 0\norigin.rest_of_large_files = {rest:?}"
            ),
            ..MountOptions::default()
        });
        scene.standin().control().watch([FILE]).unwrap();
        Self { scene, mounted, content }
    }

    fn path(&self) -> PathBuf {
        self.mounted.payload("cold", "1.0", None).join("file")
    }

    /// Reads 4 KiB that begin with this MiB.
    fn read(&self, mib: usize) {
        let mut read = vec![0; 4096];
        let file = File::open(self.path()).unwrap();
        // The kernel is not to guess.
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random).unwrap();
        file.read_exact_at(&mut read, (mib * MIB) as u64).unwrap();
        assert!(read == self.content[mib * MIB..mib * MIB + 4096], "MiB {mib}");
    }

    /// OPENs of the file at origin, and bytes read from it.
    fn asked(&self) -> (u64, u64) {
        let watched = self.scene.standin().control().stats().unwrap().watched;
        let Tally { open, bytes_read, .. } = watched[FILE];
        (open, bytes_read)
    }

    fn eventually_asked(&self, expected: (u64, u64)) {
        eventually(&format!("OPENs and bytes are {expected:?}"), || {
            let asked = self.asked();
            assert!(asked <= expected, "{asked:?} was asked for, of {expected:?}");
            asked == expected
        });
    }
}

fn partial_files(mounted: &Mounted) -> usize {
    fs::read_dir(mounted.store().join("partial")).unwrap().count()
}

#[test]
fn while_somebody_waits_for_storage_the_rest_of_a_large_file_does_not_follow() {
    let cold = Cold::mount("background");
    let [other, long] =
        ["file", "long"].map(|name| cold.mounted.payload("other", "1.0", None).join(name));
    let control = cold.scene.standin().control();
    let hang = Fault::new(Effect::Hang).on([Operation::Read]).at("other/1.0/file");
    control.fault(&hang).unwrap();
    let waiting = std::thread::spawn(move || fs::read(other));
    eventually("a read hangs", || control.stats().unwrap().hung == 1);
    cold.read(10);
    cold.eventually_asked((1, FIRST));
    cold.read(20);
    cold.eventually_asked((1, FIRST + NEXT));
    // In the time that another file of this size takes, none of it follows.
    assert!(fs::read(long).unwrap() == cold.content);
    assert_eq!(cold.asked(), (1, FIRST + NEXT));
    control.release().unwrap();
    assert_eq!(waiting.join().unwrap().unwrap(), b"other");
    // Nobody waits any more: it becomes whole.
    cold.eventually_asked((1, SIZE as u64));
    eventually("it is whole", || cold.mounted.view()["hydrated"]["files"] == 3);
    assert!(fs::read(cold.path()).unwrap() == cold.content);
    assert_eq!(cold.asked(), (1, SIZE as u64));
}

#[test]
fn the_rest_of_a_large_file_is_never_fetched_where_that_is_set() {
    let cold = Cold::mount("never");
    cold.read(10);
    cold.eventually_asked((1, FIRST));
    cold.read(20);
    cold.eventually_asked((1, FIRST + NEXT));
    // Read again, it is here. (Who reads what came along before it was told of asks for more of it.)
    for mib in [10, 20] {
        cold.read(mib);
    }
    // An end in peace would make a file whole that is wanted whole.
    cold.mounted.remount();
    assert_eq!(cold.asked(), (1, FIRST + NEXT));
    assert_eq!(partial_files(&cold.mounted), 0);
    // What was not whole has not outlived the daemon.
    cold.read(10);
    cold.eventually_asked((2, FIRST + NEXT + FIRST));
}

#[test]
fn a_large_file_of_which_parts_were_read_becomes_whole_when_that_is_asked_for() {
    let cold = Cold::mount("never");
    cold.read(10);
    cold.eventually_asked((1, FIRST));
    let variant = cold.scene.repository().handle("cold", "1.0", None).uri();
    let mountpoint = cold.mounted.mountpoint();
    let _ = cold.mounted.pkgfs(&["warm".as_ref(), mountpoint.as_os_str(), variant.as_ref()]).good();
    cold.eventually_asked((1, SIZE as u64));
    assert!(fs::read(cold.path()).unwrap() == cold.content);
}

#[test]
fn no_more_than_so_many_large_files_are_kept_in_part() {
    const FILES: usize = 70;
    const MOST: usize = 65;
    let scene = Scene::behind_standin(&Options { delay_us: 0, ..Options::default() });
    let content = tree::content(6 * MIB);
    scene.repository().release("many", "1.0", |root| {
        for number in 0..FILES {
            fs::write(root.join(number.to_string()), &content).unwrap();
        }
    });
    let mounted = scene.mount(&MountOptions {
        configuration: "origin.rest_of_large_files = \"never\"".to_owned(),
        ..MountOptions::default()
    });
    let payload = mounted.payload("many", "1.0", None);
    let open: Vec<_> =
        (0..FILES).map(|n| File::open(payload.join(n.to_string())).unwrap()).collect();
    let mut read = vec![0; 4096];
    for file in &open {
        file.read_exact_at(&mut read, 0).unwrap();
    }
    eventually("the oldest were let go", || partial_files(&mounted) <= MOST);
    // Who has one of those open reads on.
    for file in open.iter().chain([&open[0]]) {
        file.read_exact_at(&mut read, 4 * MIB as u64).unwrap();
        assert!(read == content[4 * MIB..4 * MIB + 4096]);
    }
}
