//! Starts, stops, crashes and flushes.

use std::{fs, path::Path, sync::mpsc, thread, time::Duration};

use pkgfs_projfs_engine::{Code, Wide, codes::right, open::How, volume::Switches};

use super::{Outcome, Scenarios, Stage, bytes, did, refused, same, same_bytes};
use crate::{Scene, Subject};

pub(super) const SCENARIOS: Scenarios = &[
    ("when the provider has died, what was read is readable and the rest says why not", killed),
    ("after the provider has died, it starts again on the same root and all is right", restarted),
    ("a provider that is stopped and started shows the same again", stopped),
    ("a provider of another instance takes over a root that exists", other_instance),
    ("unmounting leaves nothing that looks whole and is not", unmounted),
    (
        "a reader who waits when the provider stops gets an error, and the stop ends",
        stopped_reading,
    ),
    ("what was flushed is asked for again, and shows what is at origin now", flushed),
    ("a flush while a file is open leaves its reader with right bytes", flushed_open),
    ("what programs do in .sys is told to the provider in the documented order", told),
    ("what rez wrote is there after the provider has died and started again", written),
];

/// What a program may see of what is not local, where nobody provides it.
const GONE: &[Code] = &[
    Code::FILE_SYSTEM_VIRTUALIZATION_UNAVAILABLE,
    Code::FILE_SYSTEM_VIRTUALIZATION_BUSY,
    Code::FILE_SYSTEM_VIRTUALIZATION_PROVIDER_UNKNOWN,
];

fn package(scene: &Scene) -> anyhow::Result<Vec<u8>> {
    let content = bytes(11, 400_000);
    scene.package("foo", "1.0", &[("d/read", &content), ("d/unread", &content), ("e/x", b"x")])?;
    Ok(content)
}

fn killed(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let content = package(scene)?;
    let Stage { program, running } = Stage::new(scene, subject)?;
    let at = |below: &str| scene.payload("foo", "1.0", below);
    same_bytes("the file", &did("reading", program.read_all(&at(r"d\read")))?, &content)?;
    did("a placeholder", program.status(&at(r"d\unread"), true))?;
    running.kill();
    let program = scene.program();
    same_bytes("what was read", &did("reading", program.read_all(&at(r"d\read")))?, &content)?;
    refused("what was not read", program.read_all(&at(r"d\unread")), GONE)?;
    refused("what was not looked at", program.read_all(&at(r"e\x")), GONE)?;
    refused("a listing", program.names(&at("d")), GONE)?;
    let write = How { backup: false, ..How::with(right::GENERIC_WRITE) };
    refused("writing", program.open(&at(r"d\read"), write), &[Code::ACCESS_DENIED])?;
    Ok(Outcome::Passed)
}

fn restarted(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let content = package(scene)?;
    let at = |below: &str| scene.payload("foo", "1.0", below);
    for _ in 0..2 {
        let Stage { program, running } = Stage::new(scene, subject)?;
        same_bytes("a file", &did("reading", program.read_all(&at(r"d\read")))?, &content)?;
        drop(program);
        running.kill();
    }
    let stage = Stage::new(scene, subject)?;
    same_bytes("a file", &did("reading", stage.program.read_all(&at(r"d\read")))?, &content)?;
    same_bytes("another", &did("reading", stage.program.read_all(&at(r"d\unread")))?, &content)?;
    let names = did("listing", stage.program.names(&at("d")))?;
    same("the listing", names, vec!["read".to_owned(), "unread".to_owned()])?;
    let write = How { backup: false, ..How::with(right::GENERIC_WRITE) };
    refused("writing", stage.program.open(&at(r"d\read"), write), &[Code::ACCESS_DENIED])?;
    stage.end()
}

fn stopped(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let content = package(scene)?;
    let at = |below: &str| scene.payload("foo", "1.0", below);
    for file in [r"d\read", r"d\read", r"d\unread"] {
        let stage = Stage::new(scene, subject)?;
        same_bytes("a file", &did("reading", stage.program.read_all(&at(file)))?, &content)?;
        let names = did("listing", stage.program.names(&at("d")))?;
        same("the listing", names, vec!["read".to_owned(), "unread".to_owned()])?;
        stage.end()?;
    }
    Ok(Outcome::Passed)
}

