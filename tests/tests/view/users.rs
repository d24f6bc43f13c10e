//! Who may read what: origin's owners and modes decide, for the mounting user and for others.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use pkgfs_tests::{MountOptions, Mounted, Scene, User};
use rustix::io::Errno;

/// Everything belongs to root.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.repository().release("guarded", "1.0", |root| {
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for (name, mode) in [("open", 0o644), ("closed", 0o600), ("shut", 0), ("group", 0o640)] {
            fs::write(root.join(name), name).unwrap();
            chown(root.join(name), Some(0), Some(0)).unwrap();
            set(&root.join(name), mode);
        }
        for (name, mode) in [("private", 0o700), ("blind", 0o711), ("unenterable", 0o744)] {
            fs::create_dir(root.join(name)).unwrap();
            fs::write(root.join(name).join("inside"), "inside").unwrap();
            set(&root.join(name), mode);
        }
        fs::write(root.join("only-theirs"), "theirs").unwrap();
        let ordinary = User::Ordinary.id();
        chown(root.join("only-theirs"), Some(ordinary), Some(ordinary)).unwrap();
        set(&root.join("only-theirs"), 0o400);
    });
    scene
}

/// What an ordinary user is let see, wherever those bits come from.
fn assert_an_ordinary_user_is_held_to_the_modes(mounted: &Mounted) {
    let payload = mounted.payload("guarded", "1.0", None);
    let read = |name: &str| {
        let path = payload.join(name);
        let read = User::Ordinary.run(|| fs::read_to_string(path));
        read.map_err(|error| Errno::from_io_error(&error).unwrap())
    };
    let list = |name: &str| {
        let path = payload.join(name);
        User::Ordinary.run(|| {
            let names = fs::read_dir(path).map(|entries| entries.count());
            names.map_err(|error| Errno::from_io_error(&error).unwrap())
        })
    };
    assert_eq!(read("open").as_deref(), Ok("open"));
    assert_eq!(read("only-theirs").as_deref(), Ok("theirs"));
    for name in ["closed", "shut", "group", "private/inside", "unenterable/inside"] {
        assert_eq!(read(name), Err(Errno::ACCESS), "{name}");
    }
    assert_eq!(list("private"), Err(Errno::ACCESS));
    assert_eq!(list("blind"), Err(Errno::ACCESS));
    // A closed file is nevertheless there to be seen.
    let closed = payload.join("closed");
    let size = User::Ordinary.run(|| fs::metadata(closed).unwrap().len());
    assert_eq!(size, 6);
}

#[test]
fn another_user_is_held_to_origins_modes_after_root_has_read_everything() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions { allow_other: true, ..MountOptions::default() });
    let payload = mounted.payload("guarded", "1.0", None);
    assert_an_ordinary_user_is_held_to_the_modes(&mounted);
    for name in ["open", "closed", "shut", "group", "only-theirs"] {
        assert!(fs::read_to_string(payload.join(name)).is_ok(), "root cannot read {name}");
    }
    for name in ["private/inside", "blind/inside", "unenterable/inside"] {
        assert_eq!(fs::read_to_string(payload.join(name)).unwrap(), "inside", "{name}");
    }
    // Local now: the bytes must not be had because they are.
    assert_an_ordinary_user_is_held_to_the_modes(&mounted);
}

#[test]
fn an_ordinary_users_own_mount_refuses_what_that_user_may_not_read_at_origin() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions { user: User::Ordinary, ..MountOptions::default() });
    assert_an_ordinary_user_is_held_to_the_modes(&mounted);
    // Enterable but not listable at origin: what is in it cannot be known, and the one who
    // asks for a name is told that, not that there is no such name.
    let inside = mounted.payload("guarded", "1.0", None).join("blind/inside");
    let error = User::Ordinary.run(|| fs::read_to_string(inside).unwrap_err());
    assert_eq!(Errno::from_io_error(&error), Some(Errno::ACCESS));
}
