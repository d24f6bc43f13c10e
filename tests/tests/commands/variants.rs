//! `list`, `add`, `remove`, `pin` and `unpin`.

use std::fs;
use std::io::Read;

use pkgfs_tests::{MountOptions, User};

use crate::{by_command, listed, packages, run, uris};

#[test]
fn variants_are_added_by_uri_once_and_refused_ones_are_told_while_the_others_are_added() {
    let scene = packages();
    scene.repository().release("refused", "1.0", |_| {});
    let refused = scene.repository().directory("refused", "1.0").join("package.py");
    fs::write(refused, "name = 'refused'\nversion = '1.0'\ncachable = False\n").unwrap();
    let mounted = scene.mount(&by_command());
    let uri = |name, version, index| scene.repository().handle(name, version, index).uri();
    let (tool, varied) = (uri("tool", "1.0", None), uri("varied", "2.1", Some(1)));
    let (no, absent) = (uri("refused", "1.0", None), uri("tool", "9.9", None));
    let ran = run(&mounted, "add", &[&tool, &no, &absent, &varied]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.out, format!("added {tool}\nadded {varied}\n"));
    let lines: Vec<_> = ran.err.lines().collect();
    assert!(
        matches!(&lines[..], [one, two] if one.contains(&no) && one.contains("not cachable")
        && two.contains(&absent) && two.contains("not found")),
        "{lines:?}"
    );
    assert_eq!(uris(&mounted, &[]), [tool.clone(), varied]);
    let again = run(&mounted, "add", &[&tool]).good();
    assert_eq!(again.out, format!("already there {tool}\n"));
    let payload = mounted.payload("tool", "1.0", None).join("python/tool.py");
    assert_eq!(fs::read_to_string(payload).unwrap(), "VERSION = 1\n");
}