/// With the files that are read-only.
fn remove_tree(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            remove_tree(&path)?;
            continue;
        }
        let mut permissions = metadata.permissions();
        #[expect(clippy::permissions_set_readonly_false, reason = "an attribute of Windows")]
        permissions.set_readonly(false);
        fs::set_permissions(&path, permissions)?;
        fs::remove_file(&path)?;
    }
    fs::remove_dir(directory)
}

fn other_instance(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let content = package(scene)?;
    let at = |below: &str| scene.payload("foo", "1.0", below);
    let Stage { program, running } = Stage::new(scene, subject)?;
    same_bytes("a file", &did("reading", program.read_all(&at(r"d\read")))?, &content)?;
    drop(program);
    running.kill();
    // The store is lost, and with it whatever told the instance.
    remove_tree(&scene.store())?;
    std::fs::create_dir(scene.store())?;
    let stage = Stage::new(scene, subject)?;
    same_bytes("a file", &did("reading", stage.program.read_all(&at(r"d\read")))?, &content)?;
    same_bytes("another", &did("reading", stage.program.read_all(&at(r"d\unread")))?, &content)?;
    stage.end()
}

fn unmounted(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let content = package(scene)?;
    let stage = Stage::new(scene, subject)?;
    let at = |below: &str| scene.payload("foo", "1.0", below);
    same_bytes("a file", &did("reading", stage.program.read_all(&at(r"d\read")))?, &content)?;
    did("a placeholder", stage.program.status(&at(r"d\unread"), true))?;
    stage.end()?;
    let root = scene.root();
    if !root.exists() {
        return Ok(Outcome::Passed);
    }
    let program = scene.program();
    match program.read_all(&at(r"d\unread")) {
        Ok(read) => same_bytes("what was not read", &read, &content)?,
        Err(code) => {
            let mut codes = GONE.to_vec();
            codes.extend([Code::FILE_NOT_FOUND, Code::PATH_NOT_FOUND, Code::REPARSE_TAG_MISMATCH]);
            refused::<()>("what was not read", Err(code), &codes)?;
        }
    }
    if let Ok(read) = program.read_all(&at(r"d\read")) {
        same_bytes("what was read", &read, &content)?;
    }
    Ok(Outcome::Passed)
}

fn stopped_reading(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    package(scene)?;
    let Stage { program, running } = Stage::new(scene, subject)?;
    let Some(standin) = program.standin() else {
        return Ok(Outcome::Skipped("only the stand-in can hold data up"));
    };
    let path = scene.payload("foo", "1.0", r"d\read");
    did("a placeholder", program.status(&path, true))?;
    did("holding", standin.switch(Switches { hold_data: true, ..Switches::default() }))?;
    standin.trace();
    let reader = program.another();
    let (told, tells) = mpsc::channel();
    let waiting = thread::spawn(move || {
        let handle = reader.open(&path, How::read());
        told.send(handle.and_then(|handle| reader.read(handle, 0, 100))).ok();
    });
    while !standin.trace().iter().any(|line| line.starts_with("data ")) {
        thread::sleep(Duration::from_millis(5));
    }
    let stopping = thread::spawn(move || running.stop());
    let read = tells.recv_timeout(Duration::from_secs(30))?;
    anyhow::ensure!(
        read.is_err() || read.as_ref().is_ok_and(|read| *read == bytes(11, 100)),
        "the reader got {read:?}"
    );
    waiting.join().ok();
    stopping.join().map_err(|_| anyhow::anyhow!("the stop panicked"))??;
    Ok(Outcome::Passed)
}

