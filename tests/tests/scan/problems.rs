//! What cannot be read is a line, and everything else is served.

use std::{fs, os::unix::fs::PermissionsExt, process::Stdio};

use pkgfs_tests::{
    Ran, User, eventually,
    standin::{Effect, Fault, FaultErrno, Operation},
};

use crate::scanning::{command, release, scan, scene, versions};

#[test]
fn a_family_that_is_a_file_is_told_and_the_rest_is_served() {
    let scene = scene();
    release(&scene, "foo", "1.0");
    fs::write(scene.repository().source().join("bar"), "").unwrap();
    fs::write(scene.repository().source().join("notes.txt"), "").unwrap();
    let ran = scan(&scene, &[]).good();
    assert_eq!(versions(&ran), ["foo-1.0"]);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    assert!(ran.err.contains("/bar: a file where a package family would be"), "{}", ran.err);
}

#[test]
fn a_repository_that_is_missing_or_a_file_fails_and_the_others_are_served() {
    let scene = scene();
    release(&scene, "foo", "1.0");
    let missing = scene.path("missing");
    let file = scene.path("file");
    fs::write(&file, "").unwrap();
    let more = [missing.to_str().unwrap(), file.to_str().unwrap()];
    let ran = scan(&scene, &more);
    assert_eq!(ran.code, Some(1));
    assert_eq!(versions(&ran), ["foo-1.0"]);
    let lines: Vec<_> = ran.err.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("missing: the repository does not exist"), "{lines:?}");
    assert!(lines[1].contains("file: a repository is a directory"), "{lines:?}");
}

#[test]
fn a_family_that_storage_fails_to_list_is_told_and_not_remembered_as_empty() {
    let scene = scene();
    for family in ["foo", "bar"] {
        release(&scene, family, "1.0");
        crate::scanning::age(&scene, family, 3600);
    }
    let control = scene.standin().control();
    let fault = Fault::new(Effect::Error { errno: FaultErrno::Eio });
    control.fault(&fault.on([Operation::Readdir]).at("bar")).unwrap();
    let ran = scan(&scene, &[]).good();
    assert_eq!(versions(&ran), ["foo-1.0"]);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    assert!(ran.err.contains("/bar: cannot read the package family"), "{}", ran.err);
    control.clear_faults().unwrap();
    assert_eq!(versions(&scan(&scene, &[]).good()), ["bar-1.0", "foo-1.0"]);
}

#[test]
fn a_definition_that_storage_fails_to_find_is_told_and_not_taken_for_missing() {
    let scene = scene();
    release(&scene, "foo", "1.0");
    crate::scanning::age(&scene, "foo", 3600);
    let control = scene.standin().control();
    let fault = Fault::new(Effect::Error { errno: FaultErrno::Etimedout });
    control.fault(&fault.on([Operation::Lookup]).at("foo/1.0")).unwrap();
    let ran = scan(&scene, &[]).good();
    assert!(ran.err.contains("/foo/1.0: cannot tell what it is"), "{}", ran.err);
    control.clear_faults().unwrap();
    let ran = scan(&scene, &[]).good();
    assert!(ran.out.contains("foo/1.0/package.py"), "{}", ran.out);
}

#[test]
fn a_family_that_may_not_be_listed_is_told_unless_it_is_unversioned() {
    let scene = scene();
    release(&scene, "foo", "1.0");
    release(&scene, "shut", "1.0");
    scene.repository().release("own", None, |_| {});
    for family in ["shut", "own"] {
        let directory = scene.repository().directory(family, None);
        fs::set_permissions(directory, fs::Permissions::from_mode(0o711)).unwrap();
    }
    // The stand-in's server is root, so the repository is read where it lies.
    let repository = scene.repository().source().to_str().unwrap();
    let ran = Ran::new(&mut command(&scene, User::Ordinary, &["--json", repository])).good();
    assert_eq!(versions(&ran), ["foo-1.0", "own-?"]);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    assert!(ran.err.contains("/shut: cannot read the package family: Permission"), "{}", ran.err);
}

#[test]
fn a_repository_that_vanishes_mid_scan_is_one_line_and_what_was_read_is_served() {
    let scene = scene();
    let source = scene.repository().source().to_owned();
    for family in ["foo", "bar", "slow"] {
        let version = source.join("repository").join(family).join("1.0");
        fs::create_dir_all(&version).unwrap();
        fs::write(version.join("package.py"), "").unwrap();
    }
    let control = scene.standin().control();
    let hang = Fault::new(Effect::Hang).on([Operation::Readdir]).at("repository/slow");
    control.fault(&hang).unwrap();
    let repository = scene.repository().location().join("repository");
    fs::create_dir(scene.path("home")).unwrap();
    let arguments = ["--json", repository.to_str().unwrap()];
    let mut scanning = command(&scene, User::Own, &arguments);
    let child = scanning.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("the other families were read", || {
        let stats = control.stats().unwrap();
        stats.hung == 1 && stats.in_service == 0 && stats.operations.lookup >= 3
    });
    fs::rename(source.join("repository"), source.join("gone")).unwrap();
    // Before it goes on: a client that remembers the name would find the repository in place.
    control.forget("").unwrap();
    control.clear_faults().unwrap();
    control.release().unwrap();
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    assert!(
        ran.err.contains("repository: the repository vanished while it was read"),
        "{}",
        ran.err
    );
    let found = versions(&ran);
    assert!(found.contains(&"foo-1.0".into()) && found.contains(&"bar-1.0".into()), "{found:?}");
}
