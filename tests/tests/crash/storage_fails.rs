//! Shared storage answers with errors, or with less than there is.

use std::fs;
use std::path::Path;

use pkgfs_tests::standin::{Effect, Fault, FaultErrno, Operation, Options};
use pkgfs_tests::{MountOptions, Mounted, Scene};
use rustix::io::Errno;

use crate::packages;

/// Errors that say nothing of whether a file is there.
const ERRORS: [FaultErrno; 4] =
    [FaultErrno::Eio, FaultErrno::Estale, FaultErrno::Eacces, FaultErrno::Etimedout];

fn scene() -> (Scene, Mounted) {
    let scene = Scene::behind_standin(&Options::uncached());
    packages::release(&scene, 40);
    let configuration = "origin.deadline_seconds = 2\nregistration.miss_seconds = 3600".to_owned();
    let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
    (scene, mounted)
}

fn strike(scene: &Scene, effect: Effect, operations: &[Operation], path: &Path) {
    let fault = Fault::new(effect).on(operations.iter().copied()).at(path);
    scene.standin().control().fault(&fault).unwrap();
}

fn errno<T>(outcome: std::io::Result<T>) -> Option<Errno> {
    outcome.err().and_then(|error| Errno::from_io_error(&error))
}

/// The error must not be one that says that nothing is there.
fn assert_no_absence(outcome: Option<Errno>, what: &str) {
    let absent = [None, Some(Errno::NOENT), Some(Errno::NOTDIR), Some(Errno::NODATA)];
    assert!(!absent.contains(&outcome), "{what}: {outcome:?}");
}

#[test]
fn a_look_up_that_storage_fails_is_an_error_and_no_miss() {
    let (scene, mounted) = scene();
    let mut package = 0;
    for error in ERRORS {
        for operation in [Operation::Lookup, Operation::Open, Operation::Read] {
            package += 1;
            let name = packages::name(package);
            strike(&scene, Effect::Error { errno: error }, &[operation], Path::new(&name));
            let place = mounted.registration(&name, "1.0", None);
            assert_no_absence(errno(fs::metadata(&place)), &format!("{error:?} of {operation:?}"));
            scene.standin().control().clear_faults().unwrap();
            // Nothing of it was remembered, here or in the kernel.
            packages::assert_whole(&mounted, package);
        }
    }
}

#[test]
fn a_directory_that_storage_fails_to_list_is_not_taken_for_empty() {
    let (scene, mounted) = scene();
    let mut package = 0;
    for error in ERRORS {
        for operation in
            [Operation::Open, Operation::Readdir, Operation::Getattr, Operation::Lookup]
        {
            package += 1;
            let name = packages::name(package);
            let root = mounted.payload(&name, "1.0", None);
            assert_eq!(fs::read_dir(&root).unwrap().count(), 3);
            let struck = Path::new(&name).join("1.0/inner-1");
            strike(&scene, Effect::Error { errno: error }, &[operation], &struck);
            let inner = root.join("inner-1");
            let what = format!("{error:?} of {operation:?}");
            // An OPENDIR costs nothing at the stand-in: without a fault there is a listing.
            for outcome in [
                fs::read_dir(&inner)
                    .and_then(|entries| entries.collect::<Result<Vec<_>, _>>())
                    .map(|all| all.len()),
                fs::metadata(inner.join("file-1")).map(|_| 2),
            ] {
                match outcome {
                    Ok(entries) => assert_eq!(entries, 2, "{what}"),
                    Err(error) => assert_no_absence(Errno::from_io_error(&error), &what),
                }
            }
            scene.standin().control().clear_faults().unwrap();
            packages::assert_whole(&mounted, package);
        }
    }
}

#[test]
fn a_file_that_storage_fails_to_read_is_an_error_and_never_shorter() {
    let (scene, mounted) = scene();
    let mut package = 0;
    for error in ERRORS {
        // At once, and in the middle of a large file.
        for (operation, after) in [(Operation::Open, 0), (Operation::Read, 0), (Operation::Read, 1)]
        {
            package += 1;
            let name = packages::name(package);
            let root = mounted.payload(&name, "1.0", None);
            for (_, path) in packages::files() {
                fs::metadata(root.join(path)).unwrap();
            }
            let fault =
                Fault::new(Effect::Error { errno: error }).on([operation]).at(&name).after(after);
            scene.standin().control().fault(&fault).unwrap();
            let what = format!("{error:?} of {operation:?} after {after}");
            let mut failed = 0;
            for (file, path) in packages::files() {
                match fs::read(root.join(&path)) {
                    Ok(bytes) => {
                        assert!(bytes == packages::content(package, file), "{what}: {path}")
                    }
                    Err(error) => {
                        failed += 1;
                        assert_no_absence(Errno::from_io_error(&error), &what);
                    }
                }
            }
            assert!(failed > 0, "{what}: nothing was struck");
            scene.standin().control().clear_faults().unwrap();
            packages::assert_whole(&mounted, package);
        }
    }
}

#[test]
fn a_short_read_is_never_taken_for_the_end_of_a_file() {
    let (scene, mounted) = scene();
    scene.standin().control().fault(&Fault::new(Effect::ShortRead)).unwrap();
    for package in 0..10 {
        let root = mounted.payload(&packages::name(package), "1.0", None);
        for (file, path) in packages::files() {
            match fs::read(root.join(&path)) {
                Ok(bytes) => {
                    assert!(bytes == packages::content(package, file), "{package}: {path}")
                }
                Err(error) => assert_no_absence(Errno::from_io_error(&error), &path),
            }
        }
    }
    scene.standin().control().clear_faults().unwrap();
    for package in 0..10 {
        packages::assert_whole(&mounted, package);
    }
}

#[test]
fn a_file_that_storage_denies_for_a_moment_is_back_with_storage() {
    let (scene, mounted) = scene();
    let root = mounted.payload("p001", "1.0", None);
    for (_, path) in packages::files() {
        fs::metadata(root.join(path)).unwrap();
    }
    let gone = Effect::Error { errno: FaultErrno::Enoent };
    strike(
        &scene,
        gone,
        &[Operation::Open, Operation::Lookup, Operation::Getattr],
        Path::new("p001"),
    );
    assert!(fs::read(root.join("inner-1/file-3")).is_err());
    assert!(root.with_extension("json").exists(), "the registration does not go by that");
    scene.standin().control().clear_faults().unwrap();
    packages::assert_whole(&mounted, 1);
}
