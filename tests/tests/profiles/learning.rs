//! What one start touches is there before the next one asks for it.

use pkgfs_tests::standin::{Operation, Tally};
use pkgfs_tests::{MountOptions, Mounted, Scene, User, eventually};
use serde_json::json;

use crate::start::Start;
use crate::{
    CONTEXT, TOUCHED, ahead, content, flush, local, name, paths, profiles, scene, touched,
};

const VARIANT: &str = "library/1.0/python";

fn copied(scene: &Scene) -> Tally {
    scene.standin().control().stats().unwrap().watched[VARIANT]
}

/// One start from first to last, learnt.
fn learn(mounted: &Mounted) {
    let mut start = Start::new(CONTEXT);
    for (number, path) in touched(&mounted.payload("library", "1.0", None)).iter().enumerate() {
        start.reads(path, &content(2 * number));
    }
    start.remount_after(mounted);
}

#[test]
fn what_a_start_touches_is_there_before_the_next_cold_one_asks_for_it() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let control = scene.standin().control();
    control.watch([VARIANT]).unwrap();
    learn(&mounted);
    let first = copied(&scene);
    let known = profiles(&mounted);
    assert_eq!(known.len(), 1);
    let expected: Vec<_> = (0..TOUCHED).map(|number| name(2 * number)).collect();
    assert_eq!(paths(&known[0]), expected, "in the order in which they are touched");
    assert_eq!(known[0]["files"][3]["ranges"], json!([[0, content(6).len()]]));

    flush(&mounted);
    control.reset().unwrap();
    let files = touched(&mounted.payload("library", "1.0", None));
    let mut start = Start::new(CONTEXT);
    start.reads(&files[0], &content(0));
    local(&mounted, TOUCHED);
    assert_eq!(ahead(&mounted), (TOUCHED as u64 - 1, TOUCHED as u64 - 1));
    let second = copied(&scene);
    assert_eq!((second.bytes_read, second.open), (first.bytes_read, first.open));

    control.set_trace(true).unwrap();
    for (number, path) in files.iter().enumerate() {
        start.reads(path, &content(2 * number));
    }
    let asked = control.trace().unwrap().operations.into_iter();
    let of_payload = [Operation::Lookup, Operation::Open, Operation::Read, Operation::Readdir];
    let asked: Vec<_> = asked
        .filter(|asked| asked.path.starts_with(VARIANT) && of_payload.contains(&asked.operation))
        .collect();
    assert_eq!(asked, []);
    assert_eq!(ahead(&mounted), (TOUCHED as u64 - 1, 0));
    assert_eq!(mounted.view()["problems"], json!([]));
    start.remount_after(&mounted);
    assert_eq!(profiles(&mounted)[0]["launches"], 2);
}

#[test]
fn what_the_last_few_starts_did_not_touch_falls_out() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    learn(&mounted);
    for start in 1..=5 {
        assert_eq!(paths(&profiles(&mounted)[0]).len(), TOUCHED, "start {start}");
        let mut some = Start::new(CONTEXT);
        for number in 0..TOUCHED / 2 {
            let path = mounted.payload("library", "1.0", None).join(name(2 * number));
            some.reads(&path, &content(2 * number));
        }
        some.remount_after(&mounted);
    }
    assert_eq!(paths(&profiles(&mounted)[0]).len(), TOUCHED / 2);
}

#[test]
fn what_a_stateless_mount_is_not_told_of_does_not_count_against_it() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions { user: User::Ordinary, ..MountOptions::default() });
    assert_eq!(mounted.mode(), "stateless");
    let payload = mounted.payload("library", "1.0", None);
    let mut first = Start::of(User::Ordinary, CONTEXT);
    for (number, path) in touched(&payload).iter().enumerate() {
        first.reads(path, &content(2 * number));
    }
    first.remount_after(&mounted);
    for _ in 0..6 {
        let mut some = Start::of(User::Ordinary, CONTEXT);
        for number in 0..TOUCHED / 2 {
            some.reads(&payload.join(name(2 * number)), &content(2 * number));
        }
        some.remount_after(&mounted);
    }
    assert_eq!(paths(&profiles(&mounted)[0]).len(), TOUCHED);
}

#[test]
fn a_launch_is_written_when_it_has_come_to_rest_and_outlives_a_crash() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let payload = mounted.payload("library", "1.0", None);
    let mut start = Start::new(CONTEXT);
    start.reads(&payload.join(name(0)), &content(0));
    eventually("the launch is learnt", || profiles(&mounted).len() == 1);
    // What the same process touches later is no start.
    start.reads(&payload.join(name(2)), &content(2));
    mounted.kill_daemon();
    mounted.mount_again();
    assert_eq!(paths(&profiles(&mounted)[0]), [name(0)]);
}

#[test]
fn nothing_is_learnt_and_nothing_fetched_where_the_settings_say_so() {
    let scene = scene();
    let configuration = "[profiles]\nlearn = false\nahead_megabytes = 0\n".to_owned();
    let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
    learn(&mounted);
    assert_eq!(profiles(&mounted).len(), 0);
}
