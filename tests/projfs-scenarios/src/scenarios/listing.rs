//! Listings.

use pkgfs_projfs_engine::{Wide, codes::right, open::How, wide};

use super::{Outcome, Scenarios, Stage, did, same};
use crate::{Scene, Subject};

pub(super) const SCENARIOS: Scenarios = &[
    ("a listing is sorted, whole and goes on where it was, in steps of one, two and many", steps),
    ("a listing that is restarted begins again, with the pattern of the restart", restart),
    ("the pattern of a listing's first step counts for all of it", first_pattern),
    ("a pattern of * and ? lists what it matches", patterns),
    ("a pattern of < > and \", which Win32 makes of others, lists what it matches", dos_patterns),
    ("two programs list one directory at once, each at its own place", two_at_once),
    ("a listing shows sizes, kinds and times as the files have them", attributes),
    ("an empty directory is listed as one", empty),
    ("names too long for the first buffer are listed", long_names),
];

const MANY: usize = 61;

fn many(scene: &Scene) -> anyhow::Result<Vec<String>> {
    let mut names: Vec<String> = (0..MANY)
        .map(|number| format!("{}{number:02}.py", ['b', 'A', 'c', 'Z'][number % 4]))
        .collect();
    let files: Vec<(String, Vec<u8>)> =
        names.iter().map(|name| (format!("many/{name}"), name.clone().into_bytes())).collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    scene.package("foo", "1.0", &files)?;
    let key = |name: &String| Wide::from(name.as_str()).key();
    names.sort_by_key(key);
    Ok(names)
}

fn steps(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let names = many(scene)?;
    let stage = Stage::new(scene, subject)?;
    let many = scene.payload("foo", "1.0", "many");
    for most in [1, 2, 7, 1000] {
        let entries = did("listing", stage.program.entries(&many, None, most))?;
        let listed: Vec<String> = entries.iter().map(|entry| entry.name.to_string()).collect();
        same(&format!("the listing in steps of {most}"), listed, names.clone())?;
    }
    stage.end()
}

fn restart(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let names = many(scene)?;
    let stage = Stage::new(scene, subject)?;
    let program = &stage.program;
    let many = scene.payload("foo", "1.0", "many");
    let handle =
        did("opening", program.open(&many, How::with(right::LIST_DIRECTORY | right::SYNCHRONIZE)))?;
    let name = |entries: Vec<pkgfs_projfs_engine::listing::Entry>| {
        entries.first().map(|entry| entry.name.to_string())
    };
    let first = did("listing", program.list(handle, None, false, 1))?;
    same("the first name", name(first), names.first().cloned())?;
    for _ in 0..3 {
        did("listing", program.list(handle, None, false, 5))?;
    }
    let again = did("restarting", program.list(handle, None, true, 1))?;
    same("the first name of the restart", name(again), names.first().cloned())?;
    // Whether a restart can change the pattern is said to providers, not to programs.
    if program.standin().is_some() {
        let pattern = Wide::from("Z*");
        let again = did("restarting", program.list(handle, Some(&pattern), true, 1))?;
        let should = names.iter().find(|name| name.starts_with('Z')).cloned();
        same("the first name of the second restart", name(again), should)?;
    }
    did("closing", program.close(handle))?;
    stage.end()
}

fn first_pattern(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let names = many(scene)?;
    let stage = Stage::new(scene, subject)?;
    let program = &stage.program;
    let many = scene.payload("foo", "1.0", "many");
    let handle =
        did("opening", program.open(&many, How::with(right::LIST_DIRECTORY | right::SYNCHRONIZE)))?;
    let mut listed = Vec::new();
    let mut pattern = Wide::from("a*.py");
    loop {
        let some = did("listing", program.list(handle, Some(&pattern), false, 2))?;
        if some.is_empty() {
            break;
        }
        listed.extend(some.iter().map(|entry| entry.name.to_string()));
        pattern = Wide::from("b*.py");
    }
    did("closing", program.close(handle))?;
    let should: Vec<String> = names.into_iter().filter(|name| name.starts_with('A')).collect();
    same("the listing", listed, should)?;
    stage.end()
}

fn patterns(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let cases: [(&str, &[&str]); 5] = [
        ("*", &MIXED),
        ("*.py", &["a.py", "ab.py"]),
        ("?.PY", &["a.py"]),
        ("a.py", &["a.py"]),
        ("nothing*", &[]),
    ];
    match_patterns(scene, subject, &cases)
}

