//! Each context has profiles of its own.

use std::collections::BTreeSet;
use std::fs;

use pkgfs_tests::standin::Operation;
use pkgfs_tests::{MountOptions, Mounted, Scene};

use crate::start::Start;
use crate::{ahead, content, flush, local, paths, profiles, storage};

const ONE: &str = "application-1 library-1.0 tool-1.0";
const OTHER: &str = "application-2 library-1.0 tool-1.0";

/// Two packages with files for each of the contexts, and one for both.
fn scene() -> Scene {
    let scene = Scene::behind_standin(&storage());
    for package in ["library", "tool"] {
        scene.repository().release(package, "1.0", |root| {
            fs::create_dir(root.join("lib")).unwrap();
            for (number, file) in ["both", "one", "other"].into_iter().enumerate() {
                fs::write(root.join("lib").join(file), content(number)).unwrap();
            }
        });
    }
    scene
}

fn payloads(mounted: &Mounted) -> [std::path::PathBuf; 2] {
    ["library", "tool"].map(|package| mounted.payload(package, "1.0", None))
}

fn starts(mounted: &Mounted, context: &'static str, number: usize, file: &str) {
    let mut start = Start::new(context);
    for payload in payloads(mounted) {
        start.reads(&payload.join("lib/both"), &content(0));
        start.reads(&payload.join("lib").join(file), &content(number));
    }
    start.remount_after(mounted);
    flush(mounted);
}

/// The files that storage was asked to read since it traces.
fn read(scene: &Scene) -> BTreeSet<String> {
    let trace = scene.standin().control().trace().unwrap().operations.into_iter();
    let reads = trace.filter(|asked| asked.operation == Operation::Read);
    reads.filter_map(|asked| asked.path.contains("/lib/").then_some(asked.path)).collect()
}

fn files(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_start_fetches_what_starts_in_its_own_context_touched_of_all_its_variants() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    starts(&mounted, ONE, 1, "one");
    starts(&mounted, OTHER, 2, "other");
    assert_eq!(profiles(&mounted).len(), 4);

    // The first touch of one variant is that of its context.
    let control = scene.standin().control();
    control.set_trace(true).unwrap();
    let mut start = Start::new(ONE);
    start.reads(&payloads(&mounted)[0].join("lib/both"), &content(0));
    local(&mounted, 4);
    assert_eq!(ahead(&mounted), (3, 3));
    let own =
        ["library/1.0/lib/both", "library/1.0/lib/one", "tool/1.0/lib/both", "tool/1.0/lib/one"];
    assert_eq!(read(&scene), files(&own));
}

#[test]
fn a_start_in_a_new_context_is_led_by_the_last_one_that_touched_the_variant() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    starts(&mounted, ONE, 1, "one");
    starts(&mounted, OTHER, 2, "other");
    let control = scene.standin().control();
    control.set_trace(true).unwrap();
    let mut start = Start::new("application-3 library-1.0");
    start.reads(&payloads(&mounted)[0].join("lib/both"), &content(0));
    local(&mounted, 2);
    start.remount_after(&mounted);
    // Nothing says that this context has the other variant, too.
    assert_eq!(read(&scene), files(&["library/1.0/lib/both", "library/1.0/lib/other"]));
}

#[test]
fn processes_outside_contexts_have_a_profile_of_their_own() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let mut start = Start::new(None);
    start.reads(&payloads(&mounted)[0].join("lib/both"), &content(0));
    start.remount_after(&mounted);
    let known = profiles(&mounted);
    assert_eq!((known.len(), known[0]["context"].as_str()), (1, Some("")));
}

/// The kernel opens a program for the process of the shell that starts it, whose environment has no
/// context: the program was learnt as one outside contexts, and its own start without it.
#[test]
fn a_program_of_a_payload_belongs_to_the_context_that_it_runs_in() {
    let scene = scene();
    scene.repository().release("program", "1.0", |root| {
        fs::copy(pkgfs_tests::built("pkgfs-starter"), root.join("starter")).unwrap();
    });
    let mounted = scene.mount(&MountOptions::default());
    let program = mounted.payload("program", "1.0", None).join("starter");
    let mut start = Start::in_shell(&program, ONE);
    start.reads(&payloads(&mounted)[0].join("lib/both"), &content(0));
    start.reads(&payloads(&mounted)[0].join("lib/one"), &content(1));
    // Its program is busy for as long as it runs, so nothing can be unmounted: a hand-over has what
    // it touched written, too.
    let _ = mounted.pkgfs(&["upgrade".as_ref(), mounted.mountpoint().as_os_str()]).good();
    drop(start);
    let known = profiles(&mounted);
    let touched: Vec<_> = known.iter().map(paths).collect();
    assert_eq!(touched, [vec!["lib/both", "lib/one"], vec!["starter"]]);
    assert!(known.iter().all(|profile| profile["context"] == known[0]["context"]));
    assert_ne!(known[0]["context"], "");
}
