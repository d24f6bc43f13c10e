//! What rez does to its cache on Windows, call by call: `PackageCache` of rez 3, and what Python's
//! `os` makes of it there (`os.rename` is `MoveFileExW`, `os.replace` the same with replacement,
//! `os.link` is `CreateHardLinkW`, `os.utime` opens for `FILE_WRITE_ATTRIBUTES`).

use std::sync::atomic::{AtomicU32, Ordering};

use pkgfs_projfs_engine::{
    Code, Wide,
    codes::{attribute, right},
    open::How,
    records::Times,
};

use super::{Outcome, Scenarios, Stage, did, refused, same, same_bytes};
use crate::{Driver, Scene, Subject};

pub(super) const SCENARIOS: Scenarios = &[
    ("rez makes .sys and what is in it, and writes, lists and deletes there", sys),
    ("rez takes its lock by a hard link: one holder, the other sees it is there", lock),
    ("os.replace replaces, os.rename does not, and directories of .sys can be renamed", replace),
    ("a look-up finds the payload, its json and no copying mark, and touches the json", look_up),
    ("a payload opened below its link is one tree, however it is reached", through_link),
    ("rez removes a variant: renames it away, unlinks its json, removes its directories", remove),
    ("a variant is removed while a program reads in it, and that program reads on", remove_open),
    ("rez's copy of a payload into another place reads all of it", copy_out),
];

/// `os.makedirs(path, exist_ok=True)` of rez's own directories.
pub(super) fn make_sys(program: &dyn Driver, scene: &Scene) -> anyhow::Result<()> {
    for part in [".sys", r".sys\log", r".sys\pending", r".sys\to_delete"] {
        let path = scene.path(part);
        match program.create_directory(&path) {
            Ok(()) | Err(Code::ALREADY_EXISTS) => {}
            Err(code) => anyhow::bail!("making {part}: {code}"),
        }
        let there = did(part, program.status(&path, true))?;
        anyhow::ensure!(there.entry.directory, "{part} is no directory");
    }
    Ok(())
}

pub(super) fn simple(scene: &Scene) -> anyhow::Result<()> {
    scene.package("foo", "1.0", &[("file", b"content"), ("python/foo/__init__.py", b"import os\n")])
}

fn sys(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    simple(scene)?;
    let stage = Stage::new(scene, subject)?;
    let program = stage.program.as_ref();
    make_sys(program, scene)?;
    make_sys(program, scene)?;
    let log = scene.path(r".sys\log\2026-01-01.log");
    for lines in [&b"one\n"[..], b"one\ntwo\n"] {
        did("writing", program.write_all(&log, lines))?;
        same_bytes("the log", &did("reading", program.read_all(&log))?, lines)?;
    }
    let how = How { backup: false, ..How::with(right::APPEND_DATA | right::SYNCHRONIZE) };
    let handle = did("opening to append", program.open(&log, how))?;
    did("appending", program.write(handle, 0, b"three\n"))?;
    did("closing", program.close(handle))?;
    same_bytes("the log", &did("reading", program.read_all(&log))?, b"one\ntwo\nthree\n")?;
    let names = did("listing", program.names(&scene.path(r".sys\log")))?;
    anyhow::ensure!(names.contains(&"2026-01-01.log".to_owned()), "the log does not show");
    did("deleting", program.delete(&log, false, false))?;
    anyhow::ensure!(!program.exists(&log), "the log is there after it was deleted");
    let names = did("listing", program.names(&scene.path(".sys")))?;
    for part in ["log", "pending", "to_delete"] {
        anyhow::ensure!(names.contains(&part.to_owned()), "{part} does not show");
    }
    stage.end()
}

