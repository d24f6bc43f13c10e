//! The Python package: the wheel that `cargo xtask wheel` builds, in a Python that has nothing else.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use pkgfs_tests::{Ran, Scene};
use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn wheel() -> PathBuf {
    // Beside the directory of the profile that this test was built with.
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    let wheels = fs::read_dir(target.join("wheels")).map(|found| found.map(|entry| entry.unwrap()));
    let mut wheels: Vec<_> = wheels.into_iter().flatten().map(|wheel| wheel.path()).collect();
    assert_eq!(wheels.len(), 1, "{wheels:?} in {}: run `cargo xtask wheel`", target.display());
    wheels.remove(0)
}

/// A scene with the wheel in a Python of its own.
fn scene() -> (Scene, PathBuf) {
    let scene = Scene::new();
    let venv = scene.path("venv");
    let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).output().unwrap();
    let _ = Ran::from(made).good();
    let python = venv.join("bin/python");
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]).arg(wheel());
    let _ = Ran::new(&mut pip).good();
    (scene, python)
}

fn run(scene: &Scene, python: &Path, script: &str, argument: &Value) -> Ran {
    let mut command = Command::new(python);
    command.args(["-W", "always", "-c", script, &argument.to_string()]);
    // Python finds what lies in the directory it is run from.
    command.current_dir(scene.path("venv"));
    Ran::new(command.env("HOME", scene.path("home")).env_remove("XDG_CACHE_HOME"))
}

const ROWS: &str = r"
import json, os, sys
import pkgfs
try:
    import rez
    sys.exit('rez is here')
except ImportError:
    pass
def text(name):
    return None if name is None else os.fsencode(name).decode('latin-1')
asked = json.loads(sys.argv[1])
found = pkgfs.scan_repo(asked['paths'], **asked['rules'])
assert type(found) is list and all(type(package) is pkgfs.ScannedPackage for package in found)
json.dump([[text(p.family), text(p.version), p.format, text(p.path), p.combined] for p in found], sys.stdout)
";

/// What rez enumerates, by `tests/rez/enumerate.py`.
fn rez(repository: &Path, rules: &Value) -> Vec<Value> {
    let python = root().join(".work/rez-3.4.0/bin/python");
    assert!(python.exists(), "{}: run `cargo xtask setup`", python.display());
    let asked = json!([{ "repository": repository, "settings": rules }]).to_string();
    let mut command = Command::new("sh");
    command.args(["-c", "printf %s \"$2\" | REZ_DISABLE_HOME_CONFIG=1 \"$0\" \"$1\""]);
    command.arg(python).arg(root().join("tests/rez/enumerate.py")).arg(asked);
    let answer: Value = serde_json::from_str(&Ran::new(&mut command).good().out).unwrap();
    answer[0]["packages"].as_array().unwrap().clone()
}

/// rez has an order of versions only where it looks for their definitions.
fn comparable(mut rows: Vec<Value>, rules: &Value) -> Vec<Value> {
    if rules["check_package_definition_files"] != true {
        rows.sort_by_key(ToString::to_string);
    }
    rows
}

#[test]
fn the_wheel_finds_without_rez_what_rez_enumerates() {
    let (scene, python) = scene();
    let repository = scene.repository();
    for version in ["1.0", "1.1", "2.0-beta", "1..2", "a b"] {
        repository.release("foo", version, |_| {});
    }
    repository.release("own", None, |_| {});
    repository.release("gone", "1.0", |_| {});
    let source = repository.source();
    fs::write(source.join("gone/.ignore1.0"), "").unwrap();
    fs::write(source.join("foo/.building3.0"), "").unwrap();
    fs::create_dir_all(source.join("foo/3.0")).unwrap();
    fs::create_dir_all(source.join("foo/4.0")).unwrap();
    fs::write(source.join("foo/4.0/pkg.yaml"), "").unwrap();
    fs::write(source.join("all.yaml"), "").unwrap();
    fs::create_dir_all(source.join("locks/1.0")).unwrap();
    use std::os::unix::ffi::OsStrExt;
    fs::create_dir_all(source.join("foo").join(std::ffi::OsStr::from_bytes(b"5\xff"))).unwrap();
    for rules in [
        json!({}),
        json!({ "check_package_definition_files": true }),
        json!({ "package_filenames": ["pkg", "package"], "allow_unversioned_packages": false }),
        json!({ "file_lock_dir": "locks" }),
    ] {
        let theirs = rez(source, &rules);
        assert!(theirs.len() >= 7, "{theirs:?}");
        // The first time nothing is remembered, the second time something is.
        for _ in 0..2 {
            let asked = json!({ "paths": [source], "rules": rules });
            let ran = run(&scene, &python, ROWS, &asked).good();
            let ours: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
            assert_eq!(comparable(ours, &rules), comparable(theirs.clone(), &rules), "{rules}");
        }
    }
}

const BEHAVIOUR: &str = r"
import errno, inspect, json, os, pathlib, sys, warnings
import pkgfs
repository, missing = json.loads(sys.argv[1])

one, = pkgfs.scan_repo(repository)
again, = pkgfs.scan_repo([pathlib.Path(repository)], fresh=True, jobs=1)
assert one == again and hash(one) == hash(again) and one is not again
assert repr(one).startswith('ScannedPackage(family=') and '1.0' in repr(one), repr(one)
assert (one.family, one.version, one.format, one.combined) == ('foo', '1.0', 'py', False)
assert one.path == os.path.join(repository, 'foo', '1.0', 'package.py'), one.path
assert one.repository == repository
assert one != 'foo'
try:
    one.family = 'bar'
    raise SystemExit('it is not frozen')
except AttributeError:
    pass

try:
    pkgfs.scan_repo([repository, missing])
    raise SystemExit('nothing was raised')
except FileNotFoundError as error:
    assert error.filename == missing and error.errno == errno.ENOENT, error

told = []
assert pkgfs.scan_repo([missing, repository], on_error=told.append) == [one]
assert [error.filename for error in told] == [missing], told

open(os.path.join(repository, 'bar'), 'w').close()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    assert pkgfs.scan_repo([repository]) == [one]
assert [warning.category for warning in caught] == [pkgfs.ScanWarning], caught
assert '/bar' in str(caught[0].message)
told.clear()
pkgfs.scan_repo([repository], on_error=told.append)
assert isinstance(told[0], NotADirectoryError) and told[0].filename.endswith('/bar'), told

for wrong in [dict(jobs=0), dict(package_filenames='package'), dict(unknown=1)]:
    try:
        pkgfs.scan_repo(repository, **wrong)
        raise SystemExit('%s was taken' % wrong)
    except (TypeError, ValueError):
        pass
for thing in [pkgfs, pkgfs.scan_repo, pkgfs.ScannedPackage, pkgfs.ScanWarning]:
    assert inspect.getdoc(thing)
here = pathlib.Path(pkgfs.__file__).parent
assert (here / 'py.typed').exists() and (here / '_scan.pyi').exists()
";

#[test]
fn packages_are_values_and_what_cannot_be_read_is_an_error_with_its_path() {
    let (scene, python) = scene();
    scene.repository().release("foo", "1.0", |_| {});
    let missing = scene.path("missing");
    let argument = json!([scene.repository().source(), missing]);
    let _ = run(&scene, &python, BEHAVIOUR, &argument).good();
}
