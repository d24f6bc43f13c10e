//! Reading.

use std::thread;

use pkgfs_projfs_engine::{
    Code, Wide, codes::right, open::How, supply::file_state, volume::Switches,
};

use super::{Outcome, Scenarios, Stage, bytes, did, refused, same, same_bytes};
use crate::{Scene, Subject};

pub(super) const SCENARIOS: Scenarios = &[
    ("files of any size are read whole: none, one, odd and large", sizes),
    ("any range of a file is right, in any order, across parts", ranges),
    ("two programs read one file at once and both have its bytes", two_readers),
    ("many files are read at once, each with its own bytes", many_files),
    ("a program that ends while it reads disturbs no other", cancelled),
    ("a program that ends while it lists and reads leaves the provider able to end", cancelled_end),
    ("a file reads as empty beyond its end", beyond),
    ("what was read once is local: the file is hydrated and is not asked for again", hydrated),
    ("equal contents have equal content identifiers, and others others", content),
    ("a directory cannot be read, and a file not listed", wrong_kind),
];

fn sizes(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let lengths = [0, 1, 4095, 4096, 4097, 65_536, 300_000, 1_048_577, 5_000_003];
    let contents: Vec<(String, Vec<u8>)> = lengths
        .iter()
        .map(|length| (format!("d/f{length}"), bytes(*length as u64, *length)))
        .collect();
    let files: Vec<(&str, &[u8])> =
        contents.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    scene.package("foo", "1.0", &files)?;
    let stage = Stage::new(scene, subject)?;
    for (name, content) in &contents {
        let path = scene.payload("foo", "1.0", &name.replace('/', r"\"));
        let read = did(name, stage.program.read_all(&path))?;
        same_bytes(name, &read, content)?;
    }
    stage.end()
}

fn ranges(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let content = bytes(1, 700_001);
    scene.package("foo", "1.0", &[("file", &content)])?;
    let stage = Stage::new(scene, subject)?;
    let path = scene.payload("foo", "1.0", "file");
    let handle = did("opening", stage.program.open(&path, How::read()))?;
    let ranges =
        [(699_990, 100), (0, 1), (131_000, 200), (5, 300_000), (400_001, 4096), (0, 700_001)];
    for (offset, length) in ranges {
        let read = did("reading", stage.program.read(handle, offset as u64, length))?;
        let end = content.len().min(offset + length as usize);
        same_bytes(&format!("the range {offset}+{length}"), &read, &content[offset..end])?;
    }
    did("closing", stage.program.close(handle))?;
    stage.end()
}

fn two_readers(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let content = bytes(2, 3_000_000);
    scene.package("foo", "1.0", &[("file", &content)])?;
    let stage = Stage::new(scene, subject)?;
    let path = scene.payload("foo", "1.0", "file");
    let others: Vec<_> = (0..4).map(|_| stage.program.another()).collect();
    let read: Vec<Result<Vec<u8>, Code>> = thread::scope(|scope| {
        let path = &path;
        let readers: Vec<_> =
            others.iter().map(|program| scope.spawn(move || program.read_all(path))).collect();
        readers.into_iter().map(|reader| reader.join().unwrap_or(Err(Code::GEN_FAILURE))).collect()
    });
    for read in read {
        same_bytes("what one read", &did("reading", read)?, &content)?;
    }
    drop(others);
    stage.end()
}

fn many_files(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let contents: Vec<(String, Vec<u8>)> = (0..40)
        .map(|number| (format!("d{}/f{number}", number % 3), bytes(number, 20_000)))
        .collect();
    let files: Vec<(&str, &[u8])> =
        contents.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    scene.package("foo", "1.0", &files)?;
    let stage = Stage::new(scene, subject)?;
    let others: Vec<_> = (0..4).map(|_| stage.program.another()).collect();
    let results: Vec<anyhow::Result<()>> = thread::scope(|scope| {
        let readers: Vec<_> = others
            .iter()
            .zip(contents.chunks(10))
            .map(|(program, mine)| {
                scope.spawn(move || {
                    for (name, content) in mine {
                        let path = scene.payload("foo", "1.0", &name.replace('/', r"\"));
                        same_bytes(name, &did(name, program.read_all(&path))?, content)?;
                    }
                    Ok(())
                })
            })
            .collect();
        let lost = |_| Err(anyhow::anyhow!("a reader panicked"));
        readers.into_iter().map(|reader| reader.join().unwrap_or_else(lost)).collect()
    });
    results.into_iter().collect::<anyhow::Result<()>>()?;
    drop(others);
    stage.end()
}

fn cancelled(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let content = bytes(3, 2_000_000);
    scene.package("foo", "1.0", &[("file", &content), ("other", &content)])?;
    let stage = Stage::new(scene, subject)?;
    let program = &stage.program;
    let (path, other) = (scene.payload("foo", "1.0", "file"), scene.payload("foo", "1.0", "other"));
    if let Some(standin) = program.standin() {
        did("holding", standin.switch(Switches { hold_data: true, ..Switches::default() }))?;
    }
    did("a reader that ends", program.read_and_die(&path))?;
    if let Some(standin) = program.standin() {
        did("releasing", standin.switch(Switches::default()))?;
    }
    same_bytes("the file", &did("reading it", program.read_all(&path))?, &content)?;
    same_bytes("another", &did("reading another", program.read_all(&other))?, &content)?;
    // ProjFS takes that for nothing, and the reference provider does it.
    if let Some(standin) = program.standin().filter(|_| subject.abilities().registers) {
        let late = standin.trace().iter().filter(|line| *line == "completed late").count();
        same("how many commands were completed after they were cancelled", late, 0)?;
    }
    stage.end()
}

fn cancelled_end(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    scene.package("foo", "1.0", &[("file", &bytes(4, 900_000))])?;
    let stage = Stage::new(scene, subject)?;
    let path = scene.payload("foo", "1.0", "file");
    if let Some(standin) = stage.program.standin() {
        did("holding", standin.switch(Switches { hold_data: true, ..Switches::default() }))?;
    }
    did("a reader that ends", stage.program.read_and_die(&path))?;
    if let Some(standin) = stage.program.standin() {
        did("releasing", standin.switch(Switches::default()))?;
    }
    stage.end()
}

fn beyond(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    scene.package("foo", "1.0", &[("file", b"12345")])?;
    let stage = Stage::new(scene, subject)?;
    let handle =
        did("opening", stage.program.open(&scene.payload("foo", "1.0", "file"), How::read()))?;
    same("what is at the end", did("reading", stage.program.read(handle, 5, 10))?, Vec::new())?;
    same("what is beyond", did("reading", stage.program.read(handle, 9_000_000, 10))?, Vec::new())?;
    same("what is before", did("reading", stage.program.read(handle, 3, 10))?, b"45".to_vec())?;
    did("closing", stage.program.close(handle))?;
    stage.end()
}

fn hydrated(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let content = bytes(5, 10_000);
    scene.package("foo", "1.0", &[("file", &content)])?;
    let stage = Stage::new(scene, subject)?;
    let Some(standin) = stage.program.standin() else {
        return Ok(Outcome::Skipped("only the stand-in tells"));
    };
    let handle_path = real_path(scene, &stage)?;
    did("status", stage.program.status(&handle_path, true))?;
    same("its state", did("state", standin.file_state(&handle_path))?, file_state::PLACEHOLDER)?;
    did("reading", stage.program.read_all(&handle_path))?;
    let state = file_state::PLACEHOLDER | file_state::HYDRATED_PLACEHOLDER;
    same("its state once read", did("state", standin.file_state(&handle_path))?, state)?;
    standin.trace();
    same_bytes("the file", &did("reading again", stage.program.read_all(&handle_path))?, &content)?;
    let asked: Vec<String> =
        standin.trace().into_iter().filter(|line| line.starts_with("data")).collect();
    same("what was asked for again", asked, Vec::new())?;
    stage.end()
}

/// The path of the file `file` of `foo 1.0` where its link leads.
pub(super) fn real_path(scene: &Scene, stage: &Stage) -> anyhow::Result<Wide> {
    let link = scene.payload("foo", "1.0", "");
    let status = did("the link", stage.program.status(&link, false))?;
    let Some(target) = status.entry.target else { return Ok(scene.payload("foo", "1.0", "file")) };
    let parts = target.components();
    let tree = &parts[parts.len() - 2..];
    Ok(scene.path("").join(&tree[0]).join(&tree[1]).join(&Wide::from("file")))
}

fn content(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    scene.package("foo", "1.0", &[("a", b"same"), ("b", b"same"), ("c", b"else")])?;
    // A digest is known of what was read once, in whichever life.
    let stage = Stage::new(scene, subject)?;
    for name in ["a", "b", "c"] {
        did(name, stage.program.read_all(&scene.payload("foo", "1.0", name)))?;
    }
    stage.end()?;
    let stage = Stage::new(scene, subject)?;
    let Some(standin) = stage.program.standin() else {
        return Ok(Outcome::Skipped("only the stand-in tells"));
    };
    let of = |name: &str| -> anyhow::Result<Vec<u8>> {
        let path = real_path(scene, &stage)?.split().0.join(&Wide::from(name));
        let mut identifier = did(name, standin.content(&path))?;
        // The digest comes first; what follows it may tell the file.
        identifier.truncate(32);
        Ok(identifier)
    };
    let (a, b, c) = (of("a")?, of("b")?, of("c")?);
    same("the identifier of equal contents", &a, &b)?;
    anyhow::ensure!(a != c, "different contents have one identifier");
    stage.end()
}

fn wrong_kind(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    scene.package("foo", "1.0", &[("d/x", b"x")])?;
    let stage = Stage::new(scene, subject)?;
    let directory = scene.payload("foo", "1.0", "d");
    let handle = did("opening a directory", stage.program.open(&directory, How::read()))?;
    let codes = [Code::INVALID_FUNCTION, Code::INVALID_PARAMETER, Code::ACCESS_DENIED];
    refused("reading a directory", stage.program.read(handle, 0, 10), &codes)?;
    did("closing", stage.program.close(handle))?;
    let file = scene.payload("foo", "1.0", r"d\x");
    let handle = did("opening a file", stage.program.open(&file, How::with(right::GENERIC_READ)))?;
    let codes = [Code::INVALID_PARAMETER, Code::DIRECTORY, Code::INVALID_FUNCTION];
    refused("listing a file", stage.program.list(handle, None, false, 1), &codes)?;
    did("closing", stage.program.close(handle))?;
    refused(
        "looking below a file",
        stage.program.status(&file.join(&Wide::from("y")), true),
        &[Code::PATH_NOT_FOUND],
    )?;
    stage.end()
}
