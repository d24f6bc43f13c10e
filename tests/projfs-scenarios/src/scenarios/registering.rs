//! What a provider does about what rez does to its cache: it registers, takes in, lets go.

use std::{
    thread,
    time::{Duration, Instant},
};

use pkgfs_projfs_engine::{
    Code, Wide,
    codes::{attribute, right},
    open::How,
    records::Times,
};

use super::{
    Outcome, Scenarios, Stage, did, refused,
    rez::{find, make_sys, remove_variant, simple},
    same, same_bytes,
};
use crate::{Driver, Scene, Subject};

pub(super) const SCENARIOS: Scenarios = &[
    ("what rez moved to to_delete can be deleted as rez does it", to_delete),
    ("a removed variant stays away, until a pending handle brings it back whole", comes_back),
    ("a pending handle registers its variant", pending),
    ("rez's own copy is taken in and sealed when rez unlinks its mark", copy_in),
];

/// How long a subject may take to act on what it was told.
const SOON: Duration = Duration::from_secs(15);

const NEEDS: Outcome = Outcome::Skipped("this subject takes no part in rez's protocol");

fn eventually(what: &str, check: impl Fn() -> bool) -> anyhow::Result<()> {
    let started = Instant::now();
    while !check() {
        anyhow::ensure!(started.elapsed() < SOON, "{what} does not come about");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// `shutil.rmtree`, which refuses links.
fn rmtree(program: &dyn Driver, path: &Wide) -> Result<(), Code> {
    let status = program.status(path, false)?;
    if status.entry.attributes & attribute::REPARSE_POINT != 0 {
        return Err(Code::REPARSE_POINT_ENCOUNTERED);
    }
    for entry in program.entries(path, None, 100)? {
        let below = path.join(&entry.name);
        if entry.directory && entry.target.is_none() {
            rmtree(program, &below)?;
        } else {
            program.delete(&below, entry.directory, false)?;
        }
    }
    program.delete(path, true, false)
}

fn to_delete(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    if !subject.abilities().registers {
        return Ok(NEEDS);
    }
    simple(scene)?;
    let stage = Stage::new(scene, subject)?;
    let program = stage.program.as_ref();
    make_sys(program, scene)?;
    find(program, scene, "foo")?;
    let to = remove_variant(program, scene)?;
    eventually("deleting what was moved away", || {
        matches!(rmtree(program, &to), Ok(()) | Err(Code::FILE_NOT_FOUND))
    })?;
    let left = did("listing", program.names(&scene.path(r".sys\to_delete")))?;
    same("what is left in to_delete", left, Vec::new())?;
    stage.end()
}

fn write_pending(program: &dyn Driver, scene: &Scene) -> anyhow::Result<()> {
    let pending = scene.path(r".sys\pending\foo-1.0-77aa.json");
    let handle = scene.handle("foo", "1.0").to_json();
    did("writing the handle", program.write_all(&pending, handle.as_bytes()))
}

fn comes_back(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    if !subject.abilities().registers {
        return Ok(NEEDS);
    }
    simple(scene)?;
    let stage = Stage::new(scene, subject)?;
    let program = stage.program.as_ref();
    make_sys(program, scene)?;
    let file = scene.payload("foo", "1.0", "file");
    for _ in 0..2 {
        find(program, scene, "foo")?;
        same_bytes("the file", &did("reading", program.read_all(&file))?, b"content")?;
        remove_variant(program, scene)?;
        anyhow::ensure!(!program.exists(&file), "the payload came back by a look-up");
        write_pending(program, scene)?;
        eventually("the payload's return", || program.exists(&file))?;
        same_bytes("the file", &did("reading", program.read_all(&file))?, b"content")?;
    }
    stage.end()
}

fn pending(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    if !subject.abilities().registers {
        return Ok(NEEDS);
    }
    simple(scene)?;
    let stage = Stage::new(scene, subject)?;
    let program = stage.program.as_ref();
    make_sys(program, scene)?;
    write_pending(program, scene)?;
    // Listings register nothing: what shows there was registered by the handle.
    let names = || program.names(&scene.path("")).unwrap_or_default();
    eventually("its package in the listing", || names().contains(&"foo".to_owned()))?;
    find(program, scene, "foo")?;
    stage.end()
}

fn copy_in(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    if !subject.abilities().registers {
        return Ok(NEEDS);
    }
    // Only rez itself can tell where a definition like this leads.
    simple(scene)?;
    let directory = scene.repository().join("bar").join("1.0");
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join("package.py"), "name = 'bar'\nversion = str(1.0)\n")?;
    let stage = Stage::new(scene, subject)?;
    let program = stage.program.as_ref();
    make_sys(program, scene)?;
    let h4 = scene.h4("bar", "1.0");
    let (version, _) = h4.split();
    let (name, _) = version.split();
    for directory in [&name, &version, &h4] {
        match program.create_directory(directory) {
            Ok(()) | Err(Code::ALREADY_EXISTS) => {}
            Err(code) => anyhow::bail!("making {directory}: {code}"),
        }
    }
    let at = |name: &str| h4.join(&Wide::from(name));
    did("the mark", program.write_all(&at(".copying-a"), b""))?;
    let json = format!("{{\"handle\": {}}}", scene.handle("bar", "1.0").to_json());
    did("the json", program.write_all(&at("a.json"), json.as_bytes()))?;
    did("the copy", program.create_directory(&at("a")))?;
    did("its directory", program.create_directory(&at(r"a\d")))?;
    did("its file", program.write_all(&at(r"a\d\file"), b"copied"))?;
    did(
        "touching the mark",
        program.set_metadata(
            &at(".copying-a"),
            None,
            Some(Times { write: 133_000_000_000_000_000, ..Times::default() }),
        ),
    )?;
    did("another file", program.write_all(&at(r"a\other"), b"other"))?;
    did("unlinking the mark", program.delete(&at(".copying-a"), false, false))?;
    let write = How { backup: false, ..How::with(right::GENERIC_WRITE) };
    eventually("the copy's seal", || match program.open(&at(r"a\d\file"), write) {
        Ok(handle) => {
            program.close(handle).ok();
            false
        }
        Err(code) => code == Code::ACCESS_DENIED,
    })?;
    same_bytes("the copy", &did("reading", program.read_all(&at(r"a\d\file")))?, b"copied")?;
    same_bytes("the other", &did("reading", program.read_all(&at(r"a\other")))?, b"other")?;
    let names = did("listing", program.names(&at("a")))?;
    same("the copy's listing", names, vec!["d".to_owned(), "other".to_owned()])?;
    refused("adding to it", program.write_all(&at(r"a\new"), b"x"), &[Code::ACCESS_DENIED])?;
    stage.end()
}
