//! What a wrong profile costs.

use std::fs;

use pkgfs_tests::standin::{Effect, Fault, FaultErrno, Operation};
use pkgfs_tests::{MountOptions, Mounted, Scene, eventually};
use serde_json::json;

use crate::start::Start;
use crate::{CONTEXT, KIB, ahead, content, flush, name, profile, scene, storage, touched};

const SIZE: usize = 100 * KIB;
const FILES: usize = 100;

/// A package with a file in each of many directories, and a profile of a start that touches all.
fn wide(configuration: &str) -> (Scene, Mounted) {
    let scene = Scene::behind_standin(&storage());
    scene.repository().release("wide", "1.0", |root| {
        for number in 0..FILES {
            let directory = root.join(format!("all/d{number:03}"));
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("file"), vec![0x80; SIZE]).unwrap();
        }
    });
    let configuration = configuration.to_owned();
    let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
    let paths = (0..FILES).map(|number| format!("all/d{number:03}/file"));
    let files: Vec<_> = (0..)
        .zip(paths)
        .map(|(rank, path)| json!({ "path": path, "size": SIZE, "rank": rank }))
        .collect();
    let handle = scene.repository().handle("wide", "1.0", None).to_dict();
    let exported = json!({
        "pkgfs_profiles": 1,
        "profiles": [{ "handle": handle, "files": files }],
    });
    let file = scene.path("profiles.json");
    fs::write(&file, exported.to_string()).unwrap();
    let (file, mountpoint) = (file.to_str().unwrap(), mounted.mountpoint());
    let _ = mounted.pkgfs(&["profile", "import", file, mountpoint.to_str().unwrap()]).good();
    (scene, mounted)
}

/// A start that touches the first file and no other; what of the others was read and listed.
fn first_only(scene: &Scene, mounted: &Mounted, expected: u64) -> (u64, usize) {
    let control = scene.standin().control();
    control.watch(["wide/1.0/all"]).unwrap();
    let first = mounted.payload("wide", "1.0", None).join("all/d000/file");
    control.set_trace(true).unwrap();
    let mut start = Start::new(None);
    start.reads(&first, &vec![0x80; SIZE]);
    eventually("as much as may lie unread does", || ahead(mounted).1 == expected);
    start.remount_after(mounted);
    let trace = control.trace().unwrap().operations.into_iter();
    let listed = trace.filter(|asked| {
        asked.operation == Operation::Readdir && asked.path.starts_with("wide/1.0/all/d")
    });
    let listed: std::collections::BTreeSet<_> = listed.map(|asked| asked.path).collect();
    (control.stats().unwrap().watched["wide/1.0/all"].bytes_read, listed.len())
}

#[test]
fn a_wrong_profile_brings_no_more_bytes_than_the_settings_allow() {
    let (scene, mounted) = wide("profiles.ahead_megabytes = 1");
    let most = (1024 * KIB / SIZE) as u64;
    let (bytes, _) = first_only(&scene, &mounted, most);
    assert_eq!(bytes, (1 + most) * SIZE as u64);
}

#[test]
fn a_wrong_profile_brings_no_more_files_and_lists_no_more_directories_than_the_settings_allow() {
    let (scene, mounted) = wide("profiles.ahead_files = 20");
    let (bytes, listed) = first_only(&scene, &mounted, 20);
    assert_eq!(bytes, 21 * SIZE as u64);
    assert_eq!(listed, 21);
}

#[test]
fn what_is_read_makes_room_for_more() {
    let (scene, mounted) = wide("profiles.ahead_megabytes = 1");
    let payload = mounted.payload("wide", "1.0", None);
    let mut start = Start::new(None);
    let unread = (1024 * KIB / SIZE) as u64;
    for number in 0..FILES as u64 {
        let expected = unread.min(FILES as u64 - 1 - number);
        start.reads(&payload.join(format!("all/d{number:03}/file")), &vec![0x80; SIZE]);
        eventually("the next ones are there", || ahead(&mounted).1 == expected);
    }
    // On a busy machine some are so late that the start asks for them first.
    let before = ahead(&mounted).0;
    assert!(before > 2 * unread, "{before}");
    drop(scene);
}

#[test]
fn storage_that_fails_ends_it_without_a_word_and_disturbs_no_reader() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let files = touched(&mounted.payload("library", "1.0", None));
    let mut start = Start::new(CONTEXT);
    for (number, path) in files.iter().enumerate() {
        start.reads(path, &content(2 * number));
    }
    start.remount_after(&mounted);
    flush(&mounted);
    let control = scene.standin().control();
    let failing = format!("library/1.0/{}", name(4));
    let fault = Fault::new(Effect::Error { errno: FaultErrno::Eio });
    control.fault(&fault.at(&failing).on([Operation::Read])).unwrap();
    let files = touched(&mounted.payload("library", "1.0", None));
    let mut start = Start::new(CONTEXT);
    start.reads(&files[0], &content(0));
    eventually("the file has failed", || control.stats().unwrap().faulted > 0);
    for (number, path) in files.iter().enumerate().filter(|(number, _)| *number != 2) {
        start.reads(path, &content(2 * number));
    }
    assert_eq!(mounted.view()["problems"], json!([]));
    assert!(fs::read(&files[2]).is_err());
    start.remount_after(&mounted);
    let _ = profile(&mounted, "show", &[]).good();
}
