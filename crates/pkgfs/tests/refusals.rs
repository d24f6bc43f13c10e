//! Every refusal: one line that says what is wrong, with what, and what to do; and
//! nothing is left behind.
// Mounts through FUSE, users by number and signals: tests/windows.rs is for the other side.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use support::{Place, Ran, needs_root, ran};

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_mountpoint_that_cannot_be_made() {
    let place = Place::new();
    let store = place.store();
    let ran = place.run(&["mount", "/proc/no/such", "--store", text(&store)]);
    ran.refused(&["cannot make the mountpoint /proc/no/such", "choose a path"]);
    place.assert_nothing_left();
}

#[test]
fn a_mountpoint_that_is_no_directory() {
    let place = Place::new();
    fs::write(place.mountpoint(), "").unwrap();
    place.mount(&[]).refused(&[text(&place.mountpoint()), "is not a directory", "remove it"]);
    assert!(!place.store().exists(), "a store was made for nothing");
}

#[test]
fn a_mountpoint_that_is_not_empty() {
    let place = Place::new();
    fs::create_dir_all(place.mountpoint().join("x")).unwrap();
    place.mount(&[]).refused(&[text(&place.mountpoint()), "is not empty", "empty it"]);
    assert!(place.mountpoint().join("x").exists());
}

#[test]
fn a_mountpoint_where_something_else_is_mounted() {
    let place = Place::new();
    place.run(&["mount", "/proc"]).refused(&[
        "/proc is already a mount of",
        "(proc)",
        "unmount it",
    ]);
    place.mount(&[]).good();
    let (mountpoint, other) = (place.mountpoint(), place.at("other"));
    let ran = place.run(&["mount", text(&mountpoint), "--store", text(&other)]);
    ran.refused(&["is already a mount of", text(&place.store()), "unmount it first"]);
    place.unmount(&[]).good();
    place.assert_nothing_left();
}

#[test]
fn a_store_that_is_served_with_other_settings() {
    let place = Place::new();
    place.mount(&[]).good();
    let pid = place.daemon_pid().to_string();
    let ran = place.mount(&["--repo", text(&place.at("repo"))]);
    ran.refused(&["other settings (repositories)", &pid, "unmount it first"]);
    place.unmount(&[]).good();
}

#[test]
fn a_store_that_may_not_be_written() {
    needs_root();
    let place = Place::of_ordinary_user();
    let locked = place.at("locked");
    fs::create_dir(&locked).unwrap();
    let (mountpoint, store) = (place.mountpoint(), locked.join("store"));
    let ran = place.run(&["mount", text(&mountpoint), "--store", text(&store)]);
    ran.refused(&["cannot write to the store", text(&store), "--store"]);
    place.assert_nothing_left();
}

#[test]
fn a_store_on_a_network_file_system() {
    let place = Place::new();
    // Whatever is served through FUSE counts as remote; a mount of our own is at hand.
    place.mount(&[]).good();
    let (second, store) = (place.at("second"), place.mountpoint().join(".sys/store"));
    let ran = place.run(&["mount", text(&second), "--store", text(&store)]);
    ran.refused(&[text(&store), "network file system", "--store"]);
    assert!(!second.exists());
    place.unmount(&[]).good();
    place.assert_nothing_left();
}

