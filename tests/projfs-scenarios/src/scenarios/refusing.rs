//! What nobody may do to a payload.

use pkgfs_projfs_engine::{
    Code, Wide,
    codes::{attribute, right, share},
    open::{Disposition, How},
    records::Times,
    volume::Switches,
};

use super::{Outcome, Scenarios, Stage, did, refused, same, same_bytes};
use crate::{Driver, Scene, Subject};

pub(super) const SCENARIOS: Scenarios = &[
    ("a payload's file cannot be written, appended to or truncated", write),
    ("a payload's file cannot be replaced or written anew", overwrite),
    ("a payload's file cannot be deleted, by no kind of deletion", delete),
    ("a payload's file cannot be renamed, within or out of its directory", rename),
    ("no file can be renamed over a payload's file or into a payload", rename_into),
    ("a payload's file gets no hard link, in the payload or outside", hard_link),
    ("a payload's attributes, times and permissions cannot be changed", metadata),
    ("nothing can be made in a payload: no file, directory or link", create),
    ("a payload's directory cannot be deleted, also an empty one", delete_directory),
    ("a payload's directory cannot be renamed: it is not supported, or denied", rename_directory),
    ("a file held open by a reader is refused to writers all the same", while_open),
    ("the read-only attribute alone refuses writing, overwriting and plain deletion", by_attribute),
    ("the descriptor alone refuses writing, deletion, creation and attributes", by_descriptor),
    ("the vetoes alone refuse writing, deletion, renaming and hard links", by_veto),
];

const CONTENT: &[u8] = b"this stays";
/// What a refusal may be: access that is denied, or an operation that is not supported.
const DENIED: &[Code] = &[Code::ACCESS_DENIED];

struct Payload {
    stage: Stage,
    file: Wide,
    directory: Wide,
    empty: Wide,
    /// A directory in the root where programs may write.
    free: Wide,
}

