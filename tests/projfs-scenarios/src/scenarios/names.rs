//! Names.

use std::{fs::File, io::Write as _, path::Path, process::Command, thread, time::Duration};

use pkgfs_projfs_engine::{Code, Wide, codes::attribute, open::How};

use super::{Outcome, Scenarios, Stage, did, refused, same, same_bytes};
use crate::{Scene, Subject};

pub(super) const SCENARIOS: Scenarios = &[
    ("a name is found in any case, and shown in its own", any_case),
    ("names of two files that differ in case alone are told apart the same way each time", clash),
    ("names of devices are files in a payload", devices),
    ("names with dots and spaces at their end are files in a payload", trailing),
    ("a path of more than 260 characters is read and listed", long_path),
    ("names beyond the basic plane are found, listed and read", beyond_plane),
    ("a name with an unpaired surrogate is found, listed and read", unpaired),
    ("names that are not there are not there, also asked twice, and then are", absent),
    ("a link to a file leads to the file, and shows as a link", file_link),
    ("a link to a directory leads through to what is in it", directory_link),
    ("a link that leads nowhere is listed and is not found", dangling),
];

fn any_case(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    scene.package("foo", "1.0", &[("Some/ReadMe.TXT", b"text"), ("Some/\u{c4}rger", b"umlaut")])?;
    let stage = Stage::new(scene, subject)?;
    for name in [r"SOME\README.txt", r"some\readme.txt", r"Some\ReadMe.TXT"] {
        let path = scene.payload("foo", "1.0", name);
        same_bytes(name, &did(name, stage.program.read_all(&path))?, b"text")?;
    }
    let umlaut = scene.payload("foo", "1.0", "some\\\u{e4}RGER");
    same_bytes("the umlaut", &did("the umlaut", stage.program.read_all(&umlaut))?, b"umlaut")?;
    let listed = did("listing", stage.program.names(&scene.payload("foo", "1.0", "SOME")))?;
    same("the listing", listed, vec!["ReadMe.TXT".to_owned(), "\u{c4}rger".to_owned()])?;
    stage.end()
}