fn lock(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    simple(scene)?;
    let stage = Stage::new(scene, subject)?;
    let (one, other) = (stage.program.as_ref(), stage.program.another());
    make_sys(one, scene)?;
    let lock = scene.path(r".sys\.lock.lock");
    for _ in 0..2 {
        let mine = scene.path(r".sys\host-7f00.4711");
        let theirs = scene.path(r".sys\host-7f01.4712");
        did("writing", one.write_all(&mine, b""))?;
        did("writing", other.write_all(&theirs, b""))?;
        did("linking", one.hard_link(&mine, &lock))?;
        refused("linking a second time", other.hard_link(&theirs, &lock), &[Code::ALREADY_EXISTS])?;
        same("the holder's links", did("status", one.status(&mine, true))?.links, 2)?;
        same("the lock's links", did("status", other.status(&lock, true))?.links, 2)?;
        same("the loser's links", did("status", other.status(&theirs, true))?.links, 1)?;
        did("unlinking", one.delete(&lock, false, false))?;
        same("the holder's links", did("status", one.status(&mine, true))?.links, 1)?;
        did("unlinking", one.delete(&mine, false, false))?;
        did("unlinking", other.delete(&theirs, false, false))?;
    }
    drop(other);
    stage.end()
}

fn replace(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    simple(scene)?;
    let stage = Stage::new(scene, subject)?;
    let program = stage.program.as_ref();
    make_sys(program, scene)?;
    let at = |name: &str| scene.path(&format!(r".sys\log\{name}"));
    did("writing", program.write_all(&at("new"), b"new"))?;
    did("writing", program.write_all(&at("old"), b"old"))?;
    refused("os.rename", program.rename(&at("new"), &at("old"), false), &[Code::ALREADY_EXISTS])?;
    did("os.replace", program.rename(&at("new"), &at("old"), true))?;
    same_bytes("what was replaced", &did("reading", program.read_all(&at("old")))?, b"new")?;
    anyhow::ensure!(!program.exists(&at("new")), "what was renamed is still there");
    did("making", program.create_directory(&at("d")))?;
    did("writing", program.write_all(&at(r"d\x"), b"x"))?;
    did("renaming a directory", program.rename(&at("d"), &at("e"), false))?;
    same_bytes("what is in it", &did("reading", program.read_all(&at(r"e\x")))?, b"x")?;
    refused(
        "over a directory",
        program.rename(&at("old"), &at("e"), true),
        &[Code::ACCESS_DENIED],
    )?;
    let not_empty = program.delete(&at("e"), true, false);
    refused("deleting what is not empty", not_empty, &[Code::DIR_NOT_EMPTY])?;
    did("deleting", program.delete(&at(r"e\x"), false, false))?;
    did("deleting", program.delete(&at("e"), true, false))?;
    did("making it again", program.create_directory(&at("e")))?;
    stage.end()
}

/// `_get_cached_root`: stat, listdir, read, stat of the mark, utime.
pub(super) fn find(program: &dyn Driver, scene: &Scene, name: &str) -> anyhow::Result<()> {
    let h4 = scene.h4(name, "1.0");
    did("stat of h4", program.status(&h4, true))?;
    let names = did("listdir of h4", program.names(&h4))?;
    anyhow::ensure!(names.contains(&"a.json".to_owned()), "no json shows, but {names:?}");
    let json = h4.join(&Wide::from("a.json"));
    let text = did("reading the json", program.read_all(&json))?;
    let value: serde_json::Value = serde_json::from_slice(&text)?;
    same("the handle", &value["handle"], &scene.handle(name, "1.0").to_dict())?;
    let mark = h4.join(&Wide::from(".copying-a"));
    refused("stat of the mark", program.status(&mark, true), &[Code::FILE_NOT_FOUND])?;
    let touched = 133_000_000_000_000_000;
    let times = Times { write: touched, access: touched, ..Times::default() };
    did("utime of the json", program.set_metadata(&json, None, Some(times)))?;
    let shown = did("stat of the json", program.status(&json, true))?.entry.times.write;
    anyhow::ensure!(shown >= touched, "the json shows {shown}, before it was touched");
    Ok(())
}

fn look_up(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    simple(scene)?;
    let stage = Stage::new(scene, subject)?;
    let program = stage.program.as_ref();
    make_sys(program, scene)?;
    find(program, scene, "foo")?;
    find(program, scene, "foo")?;
    let path = scene.payload("foo", "1.0", r"python\foo\__init__.py");
    same_bytes("a module", &did("reading", program.read_all(&path))?, b"import os\n")?;
    stage.end()
}

