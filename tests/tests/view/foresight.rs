//! What is fetched ahead of a program, and what comes of it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use pkgfs_tests::standin::{Effect, Fault, Operation, Options};
use pkgfs_tests::{MountOptions, Mounted, Scene, eventually};
use rustix::io::Errno;
use serde_json::{Value, json};

const PAYLOAD: &str = "library/1.0";
const KIB: u64 = 1 << 10;

/// A name as Python marshals it, with the type of a reference behind it.
fn marshalled(name: &str) -> Vec<u8> {
    [&[0xda, name.len() as u8], name.as_bytes(), b"r\x01\0\0\0"].concat()
}

/// A package whose compiled form names two modules and a package, and others that it does not.
fn package(root: &Path) {
    for directory in ["pkg/__pycache__", "pkg/sub/__pycache__", "pkg/other/__pycache__"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let names = ["core", "linalg", "sub"].map(marshalled).concat();
    fs::write(compiled(root, "pkg", "__init__"), names).unwrap();
    for module in ["core", "linalg", "cor", "unnamed"] {
        fs::write(root.join(format!("pkg/{module}.py")), module).unwrap();
        fs::write(compiled(root, "pkg", module), format!("compiled {module} names core")).unwrap();
    }
    for directory in ["pkg/sub", "pkg/other"] {
        fs::write(compiled(root, directory, "__init__"), directory).unwrap();
        fs::write(compiled(root, directory, "linalg"), directory).unwrap();
    }
}

fn compiled(root: &Path, directory: &str, module: &str) -> std::path::PathBuf {
    root.join(directory).join(format!("__pycache__/{module}.cpython-311.pyc"))
}

fn scene() -> Scene {
    let scene = Scene::behind_standin(&Options::uncached());
    scene.repository().release("library", "1.0", package);
    scene
}

/// Paths below the payload that the stand-in was asked these operations of since it traces.
fn asked(scene: &Scene, operations: &[Operation]) -> BTreeSet<String> {
    let trace = scene.standin().control().trace().unwrap().operations.into_iter();
    let of_payload = trace.filter(|asked| operations.contains(&asked.operation));
    let below = of_payload.filter_map(|asked| Some(asked.path.strip_prefix(PAYLOAD)?[1..].into()));
    // The definition lies beside the package.
    below.filter(|path: &String| path.starts_with("pkg")).collect()
}

/// Files that were fetched ahead, and those nobody has read.
fn ahead(mounted: &Mounted) -> [Value; 2] {
    let ahead = mounted.view()["ahead"].take();
    [ahead["all"]["files"].clone(), ahead["unread"]["files"].clone()]
}

/// Waits until this many files are local, whoever asked for them.
fn local(mounted: &Mounted, files: u64) {
    eventually(&format!("{files} files are local"), || {
        mounted.view()["hydrated"]["files"] == json!(files)
    });
}

#[test]
fn the_neighbours_that_a_compiled_module_names_are_fetched_ahead_and_no_others() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let payload = mounted.payload("library", "1.0", None);
    let control = scene.standin().control();
    control.set_trace(true).unwrap();
    let read = |directory, module| {
        let there = compiled(&scene.repository().directory("library", "1.0"), directory, module);
        let shown = fs::read(compiled(&payload, directory, module)).unwrap();
        assert!(shown == fs::read(there).unwrap(), "{directory} {module}");
    };
    read("pkg", "__init__");
    local(&mounted, 4);
    assert_eq!(ahead(&mounted), [json!(3), json!(3)]);
    let named = [("pkg", "core"), ("pkg", "linalg"), ("pkg/sub", "__init__")];
    let all = || named.into_iter().chain([("pkg", "__init__")]);
    let expected = all().map(|(directory, module)| {
        compiled(Path::new(""), directory, module).to_str().unwrap().to_owned()
    });
    assert_eq!(asked(&scene, &[Operation::Read]), expected.collect());

    control.set_trace(true).unwrap();
    for (directory, module) in all() {
        read(directory, module);
    }
    assert_eq!(ahead(&mounted), [json!(3), json!(0)]);
    let any = [Operation::Lookup, Operation::Getattr, Operation::Open, Operation::Read];
    assert_eq!(asked(&scene, &any), BTreeSet::new());
    // What was only fetched ahead was not searched for names, and neither is what was local.
    mounted.remount();
    assert_eq!(asked(&scene, &any), BTreeSet::new());
    assert_eq!(mounted.view()["hydrated"]["files"], json!(4));
}

