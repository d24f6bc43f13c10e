//! A restart finds everything again without looking for it.

use std::fs;
use std::mem::MaybeUninit;
use std::path::PathBuf;

use pkgfs_tests::standin::Options;
use pkgfs_tests::{MountOptions, Scene};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

use crate::{packages, store};

const PACKAGES: usize = 40;

#[test]
fn a_restart_walks_neither_the_store_nor_origin_and_serves_all_at_once() {
    let scene = Scene::behind_standin(&Options::uncached());
    packages::release(&scene, PACKAGES);
    let mounted = scene.mount(&MountOptions::default());
    for package in 0..PACKAGES {
        packages::assert_whole(&mounted, package);
    }
    mounted.unmount();
    mounted.mount_again();
    for crash in [false, true] {
        if crash {
            mounted.kill_daemon();
        } else {
            mounted.unmount();
        }
        let opened = Opened::watch(&mounted.store());
        scene.standin().control().set_trace(true).unwrap();
        mounted.mount_again();
        let registrations = mounted.view()["registrations"]["ready"].as_u64().unwrap();
        assert_eq!(registrations, PACKAGES as u64, "crash: {crash}");
        let operations = scene.standin().control().trace().unwrap().operations;
        let of_packages = operations.iter().filter(|asked| asked.path.contains("p0"));
        assert_eq!(of_packages.count(), 0, "{operations:?}");
        assert_eq!(opened.names(), Vec::<PathBuf>::new(), "crash: {crash}");
        for package in 0..PACKAGES {
            packages::assert_whole(&mounted, package);
        }
        let operations = scene.standin().control().trace().unwrap().operations;
        let of_payloads = operations.iter().filter(|asked| asked.path.contains("inner"));
        assert_eq!(of_payloads.count(), 0, "crash: {crash}: {operations:?}");
    }
}

/// Directories of blobs, and blobs, that anybody opens.
struct Opened {
    events: std::os::fd::OwnedFd,
    places: Vec<PathBuf>,
}

impl Opened {
    fn watch(store: &std::path::Path) -> Self {
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        let blobs = store.join("blobs");
        let mut places = vec![blobs.clone()];
        places.extend(fs::read_dir(&blobs).unwrap().map(|entry| entry.unwrap().path()));
        assert!(store::blobs(store).len() > PACKAGES);
        for place in &places {
            inotify::add_watch(&events, place, WatchFlags::OPEN).unwrap();
        }
        Self { events, places }
    }

    fn names(self) -> Vec<PathBuf> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.events, &mut buffer);
        let mut names = Vec::new();
        while let Ok(event) = reader.next() {
            // A watch is numbered from 1 in the order they were added.
            let place = &self.places[usize::try_from(event.wd()).unwrap() - 1];
            let name = event.file_name().map(|name| name.to_str().unwrap().to_owned());
            assert!(!event.events().contains(ReadFlags::QUEUE_OVERFLOW));
            names.push(place.join(name.unwrap_or_default()));
        }
        names
    }
}