fn payload(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Payload> {
    scene.package("foo", "1.0", &[("d/file", CONTENT), ("d/other", b"other")])?;
    std::fs::create_dir(scene.repository().join("foo/1.0/empty"))?;
    let stage = Stage::new(scene, subject)?;
    let free = scene.path(".sys");
    if !stage.program.exists(&free) {
        did("making .sys", stage.program.create_directory(&free))?;
    }
    Ok(Payload {
        stage,
        file: scene.payload("foo", "1.0", r"d\file"),
        directory: scene.payload("foo", "1.0", "d"),
        empty: scene.payload("foo", "1.0", "empty"),
        free,
    })
}

impl Payload {
    fn program(&self) -> &dyn Driver {
        self.stage.program.as_ref()
    }

    fn beside(&self, name: &str) -> Wide {
        self.directory.join(&Wide::from(name))
    }

    /// Everything is as it was.
    fn unchanged(&self) -> anyhow::Result<()> {
        let read = did("reading the file", self.program().read_all(&self.file))?;
        same_bytes("the file", &read, CONTENT)?;
        let names = did("listing", self.program().names(&self.directory))?;
        same("the payload", names, vec!["file".to_owned(), "other".to_owned()])?;
        same("the empty directory", did("listing", self.program().names(&self.empty))?, Vec::new())
    }

    fn end(self) -> anyhow::Result<Outcome> {
        self.unchanged()?;
        self.stage.end()
    }

    /// The same before and after the file is local.
    fn twice(&self, refusals: impl Fn(&dyn Driver) -> anyhow::Result<()>) -> anyhow::Result<()> {
        refusals(self.program())?;
        self.unchanged()?;
        refusals(self.program())
    }
}

fn write(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let payload = payload(scene, subject)?;
    payload.twice(|program| {
        for access in
            [right::GENERIC_WRITE, right::WRITE_DATA, right::APPEND_DATA, right::GENERIC_ALL]
        {
            let how = How { backup: false, ..How::with(access) };
            refused(&format!("opening with {access:x}"), program.open(&payload.file, how), DENIED)?;
        }
        let how = How::with(right::GENERIC_WRITE).and(Disposition::TruncateExisting);
        refused("truncating", program.open(&payload.file, how), DENIED)
    })?;
    payload.end()
}

fn overwrite(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let payload = payload(scene, subject)?;
    payload.twice(|program| {
        refused("writing anew", program.write_all(&payload.file, b"other"), DENIED)?;
        let how = How::with(right::GENERIC_READ | right::GENERIC_WRITE);
        let how = How { backup: false, ..how.and(Disposition::OpenAlways) };
        refused("opening to write, made if missing", program.open(&payload.file, how), DENIED)?;
        let how =
            How { backup: false, ..How::with(right::GENERIC_WRITE).and(Disposition::CreateNew) };
        let codes = [Code::FILE_EXISTS, Code::ACCESS_DENIED];
        refused("making what is there", program.open(&payload.file, how), &codes)
    })?;
    payload.end()
}

fn delete(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let payload = payload(scene, subject)?;
    payload.twice(|program| {
        refused("deleting", program.delete(&payload.file, false, false), DENIED)?;
        refused(
            "deleting despite the attribute",
            program.delete(&payload.file, false, true),
            DENIED,
        )?;
        let how = How { delete_on_close: true, backup: false, ..How::with(right::DELETE) };
        refused("deleting on close", program.open(&payload.file, how), DENIED)
    })?;
    payload.end()
}

fn rename(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let payload = payload(scene, subject)?;
    payload.twice(|program| {
        refused("renaming", program.rename(&payload.file, &payload.beside("new"), false), DENIED)?;
        refused(
            "replacing",
            program.rename(&payload.file, &payload.beside("other"), true),
            DENIED,
        )?;
        let out = payload.free.join(&Wide::from("out"));
        refused("moving out", program.rename(&payload.file, &out, false), DENIED)
    })?;
    payload.end()
}

fn rename_into(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let payload = payload(scene, subject)?;
    let mine = payload.free.join(&Wide::from("mine"));
    did("writing a file", payload.program().write_all(&mine, b"mine"))?;
    payload.twice(|program| {
        refused("moving in", program.rename(&mine, &payload.beside("new"), false), DENIED)?;
        refused("moving over", program.rename(&mine, &payload.file, true), DENIED)
    })?;
    same_bytes("the file", &did("reading", payload.program().read_all(&mine))?, b"mine")?;
    payload.end()
}

fn hard_link(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let payload = payload(scene, subject)?;
    let mine = payload.free.join(&Wide::from("mine"));
    did("writing a file", payload.program().write_all(&mine, b"mine"))?;
    payload.twice(|program| {
        refused(
            "linking within",
            program.hard_link(&payload.file, &payload.beside("new")),
            DENIED,
        )?;
        let out = payload.free.join(&Wide::from("out"));
        refused("linking outside", program.hard_link(&payload.file, &out), DENIED)?;
        refused("linking into it", program.hard_link(&mine, &payload.beside("new")), DENIED)
    })?;
    payload.end()
}

fn metadata(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let payload = payload(scene, subject)?;
    let before = did("status", payload.program().status(&payload.file, true))?.entry;
    payload.twice(|program| {
        for path in [&payload.file, &payload.directory] {
            let normal = program.set_metadata(path, Some(attribute::NORMAL), None);
            refused("changing attributes", normal, DENIED)?;
            let times = Times { write: 132_000_000_000_000_000, ..Times::default() };
            refused("changing times", program.set_metadata(path, None, Some(times)), DENIED)?;
            refused("changing permissions", program.open_up(path), DENIED)?;
        }
        Ok(())
    })?;
    let after = did("status", payload.program().status(&payload.file, true))?.entry;
    same(
        "what the file shows",
        (after.attributes, after.times),
        (before.attributes, before.times),
    )?;
    payload.end()
}

fn create(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let payload = payload(scene, subject)?;
    payload.twice(|program| {
        for directory in [&payload.directory, &payload.empty, &scene.payload("foo", "1.0", "")] {
            let new = directory.join(&Wide::from("new"));
            refused("making a file", program.write_all(&new, b"new"), DENIED)?;
            refused("making a directory", program.create_directory(&new), DENIED)?;
            let target = Wide::from("file");
            refused("making a link", program.create_link(&new, &target, false, false), DENIED)?;
        }
        Ok(())
    })?;
    payload.end()
}

fn delete_directory(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let payload = payload(scene, subject)?;
    payload.twice(|program| {
        refused(
            "deleting an empty directory",
            program.delete(&payload.empty, true, false),
            DENIED,
        )?;
        let codes = [Code::ACCESS_DENIED, Code::DIR_NOT_EMPTY];
        refused("deleting a directory", program.delete(&payload.directory, true, false), &codes)
    })?;
    payload.end()
}

fn rename_directory(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let payload = payload(scene, subject)?;
    let to = payload.free.join(&Wide::from("moved"));
    let codes = [Code::NOT_SUPPORTED, Code::ACCESS_DENIED];
    payload.twice(|program| {
        refused("moving a directory", program.rename(&payload.directory, &to, false), &codes)
    })?;
    // Where nothing else refuses, ProjFS itself does.
    if let Some(standin) = payload.program().standin() {
        let off = Switches {
            descriptors: false,
            attributes: false,
            vetoes: false,
            ..Switches::default()
        };
        did("switching protections off", standin.switch(off))?;
        let moved = payload.program().rename(&payload.directory, &to, false);
        refused("moving a directory", moved, &[Code::NOT_SUPPORTED])?;
        did("switching back", standin.switch(Switches::default()))?;
    }
    payload.end()
}

fn while_open(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let payload = payload(scene, subject)?;
    let reader = did("opening", payload.program().open(&payload.file, How::read()))?;
    let other = payload.program().another();
    refused("writing", other.write_all(&payload.file, b"x"), DENIED)?;
    refused("deleting", other.delete(&payload.file, false, true), DENIED)?;
    let read = did("reading on", payload.program().read_on(reader))?;
    same_bytes("what the reader has", &read, CONTENT)?;
    did("closing", payload.program().close(reader))?;
    // One that shares nothing excludes readers, and only as long as it is open.
    let alone = How { share: 0, ..How::read() };
    let handle = did("opening alone", payload.program().open(&payload.file, alone))?;
    let how = How { share: share::ALL, ..How::read() };
    refused("reading beside it", other.open(&payload.file, how), &[Code::SHARING_VIOLATION])?;
    did("closing", payload.program().close(handle))?;
    drop(other);
    payload.end()
}

/// Runs `refusals` with one kind of protection alone.
fn alone(
    scene: &Scene,
    subject: &dyn Subject,
    switches: Switches,
    refusals: impl Fn(&dyn Driver, &Payload) -> anyhow::Result<()>,
) -> anyhow::Result<Outcome> {
    let payload = payload(scene, subject)?;
    let Some(standin) = payload.program().standin() else {
        return Ok(Outcome::Skipped("only the stand-in can switch protections off"));
    };
    did("switching", standin.switch(switches))?;
    payload.twice(|program| refusals(program, &payload))?;
    did("switching back", standin.switch(Switches::default()))?;
    payload.end()
}

fn by_attribute(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let switches = Switches { descriptors: false, vetoes: false, ..Switches::default() };
    alone(scene, subject, switches, |program, payload| {
        let write = How { backup: false, ..How::with(right::GENERIC_WRITE) };
        refused("writing", program.open(&payload.file, write), DENIED)?;
        refused("overwriting", program.write_all(&payload.file, b"x"), DENIED)?;
        refused("deleting", program.delete(&payload.file, false, false), DENIED)?;
        refused(
            "renaming over",
            program.rename(&payload.beside("other"), &payload.file, true),
            DENIED,
        )
    })
}

fn by_descriptor(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let switches = Switches { attributes: false, vetoes: false, ..Switches::default() };
    alone(scene, subject, switches, |program, payload| {
        let write = How { backup: false, ..How::with(right::GENERIC_WRITE) };
        refused("writing", program.open(&payload.file, write), DENIED)?;
        refused("overwriting", program.write_all(&payload.file, b"x"), DENIED)?;
        refused("deleting", program.delete(&payload.file, false, true), DENIED)?;
        refused("renaming", program.rename(&payload.file, &payload.beside("new"), false), DENIED)?;
        refused("linking", program.hard_link(&payload.file, &payload.beside("new")), DENIED)?;
        refused("making a file", program.write_all(&payload.beside("new"), b"x"), DENIED)?;
        refused("making a directory", program.create_directory(&payload.beside("new")), DENIED)?;
        refused("changing attributes", program.set_metadata(&payload.file, Some(0), None), DENIED)?;
        refused("opening up", program.open_up(&payload.file), DENIED)?;
        refused("opening the directory up", program.open_up(&payload.directory), DENIED)
    })
}

fn by_veto(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let switches = Switches { descriptors: false, attributes: false, ..Switches::default() };
    alone(scene, subject, switches, |program, payload| {
        let write = How { backup: false, ..How::with(right::GENERIC_WRITE) };
        refused("a conversion to full", program.open(&payload.file, write), DENIED)?;
        refused("overwriting", program.write_all(&payload.file, b"x"), DENIED)?;
        refused("deleting", program.delete(&payload.file, false, true), DENIED)?;
        refused("deleting a directory", program.delete(&payload.empty, true, true), DENIED)?;
        refused("renaming", program.rename(&payload.file, &payload.beside("new"), false), DENIED)?;
        let out = payload.free.join(&Wide::from("out"));
        refused("moving out", program.rename(&payload.file, &out, false), DENIED)?;
        refused("linking", program.hard_link(&payload.file, &out), DENIED)
    })
}
