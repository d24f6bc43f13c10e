//! `pkgfs warm`: everything is local afterwards, and nobody is asked again.

use std::fs;
use std::os::unix::fs::symlink;

use pkgfs_tests::standin::{Effect, Fault, FaultErrno, Operation, Options};
use pkgfs_tests::{MountOptions, Scene, eventually};
use serde_json::Value;

use crate::{by_command, listed, run};

const FILES: usize = 300;

fn behind(options: &Options) -> Scene {
    let scene = Scene::behind_standin(options);
    scene.repository().release("shared", "1.0", |root| {
        fs::write(root.join("linked"), "from elsewhere").unwrap();
    });
    let outside = scene.repository().location().join("shared/1.0/linked");
    scene.repository().release("wide", "1.0", |root| {
        for n in 0..FILES {
            let directory = root.join(format!("d{}", n % 10));
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(format!("f{n}")), format!("content {n}")).unwrap();
        }
        fs::write(root.join("large"), vec![3; 3_000_000]).unwrap();
        symlink(&outside, root.join("link")).unwrap();
    });
    scene
}

fn wide(scene: &Scene) -> String {
    scene.repository().handle("wide", "1.0", None).uri()
}

/// Requests of any kind at storage since the last call.
fn asked(scene: &Scene) -> u64 {
    let control = scene.standin().control();
    let total = control.stats().unwrap().operations.total();
    control.reset().unwrap();
    total
}

#[test]
fn a_warmed_variant_is_whole_with_storage_down_and_a_second_warm_asks_nothing() {
    let scene = behind(&Options::uncached());
    let mounted = scene.mount(&by_command());
    let ran = run(&mounted, "warm", &[&wide(&scene)]).good();
    assert!(ran.out.contains(&format!("{} files", FILES + 3)), "{}", ran.out);
    let variant = &listed(&mounted, &["wide"])[0];
    assert_eq!(variant["known"], variant["local"]);
    asked(&scene);
    let again = run(
        &mounted,
        "warm",
        &["--quiet", &format!("{}", mounted.payload("wide", "1.0", None).display())],
    );
    assert!(again.good().out.contains("0 files, 0 B were fetched"));
    assert_eq!(asked(&scene), 0);
    mounted.remount();
    let down = Fault::new(Effect::Error { errno: FaultErrno::Eio });
    scene.standin().control().fault(&down).unwrap();
    let payload = mounted.payload("wide", "1.0", None);
    for n in 0..FILES {
        let file = payload.join(format!("d{}/f{n}", n % 10));
        assert_eq!(fs::read_to_string(file).unwrap(), format!("content {n}"));
    }
    assert!(fs::read(payload.join("large")).unwrap() == vec![3; 3_000_000]);
    let link = payload.join("link");
    assert_eq!(fs::read_to_string(link).unwrap(), "from elsewhere");
}

#[test]
fn limits_leave_files_out_and_say_so() {
    let scene = behind(&Options::uncached());
    let mounted = scene.mount(&by_command());
    let ran = run(&mounted, "warm", &["--max-file-size", "1M", &wide(&scene)]).good();
    assert!(ran.out.contains("left out by size: 1 files, 2.9 MiB"), "{}", ran.out);
    let local = |of: &Value| of["local"]["bytes"].as_u64().unwrap();
    assert!(local(&listed(&mounted, &["wide"])[0]) < 1 << 20);
    let other = scene.mount(&by_command());
    let _ = run(&other, "warm", &["--max-total", "1000", &wide(&scene)]).good();
    assert!((900..=1000).contains(&local(&listed(&other, &["wide"])[0])));
}

#[test]
fn a_cancelled_warm_stops_asking_and_keeps_what_it_has() {
    let scene = behind(&Options { delay_us: 20_000, ..Options::uncached() });
    let mounted = scene.mount(&by_command());
    let mountpoint = mounted.mountpoint();
    let mut warm = mounted.start(&["warm", "--quiet", mountpoint.to_str().unwrap(), &wide(&scene)]);
    let warming = || mounted.view()["warming"].as_array().unwrap().clone();
    eventually("some files are there", || {
        warming().first().is_some_and(|job| job["done"]["files"].as_u64().unwrap() > 10)
    });
    pkgfs_tests::ends(warm.id(), rustix::process::Signal::INT);
    assert!(!warm.wait().unwrap().success());
    eventually("the job has ended", || warming().is_empty());
    let local = || listed(&mounted, &["wide"])[0]["local"]["files"].as_u64().unwrap();
    eventually("what was fetched is kept", || local() > 10);
    // What was under way comes to rest.
    mounted.remount();
    let kept = local();
    assert!(kept < FILES as u64, "{kept}");
    assert_eq!(local(), kept);
    let rest = run(&mounted, "warm", &["--quiet", "./wide/1.0"]).good();
    assert!(rest.out.contains(&format!("{} files, ", FILES as u64 + 3 - kept)), "{}", rest.out);
}

#[test]
fn what_storage_fails_to_give_is_told_by_file_and_the_rest_is_fetched() {
    let scene = behind(&Options::uncached());
    let mounted = scene.mount(&by_command());
    scene
        .standin()
        .control()
        .fault(
            &Fault::new(Effect::Error { errno: FaultErrno::Eio })
                .on([Operation::Read])
                .at("wide/1.0/d3/f13"),
        )
        .unwrap();
    let ran = run(&mounted, "warm", &["--quiet", &wide(&scene)]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("d3/f13: input/output error"), "{}", ran.err);
    let local = &listed(&mounted, &["wide"])[0]["local"]["files"];
    assert_eq!(local.as_u64().unwrap(), FILES as u64 + 2);
}

#[test]
fn a_warm_that_nobody_waits_for_goes_on_by_itself() {
    let scene = behind(&Options::uncached());
    let mounted = scene.mount(&MountOptions::default());
    let _ = run(&mounted, "warm", &["--no-wait", &wide(&scene)]).good();
    eventually("all is local", || {
        let listed = listed(&mounted, &[]);
        let local = listed.first().map(|variant| variant["local"]["files"].as_u64().unwrap());
        local == Some(FILES as u64 + 3)
    });
}

#[test]
fn storage_that_hangs_ends_a_warm_at_the_deadline_with_what_was_not_tried() {
    let scene = behind(&Options::uncached());
    let configuration = format!("{}[origin]\ndeadline_seconds = 1\n", by_command().configuration);
    let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
    let control = scene.standin().control();
    control.fault(&Fault::new(Effect::Hang).on([Operation::Read]).at("wide/1.0/d3")).unwrap();
    let ran = run(&mounted, "warm", &["--quiet", &wide(&scene)]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("/d3/f") && ran.err.contains("did not answer"), "{}", ran.err);
    control.clear_faults().unwrap();
    control.release().unwrap();
    eventually("storage answers again", || {
        run(&mounted, "warm", &["--quiet", &wide(&scene)]).code == Some(0)
    });
    let variant = &listed(&mounted, &["wide"])[0];
    assert_eq!(variant["known"], variant["local"]);
}