#[test]
fn a_store_that_another_daemon_holds() {
    let place = Place::new();
    place.mount(&[]).good();
    place.unmount(&[]).good();
    let lock = fs::File::options().read(true).write(true).open(place.store().join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    place.mount(&[]).refused(&[text(&place.store()), "is in use by", "--store"]);
    drop(lock);
    place.assert_nothing_left();
}

#[test]
fn a_store_of_a_newer_version() {
    let place = Place::new();
    place.mount(&[]).good();
    place.unmount(&[]).good();
    let stamp = place.store().join("format");
    let newer = fs::read_to_string(&stamp).unwrap().replace(char::is_numeric, "999");
    fs::set_permissions(&stamp, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&stamp, newer).unwrap();
    place.mount(&[]).refused(&[text(&place.store()), "format 999", "upgrade pkgfs"]);
    place.assert_nothing_left();
}

#[test]
fn a_repository_that_is_not_there_or_no_directory() {
    let place = Place::new();
    place.mount(&["--repo", "missing"]).refused(&[text(&place.at("missing")), "does not exist"]);
    fs::write(place.at("file"), "").unwrap();
    place.mount(&["--repo", "file"]).refused(&[text(&place.at("file")), "is not a directory"]);
    place.assert_nothing_left();
}

/// Runs `mount` after some shell commands in a mount namespace of its own.
fn on_another_machine(place: &Place, changes: &str, more: &[&str]) -> Ran {
    needs_root();
    let (mountpoint, store) = (place.mountpoint(), place.store());
    let mut arguments = vec!["mount", text(&mountpoint), "--store", text(&store)];
    arguments.extend(more);
    let plain = place.command(&arguments);
    let mut command = Command::new("unshare");
    let script = format!("set -e; {changes}\nexec \"$@\"");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh"]);
    command.arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    ran(command.current_dir(place.at("")).output().unwrap())
}

#[test]
fn dev_fuse_missing() {
    let place = Place::new();
    let changes = "mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3";
    on_another_machine(&place, changes, &[])
        .refused(&["/dev/fuse does not exist", "modprobe fuse"]);
    place.assert_nothing_left();
}

#[test]
fn dev_fuse_forbidden() {
    let place = Place::new();
    fs::create_dir(place.at("nodev")).unwrap();
    // A device on a file system mounted nodev may not be opened, not even by root.
    let changes = "mount -t tmpfs -o nodev none nodev; mknod nodev/fuse c 10 229; \
                   mount --bind nodev/fuse /dev/fuse";
    on_another_machine(&place, changes, &[]).refused(&[
        "/dev/fuse may not be opened",
        "Permission denied",
        "0666",
    ]);
    place.assert_nothing_left();
}

#[test]
fn fusermount3_missing() {
    let place = Place::of_ordinary_user();
    let (mountpoint, store) = (place.mountpoint(), place.store());
    let mut arguments = vec!["mount", text(&mountpoint), "--store", text(&store)];
    // `env` and `setpriv` are found by their full paths; nothing else is.
    arguments.insert(0, "PATH=/nonexistent");
    let plain = place.command(&arguments[1..]);
    let mut inner: Vec<_> = plain.get_args().map(|part| part.to_owned()).collect();
    let program = inner.iter().position(|part| part == env!("CARGO_BIN_EXE_pkgfs")).unwrap();
    inner.splice(program..program, ["/usr/bin/env".into(), "PATH=/nonexistent".into()]);
    let mut command = Command::new("env");
    command.args(inner);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    ran(command.current_dir(place.at("")).output().unwrap())
        .refused(&["fusermount3 was not found", "install the package fuse3"]);
    place.assert_nothing_left();
}

#[test]
fn allow_other_not_permitted() {
    let place = Place::of_ordinary_user();
    let changes = "mount --bind /dev/null /etc/fuse.conf";
    on_another_machine(&place, changes, &["--allow-other"]).refused(&[
        "--allow-other is not permitted",
        "user_allow_other",
        "/etc/fuse.conf",
    ]);
    place.assert_nothing_left();
}

#[test]
fn unmounting_what_is_not_mounted_or_not_ours() {
    let place = Place::new();
    place.unmount(&[]).refused(&["nothing is mounted at", "pkgfs status"]);
    place.run(&["unmount", "/proc"]).refused(&["/proc is a mount of", "not of pkgfs", "umount"]);
    place.run(&["unmount"]).refused(&["no mountpoint", "`mountpoint`"]);
}

#[test]
fn a_mount_of_another_user() {
    needs_root();
    let place = Place::new();
    fs::set_permissions(place.at(""), fs::Permissions::from_mode(0o755)).unwrap();
    place.mount(&["--allow-other"]).good();
    let other = Place::of_ordinary_user();
    let mountpoint = place.mountpoint();
    let mountpoint = text(&mountpoint);
    // A system daemon tells everybody how it does,
    let status = other.run(&["status", mountpoint, "--json"]).good().out;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let pid = status["mounts"][0]["daemon"]["pid"].as_i64();
    assert_eq!(pid, Some(place.daemon_pid().into()), "{status}");
    other.run(&["list", mountpoint]).good();
    other.run(&["profile", "show", mountpoint]).good();
    // and does nothing for those whose it is not.
    let profiles = other.at("profiles.json");
    fs::write(&profiles, r#"{"pkgfs_profiles": 1, "profiles": []}"#).unwrap();
    let theirs = place.store();
    for order in [
        &["unmount", mountpoint][..],
        &["flush", mountpoint],
        &["add", mountpoint, "tool-1.0"],
        &["remove", mountpoint, "tool-1.0"],
        &["warm", mountpoint, "tool-1.0"],
        &["pin", mountpoint, "tool-1.0"],
        &["unpin", mountpoint, "tool-1.0"],
        &["clean", mountpoint],
        &["verify", mountpoint],
        &["profile", "import", text(&profiles), mountpoint],
        &["profile", "clear", mountpoint],
        &["mount", text(&other.mountpoint()), "--store", text(&theirs)],
    ] {
        let ran = other.run(order);
        assert!(ran.err.contains("owner and root"), "{order:?}: {ran:?}");
        ran.refused(&[]);
    }
    place.unmount(&[]).good();
    place.assert_nothing_left();
}

#[test]
fn a_mount_that_lets_nobody_else_in_tells_others_nothing() {
    needs_root();
    let place = Place::new();
    fs::set_permissions(place.at(""), fs::Permissions::from_mode(0o755)).unwrap();
    place.mount(&[]).good();
    let other = Place::of_ordinary_user();
    let mountpoint = place.mountpoint();
    other.run(&["flush", text(&mountpoint)]).refused(&["another user", "owner and root"]);
    let table = other.run(&["status", text(&mountpoint)]).good().out;
    assert!(table.contains("mounted by another user"), "{table}");
    place.unmount(&[]).good();
    place.assert_nothing_left();
}

/// An empty directory of root's, and a place in which somebody else planted a link to it.
fn planted(place: &Place, at: &str) -> std::path::PathBuf {
    let target = place.at("target");
    fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&target, place.at(at)).unwrap();
    std::os::unix::fs::lchown(place.at(at), Some(65534), Some(65534)).unwrap();
    target
}

fn is_empty(directory: &std::path::Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

#[test]
fn a_store_is_not_made_where_another_users_link_leads() {
    needs_root();
    let place = Place::new();
    let target = planted(&place, "store");
    place.mount(&[]).refused(&["cannot be kept from other users", "user 65534", "--store"]);
    fs::remove_file(place.store()).unwrap();
    std::os::unix::fs::symlink(&target, place.at("above")).unwrap();
    std::os::unix::fs::lchown(place.at("above"), Some(65534), Some(65534)).unwrap();
    let (mountpoint, store) = (place.mountpoint(), place.at("above/store"));
    place
        .run(&["mount", text(&mountpoint), "--store", text(&store)])
        .refused(&["cannot be kept from other users", "above"]);
    assert!(is_empty(&target));
    place.assert_nothing_left();
}

#[test]
fn a_store_of_roots_is_not_made_where_others_can_put_another_in_its_place() {
    needs_root();
    let place = Place::new();
    let open = place.at("open");
    fs::create_dir(&open).unwrap();
    let (mountpoint, store) = (place.mountpoint(), open.join("store"));
    let order = ["mount", text(&mountpoint), "--store", text(&store)];
    for mode in [0o777, 0o757] {
        fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
        place.run(&order).refused(&["cannot be kept from other users", "open", "--store"]);
        assert!(is_empty(&open));
    }
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(&open, Some(65534), None).unwrap();
    place.run(&order).refused(&["cannot be kept from other users", "user 65534"]);
    assert!(is_empty(&open));
    // As in /tmp: others make files there, but take none away that are not theirs.
    std::os::unix::fs::chown(&open, Some(0), None).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
    place.run(&order).good();
    place.unmount(&[]).good();
    place.assert_nothing_left();
}

#[test]
fn a_log_is_not_written_where_another_users_link_leads() {
    needs_root();
    let place = Place::new();
    let target = planted(&place, "state/pkgfs");
    place.mount(&[]).refused(&["cannot write the log", "user 65534", "XDG_STATE_HOME"]);
    assert!(is_empty(&target));
    place.assert_nothing_left();
}

#[test]
fn a_rez_that_is_not_there_is_told_and_mounting_goes_on() {
    let place = Place::new();
    place.configure("rez.config_command = ['/no/rez-config']\n");
    let ran = place.mount(&[]).good();
    assert!(
        ran.err.contains("/no/rez-config") && ran.err.contains("rez.config_command"),
        "{ran:?}"
    );
    place.unmount(&[]).good();
}

#[test]
fn a_log_that_cannot_be_written() {
    let place = Place::new();
    fs::write(place.at("state/pkgfs"), "").unwrap();
    place.mount(&[]).refused(&["cannot write the log", "XDG_STATE_HOME"]);
}

#[test]
fn access_lists_that_nobody_would_keep_to() {
    let place = Place::new();
    place.configure("origin.keep_acls = true\nrez.config_command = []\n");
    place.mount(&[]).refused(&["origin.keep_acls", "for Windows", "set it to false"]);
    place.assert_nothing_left();
}

#[test]
fn a_mode_that_the_mount_may_not_risk() {
    let place = Place::new();
    place.configure("mode = 'stateless'\n");
    place.mount(&[]).refused(&["stateless", "ordinary user", "set mode to auto"]);
    place.assert_nothing_left();
    let place = Place::of_ordinary_user();
    place.configure("mode = 'passthrough'\n");
    place.mount(&[]).refused(&["passthrough", "CAP_SYS_ADMIN", "set mode to auto"]);
    place.assert_nothing_left();
    let place = Place::new();
    place.configure("mode = 'fast'\n");
    place.mount(&[]).refused(&["mode", "fast", "passthrough"]);
    place.assert_nothing_left();
}
