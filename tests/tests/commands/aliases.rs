//! Handles written elsewhere, for the same repository by another spelling.

use std::fs;

use pkgfs_tests::{MountOptions, VariantHandle, eventually};

use crate::{packages, run, uris};

#[test]
fn an_alias_is_served_under_its_own_hash_with_its_own_handle_from_the_canonical_place() {
    let scene = packages();
    let location = scene.repository().location().to_str().unwrap().to_owned();
    let configuration = format!(
        "[locations]\n{location:?} = [\"//server/sw/packages\", \"S:/packages\", \"/net/sw\"]\n"
    );
    let options = MountOptions { configuration, ..MountOptions::default() };
    let mounted = scene.mount(&options);
    let canonical = scene.repository().handle("tool", "1.0", None);
    let spelled =
        |location: &str| VariantHandle { location: location.to_owned(), ..canonical.clone() };
    let place = |handle: &VariantHandle| mounted.mountpoint().join("tool/1.0").join(handle.h4());
    // By look-up, by pending and by command.
    let (looked_up, pending, added) =
        (spelled("/net/sw"), spelled(r"\\server\sw\packages"), spelled("//server/sw/packages"));
    fs::write(mounted.mountpoint().join(".sys/pending/tool-1.0-1.json"), pending.to_json())
        .unwrap();
    let _ = run(&mounted, "add", &[&added.uri()]).good();
    for handle in [&looked_up, &pending, &added] {
        let json = fs::read(place(handle).join("a.json")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["handle"], handle.to_dict());
        let file = place(handle).join("a/python/tool.py");
        assert_eq!(fs::read_to_string(file).unwrap(), "VERSION = 1\n");
    }
    // One variant, whatever it is called by.
    assert_eq!(uris(&mounted, &[&canonical.uri()]).len(), 3);
    eventually("their bytes are kept once", || mounted.view()["store"]["blobs"] == 1);
    let unknown = spelled("//other/sw");
    let refused = run(&mounted, "add", &[&unknown.uri()]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("locations"), "{}", refused.err);
    mounted.remount();
    assert!(place(&added).join("a/data.bin").is_file());
}