fn through_link(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    if subject.abilities().plain {
        return Ok(Outcome::Skipped("a plain copy is no link"));
    }
    simple(scene)?;
    let stage = Stage::new(scene, subject)?;
    let program = stage.program.as_ref();
    let payload = scene.payload("foo", "1.0", "");
    let link = did("the link", program.status(&payload, false))?;
    same(
        "being a link",
        link.entry.attributes & attribute::REPARSE_POINT,
        attribute::REPARSE_POINT,
    )?;
    let through = did("what it leads to", program.status(&payload, true))?;
    anyhow::ensure!(through.entry.directory, "the link leads to no directory");
    let entries = did("listing h4", program.entries(&scene.h4("foo", "1.0"), None, 10))?;
    let shown = entries.iter().find(|entry| entry.name == Wide::from("a"));
    anyhow::ensure!(
        shown.is_some_and(|entry| entry.directory),
        "the link is not listed as a directory"
    );
    let names = did("listing through it", program.names(&payload))?;
    same("the listing", names, vec!["file".into(), "package.py".into(), "python".into()])?;
    stage.end()
}

/// `remove_variant`, up to the directories. rez makes up a name there that nothing had before.
pub(super) fn remove_variant(program: &dyn Driver, scene: &Scene) -> anyhow::Result<Wide> {
    let h4 = scene.h4("foo", "1.0");
    static REMOVED: AtomicU32 = AtomicU32::new(0);
    let number = REMOVED.fetch_add(1, Ordering::Relaxed);
    let to = scene.path(&format!(r".sys\to_delete\foo-1.0-{number:04x}"));
    did("renaming", program.rename(&h4.join(&Wide::from("a")), &to, false))?;
    did("unlinking the json", program.delete(&h4.join(&Wide::from("a.json")), false, false))?;
    let mark = program.delete(&h4.join(&Wide::from(".copying-a")), false, false);
    refused("unlinking a mark", mark, &[Code::FILE_NOT_FOUND])?;
    let (version, _) = h4.split();
    let (name, _) = version.split();
    for directory in [&h4, &version, &name] {
        // rez asks whether it is there, and stops at the first that is not empty.
        if program.exists(directory) {
            match program.delete(directory, true, false) {
                Ok(()) | Err(Code::DIR_NOT_EMPTY) => {}
                Err(code) => anyhow::bail!("removing {directory}: {code}"),
            }
        }
    }
    Ok(to)
}

fn remove(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    simple(scene)?;
    let stage = Stage::new(scene, subject)?;
    let program = stage.program.as_ref();
    make_sys(program, scene)?;
    find(program, scene, "foo")?;
    remove_variant(program, scene)?;
    anyhow::ensure!(
        !program.exists(&scene.payload("foo", "1.0", "")),
        "the payload is still there"
    );
    let json = scene.h4("foo", "1.0").join(&Wide::from("a.json"));
    anyhow::ensure!(!program.exists(&json), "its json is still there");
    stage.end()
}

fn remove_open(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    if subject.abilities().plain {
        return Ok(Outcome::Skipped(
            "a directory with an open file cannot be renamed: hence the link",
        ));
    }
    simple(scene)?;
    let stage = Stage::new(scene, subject)?;
    let (program, reader) = (stage.program.as_ref(), stage.program.another());
    make_sys(program, scene)?;
    find(program, scene, "foo")?;
    let handle = did("opening", reader.open(&scene.payload("foo", "1.0", "file"), How::read()))?;
    remove_variant(program, scene)?;
    same_bytes("what the reader has", &did("reading on", reader.read_on(handle))?, b"content")?;
    did("closing", reader.close(handle))?;
    drop(reader);
    stage.end()
}

fn copy_out(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    simple(scene)?;
    let stage = Stage::new(scene, subject)?;
    let program = stage.program.as_ref();
    make_sys(program, scene)?;
    let (from, to) = (scene.payload("foo", "1.0", "file"), scene.path(r".sys\log\copy"));
    let bytes = did("reading", program.read_all(&from))?;
    did("writing", program.write_all(&to, &bytes))?;
    did("copystat", program.set_metadata(&to, Some(attribute::READONLY), None))?;
    refused(
        "deleting what is read-only",
        program.delete(&to, false, false),
        &[Code::ACCESS_DENIED],
    )?;
    did("chmod", program.set_metadata(&to, Some(attribute::NORMAL), None))?;
    did("deleting", program.delete(&to, false, false))?;
    stage.end()
}