fn dos_patterns(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    if subject.abilities().plain && cfg!(windows) {
        return Ok(Outcome::Impossible("Wine's own listings do not know them"));
    }
    let cases: [(&str, &[&str]); 5] = [
        ("<.gz", &["archive.tar.gz"]),
        ("<", &["b", "Makefile"]),
        ("<.tar.gz", &["archive.tar.gz"]),
        ("a>.py", &["a.py", "ab.py"]),
        ("b\"", &["b"]),
    ];
    match_patterns(scene, subject, &cases)
}

const MIXED: [&str; 7] = ["Makefile", "a.py", "a.pyc", "ab.py", "archive.tar.gz", "b", "lib.so.1"];

fn match_patterns(
    scene: &Scene,
    subject: &dyn Subject,
    cases: &[(&str, &[&str])],
) -> anyhow::Result<Outcome> {
    let files: Vec<(String, &[u8])> =
        MIXED.iter().map(|name| (format!("d/{name}"), &b"x"[..])).collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    scene.package("foo", "1.0", &files)?;
    let stage = Stage::new(scene, subject)?;
    let directory = scene.payload("foo", "1.0", "d");
    for (pattern, should) in cases {
        let entries = did(pattern, stage.program.entries(&directory, Some(pattern), 2))?;
        let listed: Vec<String> = entries.iter().map(|entry| entry.name.to_string()).collect();
        let mut should: Vec<String> = should.iter().map(|name| (*name).to_owned()).collect();
        should.sort_by(|a, b| wide::compare(&Wide::from(a.as_str()).0, &Wide::from(b.as_str()).0));
        same(&format!("the listing of {pattern}"), listed, should)?;
    }
    stage.end()
}

fn two_at_once(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let names = many(scene)?;
    let stage = Stage::new(scene, subject)?;
    let (one, other) = (&stage.program, stage.program.another());
    let many = scene.payload("foo", "1.0", "many");
    let how = How::with(right::LIST_DIRECTORY | right::SYNCHRONIZE);
    let (first, second) =
        (did("opening", one.open(&many, how))?, did("opening", other.open(&many, how))?);
    let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
    for _ in 0..=MANY {
        of_one.extend(did("listing", one.list(first, None, false, 1))?);
        of_other.extend(did("listing", other.list(second, None, false, 3))?);
    }
    did("closing", one.close(first))?;
    did("closing", other.close(second))?;
    for listed in [of_one, of_other] {
        let listed: Vec<String> = listed.iter().map(|entry| entry.name.to_string()).collect();
        same("a listing", listed, names.clone())?;
    }
    drop(other);
    stage.end()
}

fn attributes(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    scene.package("foo", "1.0", &[("d/file", &[7; 1234]), ("d/below/x", b"")])?;
    let file = scene.repository().join("foo/1.0/d/file");
    let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_234_567_890);
    std::fs::File::options().write(true).open(&file)?.set_modified(written)?;
    let stage = Stage::new(scene, subject)?;
    let directory = scene.payload("foo", "1.0", "d");
    for _ in 0..2 {
        let entries = did("listing", stage.program.entries(&directory, None, 9))?;
        let shown: Vec<(String, bool, u64)> = entries
            .iter()
            .map(|entry| (entry.name.to_string(), entry.directory, entry.size))
            .collect();
        same("the listing", shown, vec![("below".into(), true, 0), ("file".into(), false, 1234)])?;
        let time = 116_444_736_000_000_000 + 1_234_567_890 * 10_000_000_i64;
        same("the time in the listing", entries[1].times.write, time)?;
        // Once more when there are placeholders.
        let status =
            did("status", stage.program.status(&directory.join(&Wide::from("file")), true))?;
        same("the file's size", status.entry.size, 1234)?;
        same("the file's time", status.entry.times.write, time)?;
    }
    stage.end()
}

fn empty(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    scene.package("foo", "1.0", &[("x", b"x")])?;
    std::fs::create_dir(scene.repository().join("foo/1.0/empty"))?;
    let stage = Stage::new(scene, subject)?;
    let empty = scene.payload("foo", "1.0", "empty");
    same("its listing", did("listing", stage.program.names(&empty))?, Vec::new())?;
    same(
        "being a directory",
        did("status", stage.program.status(&empty, true))?.entry.directory,
        true,
    )?;
    stage.end()
}

fn long_names(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
    let long = "n".repeat(250);
    scene.package("foo", "1.0", &[(&format!("d/{long}"), b"x"), ("d/short", b"y")])?;
    let stage = Stage::new(scene, subject)?;
    let listed = did("listing", stage.program.names(&scene.payload("foo", "1.0", "d")))?;
    same("the listing", listed, vec![long, "short".into()])?;
    stage.end()
}
