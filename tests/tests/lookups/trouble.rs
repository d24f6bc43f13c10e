//! What is broken is told in a line, harms nothing else, and leaves nothing.

use std::fs::{self, File};
use std::path::Path;

use pkgfs_tests::{MountOptions, Mounted, Scene, eventually};
use serde_json::json;

use crate::oracle::{NEWEST, commands};

fn with_rez(configuration: &str) -> MountOptions {
    MountOptions {
        rez: Some(commands(NEWEST)),
        rez_settings: json!({ "default_cachable": true }),
        configuration: configuration.to_owned(),
        ..MountOptions::default()
    }
}

fn define(scene: &Scene, name: &str, text: &str) {
    scene.repository().release(name, "1.0", |_| {});
    fs::write(scene.repository().directory(name, "1.0").join("package.py"), text).unwrap();
}

fn problems(mounted: &Mounted) -> Vec<String> {
    let view = mounted.view();
    let all = view["problems"].as_array().unwrap();
    all.iter().map(|problem| problem["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn definitions_that_are_broken_endless_or_enormous_are_told_and_the_rest_is_served() {
    let scene = Scene::new();
    define(&scene, "broken", "name = (\n");
    define(&scene, "raises", "import os\nraise ValueError('my words')\n");
    define(&scene, "endless", "while True:\n    pass\n");
    define(&scene, "deadly", "import os\nos._exit(1)\n");
    define(&scene, "enormous", "");
    let enormous = scene.repository().directory("enormous", "1.0").join("package.py");
    File::options().write(true).open(enormous).unwrap().set_len(100 << 20).unwrap();
    define(&scene, "binary", "\u{0}\u{1}");
    define(&scene, "large", &format!("name = 'large'\n{}", "# more\n".repeat(300_000)));
    define(&scene, "program", "import os\nname = 'program'\n");
    define(&scene, "plain", "name = 'plain'\n");
    let mounted = scene.mount(&with_rez("rez.definition_deadline_seconds = 1"));
    for (name, told) in [
        ("broken", "'(' was never closed"),
        ("raises", "my words"),
        ("endless", "did not answer within 1 s"),
        ("deadly", "ended the process of rez"),
        ("enormous", "104857600 bytes"),
        ("binary", "NUL byte"),
    ] {
        assert!(!mounted.registration(name, "1.0", None).exists(), "{name}");
        let problems = problems(&mounted);
        let line = problems.iter().find(|line| line.contains(&format!("/{name}/1.0/package.py")));
        let line = line.unwrap_or_else(|| panic!("{name}: {problems:?}"));
        assert!(line.contains(told) && !line.contains('\n'), "{line}");
        let shown = mounted.pkgfs(&["status"]).good().out;
        assert!(shown.contains(&format!("/{name}/1.0/package.py")), "{shown}");
    }
    for name in ["large", "program", "plain"] {
        assert!(mounted.payload(name, "1.0", None).join("package.py").exists(), "{name}");
    }
    assert_eq!(mounted.view()["registrations"]["ready"], 3);
}

#[test]
fn a_killed_daemon_leaves_no_process_though_a_definition_does_not_end() {
    let scene = Scene::new();
    let mark = scene.path("begun");
    let stray = "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '1000'])\n";
    let endless = format!("{stray}open({mark:?}, 'w').close()\nsum(range(10 ** 15))\n");
    define(&scene, "endless", &endless);
    let mounted = scene.mount(&with_rez("rez.definition_deadline_seconds = 600"));
    let place = mounted.registration("endless", "1.0", None);
    let looking = std::thread::spawn(move || place.exists());
    eventually("the definition runs", || mark.exists());
    mounted.kill_daemon();
    assert!(!looking.join().unwrap());
    // What is left of the mount, its processes above all, fails the test when it is dropped.
    mounted.mount_again();
    mounted.unmount();
}

#[test]
fn a_repository_that_vanishes_is_not_there_and_comes_back() {
    let scene = Scene::new();
    define(&scene, "plain", "name = 'plain'\n");
    define(&scene, "other", "name = 'other'\n");
    let mounted = scene.mount(&with_rez("registration.miss_seconds = 0"));
    let plain = mounted.payload("plain", "1.0", None).join("package.py");
    assert!(plain.exists());
    let (here, there) = (scene.repository().source().to_owned(), scene.path("elsewhere"));
    fs::rename(&here, &there).unwrap();
    assert!(!mounted.registration("other", "1.0", None).exists());
    assert!(plain.exists(), "what is registered stays");
    fs::write(&here, "").unwrap();
    assert!(!mounted.registration("other", "1.0", None).exists(), "it is a file");
    fs::remove_file(&here).unwrap();
    fs::rename(&there, &here).unwrap();
    assert!(mounted.registration("other", "1.0", None).exists());
}

#[test]
fn a_family_that_is_a_file_or_leads_nowhere_is_not_there() {
    let scene = Scene::new();
    fs::write(scene.repository().source().join("file"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", scene.repository().source().join("link")).unwrap();
    std::os::unix::fs::symlink("loop", scene.repository().source().join("loop")).unwrap();
    define(&scene, "plain", "name = 'plain'\n");
    let mounted = scene.mount(&with_rez(""));
    for name in ["file", "link", "loop"] {
        assert!(!mounted.registration(name, "1.0", None).exists(), "{name}");
    }
    assert!(mounted.payload("plain", "1.0", None).exists());
}

#[test]
fn handles_that_are_not_understood_are_told_and_lose_nothing() {
    let scene = Scene::new();
    define(&scene, "plain", "name = 'plain'\n");
    let mounted = scene.mount(&with_rez(""));
    let handle = scene.repository().handle("plain", "1.0", None).to_dict();
    let mut unknown = handle.clone();
    unknown["variables"]["colour"] = json!("blue");
    let text = handle.to_string();
    let pending = mounted.mountpoint().join(".sys/pending");
    fs::create_dir_all(&pending).unwrap();
    let write = |name: &str, text: &str| fs::write(pending.join(name), text).unwrap();
    write("unknown.json", &unknown.to_string());
    write("cut.json", &text[..text.len() / 2]);
    write("empty.json", "");
    write("list.json", "[]");
    let told = problems(&mounted);
    assert!(told.len() >= 3, "{told:?}");
    assert_eq!(mounted.view()["registrations"]["ready"], 0);
    for name in ["unknown.json", "cut.json", "list.json"] {
        // rez sees what it wrote.
        assert!(Path::new(&pending).join(name).exists());
    }
    write("good.json", &text);
    assert_eq!(mounted.view()["registrations"]["ready"], 1);
}
