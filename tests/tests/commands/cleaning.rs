//! `pkgfs clean`: what nobody needs goes, what is pinned or in use stays.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use pkgfs_tests::{MountOptions, Scene};
use serde_json::{Value, json};

use crate::run;

fn options(days: f64) -> MountOptions {
    let rez_settings = json!({ "package_cache_max_variant_days": days });
    MountOptions { rez_settings, ..MountOptions::default() }
}

fn make_old(json: &Path) {
    let then = SystemTime::now() - Duration::from_secs(40 * 86_400);
    File::open(json).unwrap().set_modified(then).unwrap();
}

#[test]
fn unused_variants_and_leftovers_go_and_pinned_used_and_recent_ones_stay() {
    let scene = Scene::new();
    let names = ["unused", "pinned", "used", "recent"];
    for name in names {
        scene.repository().release(name, "1.0", |root| {
            fs::write(root.join("file"), name.repeat(10_000)).unwrap();
        });
    }
    let mounted = scene.mount(&options(30.0));
    let payload = |name: &str| mounted.payload(name, "1.0", None);
    let mut open = None;
    for name in names {
        assert_eq!(fs::read(payload(name).join("file")).unwrap().len(), 10_000 * name.len());
    }
    let _ = run(&mounted, "pin", &["pinned"]).good();
    // Waits until everything read is durable.
    mounted.remount();
    for name in ["unused", "pinned", "used"] {
        make_old(&payload(name).with_extension("json"));
    }
    open.replace(File::open(payload("used").join("file")).unwrap());
    let sys = mounted.mountpoint().join(".sys");
    fs::create_dir_all(sys.join("to_delete/left/below")).unwrap();
    fs::write(sys.join("to_delete/left/below/file"), "x").unwrap();
    let pending = |name: &str| sys.join("pending").join(name);
    let known = scene.repository().handle("recent", "1.0", None).to_json();
    fs::write(pending("recent-1.0-1.json"), known).unwrap();
    fs::write(pending("truncated.json"), "{\"key\": \"filesystem.va").unwrap();

    let clean = |more: &[&str]| -> Value {
        let said = run(&mounted, "clean", &[&["--json"], more].concat()).good().out;
        serde_json::from_str(&said).unwrap()
    };
    let unused = scene.repository().handle("unused", "1.0", None).uri();
    let expected = |report: &Value| {
        assert_eq!(report["unused"], json!([unused]), "{report}");
        assert_eq!(report["to_delete"], json!(["left"]));
        assert_eq!(report["pending"], json!(["recent-1.0-1.json"]));
        assert_eq!(
            (&report["blobs"], &report["blob_bytes"]),
            (&json!(1), &json!(60_000)),
            "{report}"
        );
    };
    let dry = clean(&["--dry-run"]);
    expected(&dry);
    assert!(sys.join("to_delete/left").exists() && pending("recent-1.0-1.json").exists());
    expected(&clean(&[]));
    // Nothing is lost of what rez may still want.
    assert!(pending("truncated.json").exists());
    assert!(!sys.join("to_delete/left").exists() && !pending("recent-1.0-1.json").exists());
    let left: Vec<_> = crate::uris(&mounted, &[]);
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(!left.contains(&unused));
    // It was not removed on purpose: who looks for it finds it.
    assert!(payload("unused").join("file").is_file());
    let again = clean(&[]);
    assert_eq!((&again["unused"], &again["blobs"]), (&json!([]), &json!(0)));
}

#[test]
fn zero_days_is_never_and_a_pin_shows_as_use_to_rez() {
    let scene = Scene::new();
    scene.repository().release("tool", "1.0", |_| {});
    let mounted = scene.mount(&options(0.0));
    let json = mounted.payload("tool", "1.0", None).with_extension("json");
    assert!(json.parent().unwrap().is_dir());
    make_old(&json);
    let said = run(&mounted, "clean", &[]).good().out;
    assert!(!said.contains("unused"), "{said}");
    let age = || SystemTime::now().duration_since(fs::metadata(&json).unwrap().modified().unwrap());
    assert!(age().unwrap_or_default() > Duration::from_secs(86_400));
    let _ = run(&mounted, "pin", &["tool"]).good();
    assert!(age().unwrap_or_default() < Duration::from_secs(86_400));
}