#[test]
fn targets_are_uris_requests_and_paths_in_the_mount() {
    let scene = packages();
    let mounted = scene.mount(&by_command());
    let repository = scene.repository();
    let tool = repository.handle("tool", "1.0", None).uri();
    let varied = [0, 1].map(|index| repository.handle("varied", "2.1", index).uri());
    let _ = run(&mounted, "add", &[&tool, &varied[0], &varied[1]]).good();
    let of = |target: &str| uris(&mounted, &[target]);
    for target in ["varied", "varied-2", "varied-2.1+<3", "varied==2.1", "varied-1|2", "varied>=2"]
    {
        assert_eq!(of(target), varied, "{target}");
    }
    let bare = tool.strip_suffix("[]").unwrap();
    let payload = mounted.payload("tool", "1.0", None);
    let inside = payload.join("python/tool.py");
    for target in [&tool, bare, payload.to_str().unwrap(), inside.to_str().unwrap()] {
        assert_eq!(of(target), std::slice::from_ref(&tool), "{target}");
    }
    assert_eq!(of(&varied[1]), varied[1..]);
    assert_eq!(of("varied-2.1[0]"), varied[..1]);
    for target in ["varied-3", "vari", "tool-1.0+<1.0", "/no/such/tool/1.0/package.py[0]"] {
        let ran = run(&mounted, "list", &[target]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{target}");
        assert!(ran.err.lines().count() == 1 && ran.err.contains(target), "{}", ran.err);
    }
}

#[test]
fn a_list_tells_state_amounts_and_places() {
    let scene = packages();
    let mounted = scene.mount(&MountOptions::default());
    let payload = mounted.payload("tool", "1.0", None);
    assert_eq!(fs::read(payload.join("data.bin")).unwrap().len(), 70_000);
    let _ = run(&mounted, "pin", &["tool"]).good();
    pkgfs_tests::eventually("the file is local", || {
        listed(&mounted, &[])[0]["local"] == serde_json::json!({ "files": 1, "bytes": 70_000 })
    });
    let variant = &listed(&mounted, &["tool"])[0];
    assert_eq!(variant["status"], "ready");
    assert_eq!(variant["package"], "tool-1.0");
    assert_eq!(variant["pinned"], true);
    assert_eq!(variant["path"], payload.to_str().unwrap());
    let origin = scene.repository().location().join("tool/1.0");
    assert_eq!(variant["origin"], origin.to_str().unwrap());
    let table = run(&mounted, "list", &[]).good().out;
    let line = table.lines().nth(1).unwrap();
    assert!(line.starts_with("ready, pinned") && line.contains("1/68.4 KiB of 2/"), "{table}");
    assert!(line.contains(payload.to_str().unwrap()), "{table}");
    assert_eq!(mounted.view()["registrations"]["pinned"], 1);
}

#[test]
fn what_is_removed_stays_away_from_look_ups_while_open_files_go_on() {
    let scene = packages();
    let mounted = scene.mount(&MountOptions::default());
    let payload = mounted.payload("tool", "1.0", None);
    let mut open = fs::File::open(payload.join("data.bin")).unwrap();
    let _ = run(&mounted, "remove", &["tool-1"]).good();
    assert!(!payload.exists() && !mounted.registration("tool", "1.0", None).exists());
    let mut bytes = Vec::new();
    open.read_to_end(&mut bytes).unwrap();
    assert!(bytes == vec![7; 70_000]);
    drop(open);
    mounted.remount();
    assert!(!payload.exists());
    // By command it comes back.
    let uri = scene.repository().handle("tool", "1.0", None).uri();
    let _ = run(&mounted, "add", &[&uri]).good();
    assert!(payload.join("data.bin").is_file());
}

#[test]
fn a_pin_outlives_a_restart_and_a_crash_and_keeps_from_removal() {
    let scene = packages();
    let mounted = scene.mount(&MountOptions::default());
    let payload = mounted.payload("tool", "1.0", None);
    assert!(payload.is_dir());
    assert!(run(&mounted, "pin", &["tool"]).good().out.starts_with("pinned "));
    assert!(run(&mounted, "pin", &["tool"]).good().out.starts_with("already pinned "));
    mounted.remount();
    mounted.kill_daemon();
    mounted.mount_again();
    let refused = run(&mounted, "remove", &["tool"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("pinned") && refused.err.contains("--force"), "{}", refused.err);
    assert!(payload.is_dir());
    assert!(run(&mounted, "unpin", &["tool"]).good().out.starts_with("unpinned "));
    let _ = run(&mounted, "pin", &["tool"]).good();
    let _ = run(&mounted, "remove", &["tool", "--force"]).good();
    assert!(!payload.exists());
}

#[test]
fn an_ordinary_user_has_every_command_for_a_mount_of_his_own() {
    let scene = packages();
    let mounted = scene.mount(&MountOptions { user: User::Ordinary, ..by_command() });
    let tool = scene.repository().handle("tool", "1.0", None).uri();
    for (command, said) in [
        ("add", format!("added {tool}\n")),
        ("pin", format!("pinned {tool}\n")),
        ("warm", "3 files, 68.4 KiB are local; 3 files, 68.4 KiB were fetched\n".to_owned()),
        ("unpin", format!("unpinned {tool}\n")),
        ("remove", format!("removed {tool}\n")),
    ] {
        let ran = run(&mounted, command, &[&tool]).good();
        assert!(ran.out.ends_with(&said), "{command}: {ran:?}");
    }
    let _ = run(&mounted, "clean", &[]).good();
    assert_eq!(uris(&mounted, &[]), [""; 0]);
}

#[test]
fn a_long_list_is_whole_in_both_forms_and_tells_once_what_two_targets_mean() {
    const COUNT: usize = 150;
    let scene = packages();
    let names: Vec<_> = (0..COUNT).map(|n| format!("p{n:03}")).collect();
    let uris: Vec<_> = names
        .iter()
        .map(|name| {
            scene.repository().release(name, "1.0", |_| {});
            scene.repository().handle(name, "1.0", None).uri()
        })
        .collect();
    let mounted = scene.mount(&by_command());
    let added: Vec<_> = uris.iter().map(String::as_str).collect();
    let _ = run(&mounted, "add", &added).good();
    let all = |variants: &[serde_json::Value]| -> Vec<_> {
        variants.iter().map(|variant| variant["uri"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(all(&listed(&mounted, &[])), uris);
    assert_eq!(all(&mounted.variants()), uris);
    let table = run(&mounted, "list", &[]).good().out;
    assert_eq!(table.lines().count(), 1 + COUNT);
    assert!(table.lines().skip(1).zip(&uris).all(|(line, uri)| line.contains(uri)), "{table}");
    let some = run(&mounted, "list", &["p007", "absent", "p007-1", "p003"]);
    assert_eq!((some.code, some.err.lines().count()), (Some(1), 1));
    let lines: Vec<_> = some.out.lines().skip(1).collect();
    assert!(
        matches!(&lines[..], [one, two] if one.contains(&uris[7]) && two.contains(&uris[3])),
        "{lines:?}"
    );
}