#[test]
fn a_file_that_names_a_thousand_large_neighbours_brings_what_the_bound_allows() {
    const VARIANT: &str = "library/1.0/os-linux";
    const SIZE: u64 = 100 * KIB;
    let scene = Scene::behind_standin(&Options::uncached());
    let name = |number| format!("module_{number:04}");
    let text: String = (0..1_000).map(|number| name(number) + " ").collect();
    scene.repository().release_variants("library", "1.0", &[&["os-linux"]], |_, root| {
        fs::write(root.join("all.py"), &text).unwrap();
        for number in 0..1_000 {
            let module = File::create(root.join(name(number) + ".py")).unwrap();
            module.set_len(SIZE).unwrap();
        }
    });
    let mounted = scene.mount(&MountOptions::default());
    let payload = mounted.payload("library", "1.0", 0);
    let control = scene.standin().control();
    control.watch([VARIANT]).unwrap();
    let copied = || control.stats().unwrap().watched[VARIANT].bytes_read;
    assert_eq!(fs::read_to_string(payload.join("all.py")).unwrap(), text);
    let asked = text.len() as u64;
    let most = (512 * KIB + asked / 2) / SIZE;
    local(&mounted, 1 + most);
    assert_eq!(copied(), asked + most * SIZE);

    assert_eq!(fs::read(payload.join(name(0) + ".py")).unwrap().len() as u64, SIZE);
    let more = 1 + (512 * KIB + (asked + SIZE) / 2) / SIZE;
    local(&mounted, 1 + more);
    mounted.remount();
    assert_eq!(copied(), asked + more * SIZE);
}

#[test]
fn a_guess_that_hangs_disturbs_no_reader_and_is_no_problem_until_somebody_asks() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions {
        configuration: "origin.deadline_seconds = 1".to_owned(),
        ..MountOptions::default()
    });
    let payload = mounted.payload("library", "1.0", None);
    let control = scene.standin().control();
    let hanging = compiled(Path::new(PAYLOAD), "pkg", "core");
    control.fault(&Fault::new(Effect::Hang).at(hanging).on([Operation::Read])).unwrap();

    assert!(fs::read(compiled(&payload, "pkg", "__init__")).is_ok());
    eventually("the guess hangs", || control.stats().unwrap().hung == 1);
    let other = fs::read_to_string(compiled(&payload, "pkg", "unnamed")).unwrap();
    assert_eq!(other, "compiled unnamed names core");
    // It is given up, and not counted any more.
    eventually("the guess has failed", || {
        let [all, unread] = ahead(&mounted);
        all == json!(2) && unread == json!(2)
    });
    assert_eq!(mounted.view()["problems"], json!([]));

    let error = fs::read(compiled(&payload, "pkg", "core")).unwrap_err();
    assert_eq!(Errno::from_io_error(&error), Some(Errno::TIMEDOUT));
    let problems = mounted.view()["problems"].to_string();
    assert!(problems.contains("core.cpython-311.pyc"), "{problems}");
    control.release().unwrap();
    // Two requests in a row have run into their deadline: storage is tried again after a moment.
    let core = compiled(&payload, "pkg", "core");
    eventually("storage that is back is asked", || fs::read(&core).is_ok());
    assert_eq!(fs::read_to_string(core).unwrap(), "compiled core names core");
}

#[test]
fn a_flushed_variant_is_fetched_ahead_anew() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let payload = mounted.payload("library", "1.0", None);
    assert!(fs::read(compiled(&payload, "pkg", "__init__")).is_ok());
    local(&mounted, 4);
    let _ = mounted.pkgfs(&["flush", mounted.mountpoint().to_str().unwrap()]).good();
    assert_eq!(ahead(&mounted), [json!(0), json!(0)]);
    assert!(fs::read(compiled(&payload, "pkg", "__init__")).is_ok());
    local(&mounted, 4);
    assert_eq!(ahead(&mounted), [json!(3), json!(3)]);
}
