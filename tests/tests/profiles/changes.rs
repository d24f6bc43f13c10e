//! Profiles of what is not any more what it was.

use std::fs;

use pkgfs_tests::standin::Operation;
use pkgfs_tests::{MountOptions, Mounted, Scene, eventually};
use serde_json::json;

use crate::start::Start;
use crate::{CONTEXT, KIB, TOUCHED, ahead, content, flush, local, name, scene, touched};

fn learnt() -> (Scene, Mounted) {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let mut start = Start::new(CONTEXT);
    for (number, path) in touched(&mounted.payload("library", "1.0", None)).iter().enumerate() {
        start.reads(path, &content(2 * number));
    }
    start.remount_after(&mounted);
    flush(&mounted);
    (scene, mounted)
}

#[test]
fn files_that_are_gone_or_of_another_size_are_left_to_their_readers() {
    let (scene, mounted) = learnt();
    let source = scene.repository().directory("library", "1.0");
    let grown = vec![0x81; 900 * KIB];
    fs::remove_file(source.join(name(2))).unwrap();
    fs::write(source.join(name(4)), &grown).unwrap();
    // Parts 3 of 5: every fifth of those that are touched.
    fs::remove_dir_all(source.join("python/part_3")).unwrap();
    let gone = (0..TOUCHED).filter(|number| 2 * number % 5 == 3).count();
    let control = scene.standin().control();
    control.set_trace(true).unwrap();
    let payload = mounted.payload("library", "1.0", None);
    let mut start = Start::new(CONTEXT);
    start.reads(&payload.join(name(0)), &content(0));
    local(&mounted, TOUCHED - 2 - gone);
    let opened = |number| {
        let trace = control.trace().unwrap().operations.into_iter();
        let mut opens = trace.filter(|asked| asked.operation == Operation::Open);
        opens.any(|asked| asked.path.ends_with(&name(number)))
    };
    assert!(opened(10) && !opened(4));
    assert!(!payload.join(name(2)).exists());
    start.reads(&payload.join(name(4)), &grown);
    start.reads(&payload.join(name(10)), &content(10));
    assert_eq!(mounted.view()["problems"], json!([]));
}

#[test]
fn a_file_that_changed_after_it_was_listed_is_read_as_it_is() {
    let (scene, mounted) = learnt();
    let payload = mounted.payload("library", "1.0", None);
    let part = payload.join(name(4));
    assert!(fs::read_dir(part.parent().unwrap()).unwrap().count() > 1);
    // Of the same size.
    let source = scene.repository().directory("library", "1.0").join(name(4));
    let other = vec![0x82; content(4).len()];
    fs::write(&source, &other).unwrap();
    let mut start = Start::new(CONTEXT);
    start.reads(&payload.join(name(0)), &content(0));
    eventually("the new listing is known", || {
        mounted.view()["problems"].to_string().contains("its listing was replaced")
    });
    eventually("it shows", || fs::read(&part).is_ok_and(|shown| shown == other));
    drop(start);
}

#[test]
fn a_variant_that_is_gone_costs_the_others_of_its_context_nothing() {
    let scene = scene();
    scene.repository().release("other", "1.0", |root| {
        fs::write(root.join("one"), content(1)).unwrap();
        fs::write(root.join("two"), content(2)).unwrap();
    });
    let mounted = scene.mount(&MountOptions::default());
    let mut start = Start::new(CONTEXT);
    for (number, path) in touched(&mounted.payload("library", "1.0", None)).iter().enumerate() {
        start.reads(path, &content(2 * number));
    }
    let other = mounted.payload("other", "1.0", None);
    start.reads(&other.join("one"), &content(1));
    start.reads(&other.join("two"), &content(2));
    start.remount_after(&mounted);
    let mountpoint = mounted.mountpoint();
    let _ = mounted.pkgfs(&["remove", mountpoint.to_str().unwrap(), "library"]).good();
    fs::remove_dir_all(scene.repository().source().join("library")).unwrap();
    flush(&mounted);
    let mut start = Start::new(CONTEXT);
    start.reads(&other.join("one"), &content(1));
    local(&mounted, 2);
    assert_eq!(ahead(&mounted), (1, 1));
    start.reads(&other.join("two"), &content(2));
    assert_eq!(mounted.view()["problems"], json!([]));
}