fn flushed(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    package(scene)?;
    let mut stage = Stage::new(scene, subject)?;
    let path = scene.payload("foo", "1.0", r"e\x");
    same_bytes("the file", &did("reading", stage.program.read_all(&path))?, b"x")?;
    fs::write(scene.repository().join("foo/1.0/e/x"), b"changed")?;
    stage.running.flush("foo")?;
    same_bytes("the file", &did("reading", stage.program.read_all(&path))?, b"changed")?;
    let entries =
        did("listing", stage.program.entries(&scene.payload("foo", "1.0", "e"), None, 10))?;
    same("its size in the listing", entries[0].size, 7)?;
    stage.end()
}

fn flushed_open(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let content = package(scene)?;
    let mut stage = Stage::new(scene, subject)?;
    let program = stage.program.another();
    let path = scene.payload("foo", "1.0", r"d\read");
    let handle = did("opening", program.open(&path, How::read()))?;
    let first = did("reading", program.read(handle, 0, 1000))?;
    same_bytes("what is read before", &first, &content[..1000])?;
    // It may be refused, but not at the reader's cost.
    stage.running.flush("foo").ok();
    match program.read_on(handle) {
        Ok(read) => same_bytes("what is read after", &read, &content)?,
        Err(code) => anyhow::bail!("the reader got {code}"),
    }
    did("closing", program.close(handle))?;
    same_bytes("the file", &did("reading", stage.program.read_all(&path))?, &content)?;
    drop(program);
    stage.end()
}

fn told(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    if subject.name() != "reference" {
        return Ok(Outcome::Skipped("the reference provider asks for all notifications"));
    }
    package(scene)?;
    let stage = Stage::new(scene, subject)?;
    let program = stage.program.as_ref();
    let Some(standin) = program.standin() else {
        return Ok(Outcome::Skipped("only the stand-in tells"));
    };
    did("making", program.create_directory(&scene.path(".sys")))?;
    let (one, two) = (scene.path(r".sys\one"), scene.path(r".sys\two"));
    let told = |what: &str, should: &[&str]| {
        let is: Vec<String> = standin
            .trace()
            .into_iter()
            .filter(|line| line.starts_with(char::is_uppercase))
            .collect();
        same(what, is, should.iter().map(|line| (*line).to_owned()).collect())
    };
    told("told of a new directory", &["NewFileCreated .sys"])?;
    did("writing", program.write_all(&one, b"1"))?;
    told("told of a new file", &[r"NewFileCreated .sys\one", r"ClosedFileModified .sys\one"])?;
    did("reading", program.read_all(&one))?;
    told("told of reading", &[])?;
    did("linking", program.hard_link(&one, &two))?;
    let link = [r"PreSetHardlink .sys\one -> .sys\two", r"HardlinkCreated .sys\one -> .sys\two"];
    told("told of a hard link", &link)?;
    let three = scene.path(r".sys\three");
    did("renaming", program.rename(&two, &three, false))?;
    told(
        "told of a rename",
        &[r"PreRename .sys\two -> .sys\three", r"FileRenamed .sys\two -> .sys\three"],
    )?;
    did("deleting", program.delete(&three, false, false))?;
    told("told of a deletion", &[r"PreDelete .sys\three", r"ClosedFileDeleted .sys\three"])?;
    stage.end()
}

fn written(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    package(scene)?;
    let Stage { program, running } = Stage::new(scene, subject)?;
    match program.create_directory(&scene.path(".sys")) {
        Ok(()) | Err(Code::ALREADY_EXISTS) => {}
        Err(code) => anyhow::bail!("making .sys: {code}"),
    }
    let log = scene.path(".sys").join(&Wide::from("log"));
    match program.create_directory(&log) {
        Ok(()) | Err(Code::ALREADY_EXISTS) => {}
        Err(code) => anyhow::bail!("making log: {code}"),
    }
    let file = log.join(&Wide::from("today.log"));
    did("writing", program.write_all(&file, b"a line"))?;
    drop(program);
    running.kill();
    same_bytes(
        "the log without a provider",
        &did("reading", scene.program().read_all(&file))?,
        b"a line",
    )?;
    let stage = Stage::new(scene, subject)?;
    same_bytes("the log", &did("reading", stage.program.read_all(&file))?, b"a line")?;
    stage.end()
}