/// Files whose names differ in case alone. Windows can be told to let a directory have them; under Wine,
/// which knows no such directories, the system below makes them.
fn make_clash(directory: &Path) -> std::io::Result<()> {
    if cfg!(windows) {
        let mut fsutil = Command::new("fsutil");
        fsutil.args(["file", "setCaseSensitiveInfo"]).arg(directory).arg("enable");
        fsutil.output().ok();
    }
    std::fs::write(directory.join("Name"), b"Name")?;
    match File::create_new(directory.join("name")) {
        Ok(mut file) => file.write_all(b"name"),
        Err(_) => {
            // Wine starts it and has no handle to wait for.
            let mut shell = Command::new(r"Z:\bin\sh");
            shell.args(["-c", "printf name > .name && mv .name name"]).current_dir(directory);
            shell.spawn().ok();
            for _ in 0..100 {
                if std::fs::read_dir(directory)?.count() == 3 {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
    }
}

fn clash(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    if subject.abilities().plain {
        return Ok(Outcome::Skipped("a copy has one name of both"));
    }
    scene.package("foo", "1.0", &[("d/z", b"z")])?;
    let directory = scene.repository().join("foo").join("1.0").join("d");
    if make_clash(&directory).is_err() || std::fs::read_dir(&directory)?.count() != 3 {
        return Ok(Outcome::Impossible("this disk holds no two names that differ in case alone"));
    }
    let mut seen = Vec::new();
    for _ in 0..2 {
        let stage = Stage::new(scene, subject)?;
        let directory = scene.payload("foo", "1.0", "d");
        let listed = did("listing", stage.program.names(&directory))?;
        same("how many names show", listed.len(), 3)?;
        let path = directory.join(&Wide::from("NAME"));
        if subject.abilities().registers {
            let told_apart = listed.iter().filter(|name| *name != "z").map(|name| {
                did(name, stage.program.read_all(&directory.join(&Wide::from(name.as_str()))))
            });
            let mut contents = told_apart.collect::<anyhow::Result<Vec<_>>>()?;
            contents.sort();
            same("what they hold", contents, vec![b"Name".to_vec(), b"name".to_vec()])?;
            same_bytes(
                "the one without capitals",
                &did("it", stage.program.read_all(&path))?,
                b"name",
            )?;
        }
        seen.push((listed, did("reading", stage.program.read_all(&path))?));
        stage.end()?;
    }
    same("the second time", &seen[1], &seen[0])?;
    Ok(Outcome::Passed)
}

/// A package with files of these names, where the disk can hold them.
fn made(scene: &Scene, names: &[&str]) -> anyhow::Result<bool> {
    scene.package("foo", "1.0", &[("d/plain", b"plain")])?;
    let directory = std::fs::canonicalize(scene.repository().join("foo/1.0/d"))?;
    for name in names {
        // Joined as text: a verbatim path takes names as they are.
        let path = format!("{}{}{name}", directory.display(), std::path::MAIN_SEPARATOR);
        if std::fs::write(&path, name.as_bytes()).is_err() {
            return Ok(false);
        }
    }
    let there: Vec<String> = std::fs::read_dir(&directory)?
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    Ok(names.iter().all(|name| there.iter().any(|there| there == name)))
}

fn files(scene: &Scene, subject: &dyn Subject, names: &[&str]) -> anyhow::Result<Outcome> {
    if !made(scene, names)? {
        return Ok(Outcome::Impossible("this disk cannot hold such names"));
    }
    let stage = Stage::new(scene, subject)?;
    let directory = scene.payload("foo", "1.0", "d");
    let mut should: Vec<String> = names.iter().map(|name| subject.shown(name)).collect();
    should.push("plain".to_owned());
    should.sort_by_key(|name| Wide::from(name.as_str()).key());
    same("the listing", did("listing", stage.program.names(&directory))?, should.clone())?;
    for name in names {
        let path = directory.join(&Wide::from(subject.shown(name).as_str()));
        same_bytes(name, &did(name, stage.program.read_all(&path))?, name.as_bytes())?;
    }
    same(
        "the listing once they are local",
        did("listing", stage.program.names(&directory))?,
        should,
    )?;
    stage.end()
}

fn devices(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    files(scene, subject, &["con", "aux.txt", "nul", "COM1.py", "lpt1"])
}

fn trailing(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    files(scene, subject, &["dot.", "dots..", "space ", "both. "])
}

fn beyond_plane(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    files(scene, subject, &["\u{1f600}.txt", "\u{10400}", "\u{fb01}ne", "\u{65e5}\u{672c}"])
}

fn long_path(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let part = "p".repeat(60);
    let deep = [part.as_str(); 6].join("/");
    let repository = std::fs::canonicalize(scene.repository())?;
    scene.package("foo", "1.0", &[("x", b"x")])?;
    let mut directory = repository.join("foo").join("1.0");
    for part in deep.split('/') {
        directory.push(part);
        std::fs::create_dir(&directory)?;
    }
    std::fs::write(directory.join("file"), b"deep")?;
    let stage = Stage::new(scene, subject)?;
    let deep = deep.replace('/', r"\");
    let path = scene.payload("foo", "1.0", &format!(r"{deep}\file"));
    same_bytes("the file", &did("reading", stage.program.read_all(&path))?, b"deep")?;
    let names = did("listing", stage.program.names(&scene.payload("foo", "1.0", &deep)))?;
    same("the listing", names, vec!["file".to_owned()])?;
    stage.end()
}

#[cfg(windows)]
fn unpaired(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};

    scene.package("foo", "1.0", &[("d/plain", b"plain")])?;
    let units = [u16::from(b'a'), 0xD800, u16::from(b'b')];
    let directory = scene.repository().join("foo").join("1.0").join("d");
    let name = std::ffi::OsString::from_wide(&units);
    let kept = std::fs::write(directory.join(&name), b"unpaired").is_ok()
        && std::fs::read_dir(&directory)?
            .filter_map(Result::ok)
            .any(|entry| entry.file_name().encode_wide().eq(units));
    if !kept {
        return Ok(Outcome::Impossible("this disk cannot hold such names"));
    }
    let stage = Stage::new(scene, subject)?;
    let shown = scene.payload("foo", "1.0", "d");
    let entries = did("listing", stage.program.entries(&shown, None, 10))?;
    same("its name", entries[0].name.clone(), Wide(units.to_vec()))?;
    let read = did("reading", stage.program.read_all(&shown.join(&Wide(units.to_vec()))))?;
    same_bytes("the file", &read, b"unpaired")?;
    stage.end()
}

#[cfg(not(windows))]
fn unpaired(_: &Scene, _: &dyn Subject) -> anyhow::Result<Outcome> {
    Ok(Outcome::Impossible("names are bytes here"))
}

fn absent(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    scene.package("foo", "1.0", &[("d/x", b"x")])?;
    let stage = Stage::new(scene, subject)?;
    for _ in 0..2 {
        let missing = scene.payload("foo", "1.0", r"d\missing");
        refused("a missing file", stage.program.status(&missing, true), &[Code::FILE_NOT_FOUND])?;
        refused("opening it", stage.program.open(&missing, How::read()), &[Code::FILE_NOT_FOUND])?;
        let below = scene.payload("foo", "1.0", r"missing\x");
        refused(
            "below what is missing",
            stage.program.status(&below, true),
            &[Code::PATH_NOT_FOUND],
        )?;
        let other = scene.path(r"nopackage");
        refused(
            "a package that is not",
            stage.program.status(&other, true),
            &[Code::FILE_NOT_FOUND],
        )?;
    }
    stage.end()
}

#[cfg(windows)]
fn make_link(at: &std::path::Path, target: &str, directory: bool) -> std::io::Result<()> {
    use std::os::windows::fs::{symlink_dir, symlink_file};

    if directory { symlink_dir(target, at) } else { symlink_file(target, at) }
}

#[cfg(not(windows))]
fn make_link(at: &std::path::Path, target: &str, _: bool) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

/// Makes a link in the repository; nothing where this user or disk cannot.
fn link(scene: &Scene, name: &str, target: &str, directory: bool) -> bool {
    let at = scene.repository().join("foo").join("1.0").join(name);
    let made = make_link(&at, target, directory);
    // Wine says that it made one, and did not.
    made.is_ok() && std::fs::symlink_metadata(&at).is_ok_and(|metadata| metadata.is_symlink())
}

const NO_LINKS: Outcome = Outcome::Impossible("no links can be made in a repository here");

fn file_link(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    scene.package("foo", "1.0", &[("file", b"content")])?;
    if !link(scene, "link", "file", false) {
        return Ok(NO_LINKS);
    }
    let stage = Stage::new(scene, subject)?;
    let path = scene.payload("foo", "1.0", "link");
    same_bytes("through the link", &did("reading", stage.program.read_all(&path))?, b"content")?;
    let itself = did("the link", stage.program.status(&path, false))?.entry;
    same("its attribute", itself.attributes & attribute::REPARSE_POINT, attribute::REPARSE_POINT)?;
    same("its target", itself.target, Some(Wide::from("file")))?;
    stage.end()
}

fn directory_link(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    scene.package("foo", "1.0", &[("d/file", b"content")])?;
    if !link(scene, "link", "d", true) {
        return Ok(NO_LINKS);
    }
    let stage = Stage::new(scene, subject)?;
    let path = scene.payload("foo", "1.0", r"link\file");
    same_bytes("through the link", &did("reading", stage.program.read_all(&path))?, b"content")?;
    let names = did("listing", stage.program.names(&scene.payload("foo", "1.0", "link")))?;
    same("the listing through it", names, vec!["file".to_owned()])?;
    stage.end()
}

fn dangling(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    scene.package("foo", "1.0", &[("d/file", b"content")])?;
    if !link(scene, r"d/link", "nowhere", false) {
        return Ok(NO_LINKS);
    }
    let stage = Stage::new(scene, subject)?;
    let names = did("listing", stage.program.names(&scene.payload("foo", "1.0", "d")))?;
    same("the listing", names, vec!["file".to_owned(), "link".to_owned()])?;
    let path = scene.payload("foo", "1.0", r"d\link");
    refused("following it", stage.program.read_all(&path), &[Code::FILE_NOT_FOUND])?;
    did("the link itself", stage.program.status(&path, false))?;
    stage.end()
}
