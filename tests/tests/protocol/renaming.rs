//! What may be renamed to what.

use std::fs;

use pkgfs_tests::{MountOptions, Scene};
use rustix::io::Errno;

use crate::actions::{Cache, names};
use crate::payloads::{self, assert_same, ready};

#[test]
fn of_the_registry_only_a_payload_moves_and_only_to_where_rez_deletes_from() {
    let scene = Scene::new();
    let repository = scene.repository();
    for version in ["1.0", "2.0"] {
        repository.release("tool", version, payloads::small);
    }
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    let [first, second] = ["1.0", "2.0"].map(|version| repository.handle("tool", version, None));
    let root = cache.find(&first).unwrap().unwrap();
    let other = cache.find(&second).unwrap().unwrap();
    let sys = cache.sys();
    fs::write(sys.join("log/file"), "file").unwrap();
    fs::create_dir(sys.join("log/directory")).unwrap();
    fs::create_dir_all(sys.join("to_delete/full/inner")).unwrap();
    let h4 = root.parent().unwrap();
    let outside = scene.path("outside");
    let refusals = [
        (root.clone(), h4.join("b"), &[Errno::ROFS][..]),
        (root.clone(), mounted.mountpoint().join("b"), &[Errno::ROFS]),
        (root.clone(), sys.join("log/a"), &[Errno::ROFS]),
        (root.clone(), sys.join("pending/a"), &[Errno::ROFS]),
        (root.clone(), sys.join("to_delete/full/a"), &[Errno::ROFS]),
        (root.clone(), sys.join("to_delete/full"), &[Errno::EXIST, Errno::NOTEMPTY]),
        (root.clone(), other.clone(), &[Errno::ROFS, Errno::NOTEMPTY]),
        (root.clone(), outside.clone(), &[Errno::XDEV]),
        (root.with_extension("json"), sys.join("to_delete/a.json"), &[Errno::ROFS]),
        (root.with_extension("json"), h4.join("b.json"), &[Errno::ROFS]),
        (root.join("run"), sys.join("to_delete/run"), &[Errno::ROFS]),
        (root.join("python"), sys.join("to_delete/python"), &[Errno::ROFS]),
        (h4.to_path_buf(), sys.join("to_delete/h4"), &[Errno::ROFS]),
        (mounted.mountpoint().join("tool"), sys.join("to_delete/tool"), &[Errno::ROFS]),
        (mounted.mountpoint().join("tool"), mounted.mountpoint().join("tools"), &[Errno::ROFS]),
        (sys.join("log/file"), root.join("file"), &[Errno::ROFS]),
        (sys.join("log/file"), h4.join("c.json"), &[Errno::ROFS]),
        (sys.join("log/directory"), h4.join("c"), &[Errno::ROFS]),
        (sys.clone(), sys.join("to_delete/sys"), &[Errno::INVAL]),
        (sys.clone(), mounted.mountpoint().join("other"), &[Errno::ROFS]),
    ];
    let mut wrong = Vec::new();
    for (from, to, allowed) in refusals {
        let error = fs::rename(&from, &to).err().and_then(|error| Errno::from_io_error(&error));
        if !error.is_some_and(|error| allowed.contains(&error)) {
            wrong.push(format!("{} to {}: {error:?}", from.display(), to.display()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(ready(&mounted), 2);
    assert_eq!(names(&sys), ["log", "pending", "to_delete"]);
    assert_same(&repository.directory("tool", "1.0"), &root);
    assert_same(&repository.directory("tool", "2.0"), &other);
    // And the one that rez makes.
    fs::rename(&root, sys.join("to_delete/tool-1.0-77")).unwrap();
    assert_eq!(names(&sys.join("to_delete/tool-1.0-77")), Vec::<String>::new());
}
