//! The store ends at each of its system calls, and is opened again.
//!
//! What the store asks of the disk is recorded once, while it does all that it can do. Then the disk
//! is laid out anew as it was after each call, as a kill at that moment leaves it, and as a loss of
//! power may leave it: with what is not durable there, not there, or there in part.

use std::{
    collections::HashSet,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use pkgfs_manifest::{BlobDigest, Timestamp};
use pkgfs_store::{
    DirectoryId, FileKey, NewDirectory, NewRegistration, Profile, RegistrationId,
    RegistrationState, Scrub, Store, Verdict,
};

use crate::{
    Dice,
    acknowledged::Acknowledged,
    disk::{Disk, Kept},
    fixture::{audit, back_to_format_1, digest, directory, finished, variant},
    trace::{Step, record},
};

const DIR: &str = "PKGFS_STORE_POINTS";
/// Set by `cargo xtask crash-points`: every point, and not some of them.
const ALL: &str = "PKGFS_STORE_ALL_POINTS";

/// Points that are looked at where not all are.
const SOME: usize = 30;

/// A place whose syncs cost nothing: what is durable is for the test to say.
fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(dir).unwrap()
}

/// Says what is done, or about to be.
struct Marks(fs::File);

impl Marks {
    fn of(dir: &Path) -> Self {
        Self(fs::File::create(dir.with_extension("marks")).unwrap())
    }

    fn say(&self, line: &str) {
        (&self.0).write_all(line.as_bytes()).unwrap();
    }

    fn register(&self, store: &Store, new: NewRegistration, number: u64) -> RegistrationId {
        let id = store.register(new).unwrap().id;
        self.say(&format!("registered {} {number}", id.0));
        id
    }

    fn hydrate(&self, store: &Store, id: RegistrationId, listed: DirectoryId, files: &[&[u8]]) {
        let batch = files.iter().zip(0..).map(|(bytes, n)| finished(store, listed, n, bytes));
        for one in store.commit(batch.collect()).unwrap() {
            let (entry, digest) = (one.file.entry, one.digest);
            self.say(&format!("committed {} {} {entry} {digest}", id.0, listed.0));
        }
    }

    fn list(&self, store: &Store, id: RegistrationId, path: &str, files: &[&[u8]]) -> DirectoryId {
        let sizes: Vec<u64> = files.iter().map(|bytes| bytes.len() as u64).collect();
        let listed = store.record_directory(&directory(id, path, &sizes)).unwrap();
        self.hydrate(store, id, listed, files);
        listed
    }
}

#[test]
#[ignore = "what the tests below record"]
fn deeds() {
    let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
    let marks = Marks::of(&dir);
    let store = Store::open(&dir).unwrap();
    let long = vec![7; 300_000];
    let first = marks.register(&store, variant(1), 1);
    let root = marks.list(&store, first, "", &[b"one", b"two", &long, b"one"]);
    store.pin(first).unwrap();
    marks.say(&format!("pinned {}", first.0));
    let second = marks.register(&store, variant(2), 2);
    marks.list(&store, second, "", &[b"two", b"three"]);
    marks.list(&store, second, "lib", &[&[3; 5000], &[4; 4096]]);

    // rez's own copy, with a file that is there already.
    let copying = NewRegistration { state: RegistrationState::Copying, ..variant(3) };
    let copied = marks.register(&store, copying, 3);
    seal(&store, copied, &marks);

    // Recency, and what else is not synced.
    store.touch(&[(first, Timestamp { secs: 9, nanos: 9 })]).unwrap();
    store.touch_blobs(&[(digest(b"one"), Timestamp { secs: 1 << 40, nanos: 0 })]).unwrap();
    store.record_xattrs(FileKey { directory: root, entry: 0 }, &[]).unwrap();
    let profile = Profile {
        handle_key: "handle 1".into(),
        context: String::new(),
        used: Timestamp::default(),
        record: vec![1; 3000],
    };
    store.record_profiles(&[profile]).unwrap();

    // A listing replaced, a variant flushed and listed anew, one removed.
    let fourth = marks.register(&store, variant(4), 4);
    let old = marks.list(&store, fourth, "", &[b"old", b"stays"]);
    marks.say(&format!("flushing {}", fourth.0));
    let carried = vec![(1, digest(b"stays"))];
    store.record_directory(&NewDirectory { carried, ..directory(fourth, "", &[4, 5]) }).unwrap();
    assert_eq!(store.contents(old).unwrap().len(), 2);
    store.retire_directories(fourth).unwrap();
    marks.list(&store, fourth, "", &[b"newer", b"stays"]);
    let fifth = marks.register(&store, variant(5), 5);
    marks.list(&store, fifth, "", &[b"of the fifth", b"one"]);
    marks.say(&format!("unregistering {}", fifth.0));
    store.unregister(fifth, true).unwrap();
    marks.say(&format!("unregistered {}", fifth.0));

    // A bit of a blob changes behind the store's back; it is found, and fetched anew.
    damage(&store, &digest(b"three"), &marks);
    let Verdict::Bad(suspect) = store.check_blob(&digest(b"three"), 5, |_| true).unwrap() else {
        panic!("it is not bad")
    };
    let files = store.condemn(&suspect).unwrap().unwrap();
    marks.hydrate(&store, second, files[0].directory, &[b"two", b"three"]);
    store.note_scrub(&Scrub { after: Some(digest(b"one")), ..Scrub::default() }).unwrap();

    // Room is made, twice.
    marks.say("evicting");
    store.evict(4000, &HashSet::new()).unwrap();
    store.evict(u64::MAX, &HashSet::from([digest(b"two")])).unwrap();
    marks.list(&store, second, "again", &[b"two", b"and more"]);
    store.reclaim(false).unwrap();
    // Left behind by who ends now.
    std::mem::forget(finished(&store, root, 1, b"in flight"));
    drop(store);

    let store = Store::open(&dir).unwrap();
    let sixth = marks.register(&store, variant(6), 6);
    marks.list(&store, sixth, "", &[b"after", b"one"]);
}

fn seal(store: &Store, id: RegistrationId, marks: &Marks) {
    let staging = store.make_staging(id, 0o755).unwrap();
    let mut carried = Vec::new();
    for (n, bytes) in [(0, &b"copied"[..]), (1, b"two")] {
        let path = staging.join(format!("f{n}"));
        fs::write(&path, bytes).unwrap();
        carried.push((n, store.adopt(&path).unwrap().0));
    }
    let new = NewDirectory { carried: carried.clone(), ..directory(id, "", &[6, 3]) };
    let listed = store.record_directory(&new).unwrap();
    store.set_state(id, RegistrationState::Sealed).unwrap();
    store.protect(&carried.iter().map(|(_, digest)| *digest).collect()).unwrap();
    for (entry, digest) in carried {
        marks.say(&format!("committed {} {} {entry} {digest}", id.0, listed.0));
    }
    store.discard_staging(id).unwrap();
}

fn damage(store: &Store, digest: &BlobDigest, marks: &Marks) {
    marks.say(&format!("damaging {digest}"));
    let name = digest.to_string();
    let bad = store.dir().join("partial/bad");
    fs::write(&bad, b"thr**").unwrap();
    fs::set_permissions(&bad, fs::Permissions::from_mode(0o400)).unwrap();
    fs::rename(bad, store.dir().join("blobs").join(&name[..2]).join(&name)).unwrap();
}

#[test]
#[ignore = "what the last tests record"]
fn upgrade() {
    let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
    let marks = Marks::of(&dir);
    let store = Store::open(&dir).unwrap();
    assert!(!store.registrations().unwrap().is_empty());
    marks.register(&store, variant(3), 3);
}

/// What this test of this file does to the store at `dir`.
fn recorded(test: &str, dir: &Path) -> Vec<Step> {
    let logs = dir.with_extension("logs");
    fs::create_dir(&logs).unwrap();
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--ignored", "--exact", &format!("points::{test}"), "--nocapture"]);
    let steps = record(program.env(DIR, dir), dir, &dir.with_extension("marks"), &logs);
    fs::remove_dir_all(&logs).unwrap();
    assert!(steps.iter().any(|step| matches!(step, Step::Mark(_))), "nothing was recorded");
    steps
}

/// Opens what is there, and looks at all of it.
fn look(dir: &Path, heard: &Acknowledged, power_lost: bool) {
    let store = Store::open(dir).unwrap();
    for digest in &heard.damaged {
        let known = store.blobs_after(None, 1000).unwrap();
        let Some((_, size)) = known.iter().find(|(known, _)| known == digest) else { continue };
        if let Verdict::Bad(suspect) = store.check_blob(digest, *size, |_| true).unwrap() {
            store.condemn(&suspect).unwrap();
        }
    }
    heard.check(&store);
    if power_lost {
        // What was being put there may be named nowhere: `pkgfs clean` takes it. And what rez
        // copied in may have its own mode yet: the check of blobs sees to that.
        store.reclaim(false).unwrap();
        for (digest, size) in store.blobs_after(None, 1000).unwrap() {
            let verdict = store.check_blob(&digest, size, |_| true).unwrap();
            assert_eq!(verdict, Verdict::Sound);
        }
    }
    assert_eq!(fs::read_dir(dir.join("partial")).unwrap().count(), 0);
    let copying = |name: &str| {
        let id = name.parse().ok().map(RegistrationId);
        let all = store.registrations().unwrap();
        all.iter().any(|one| Some(one.id) == id && one.state == RegistrationState::Copying)
    };
    let until = Instant::now() + Duration::from_secs(10);
    let leftovers = || {
        let staged = fs::read_dir(dir.join("staging")).unwrap();
        let names = staged.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !copying(name)).collect::<Vec<_>>()
    };
    // The caretaker deletes them.
    while !leftovers().is_empty() {
        assert!(Instant::now() < until, "{:?}", leftovers());
        std::thread::yield_now();
    }
    // It goes on from here.
    let id = store.register(variant(77)).unwrap().id;
    let listed = store.record_directory(&directory(id, "", &[4])).unwrap();
    store.commit(vec![finished(&store, listed, 0, b"next")]).unwrap();
    drop(store);
    audit(dir);
    let database = rusqlite::Connection::open(dir.join("pkgfs.sqlite")).unwrap();
    let idle = "SELECT count(*) FROM blobs WHERE digest NOT IN (SELECT digest FROM contents)";
    let idle: u64 = database.query_row(idle, [], |row| row.get(0)).unwrap();
    assert_eq!(idle, 0, "blobs that nobody refers to");
}

/// The ways in which a loss of power may leave the disk: what is kept of names, and of bytes.
const LOSSES: [(Kept, Kept); 5] = [
    (Kept::Nothing, Kept::Nothing),
    (Kept::All, Kept::Nothing),
    (Kept::Nothing, Kept::All),
    (Kept::Some, Kept::Some),
    (Kept::Some, Kept::Some),
];

/// Looks at what is there after each step, or after some.
fn end_at_each(mut disk: Disk, steps: &[Step], place: &Path, losses: &[(Kept, Kept)]) {
    let apart = if std::env::var_os(ALL).is_some() { 1 } else { steps.len().div_ceil(SOME) };
    let mut heard = Acknowledged::default();
    let mut dice = Dice(steps.len() as u64);
    let mut looked = 0;
    for (n, step) in steps.iter().enumerate() {
        disk.take(step);
        if let Step::Mark(line) = step {
            heard.hear(line);
        }
        if n % apart != apart - 1 && n + 1 != steps.len() {
            continue;
        }
        let kinds = if losses.is_empty() { &[(Kept::All, Kept::All)] } else { losses };
        for (names, bytes) in kinds {
            let dir = place.join(format!("{n}-{looked}"));
            disk.write_to(&dir, *names, *bytes, &mut dice);
            let outcome = std::panic::catch_unwind(|| look(&dir, &heard, !losses.is_empty()));
            let what: String = format!("{step:?}").chars().take(120).collect();
            let at = format!("after step {n}, {what}; names {names:?}, bytes {bytes:?}");
            outcome.unwrap_or_else(|_| panic!("{at}"));
            fs::remove_dir_all(&dir).unwrap();
            looked += 1;
        }
    }
    println!("{looked} ends after {} steps", steps.len());
    assert!(!heard.registered.is_empty());
}

#[test]
fn killed_after_any_call_it_opens_with_all_it_acknowledged() {
    let place = place();
    let dir = place.path().join("store");
    let steps = recorded("deeds", &dir);
    end_at_each(Disk::default(), &steps, place.path(), &[]);
}

#[test]
fn without_power_after_any_call_it_opens_with_all_it_acknowledged() {
    let place = place();
    let dir = place.path().join("store");
    let steps = recorded("deeds", &dir);
    end_at_each(Disk::default(), &steps, place.path(), &LOSSES);
}

/// A store that is not as it was left; what is done with it, and what it still has to have.
fn end_at_each_after(change: impl Fn(&Path)) {
    let place = place();
    let dir = place.path().join("store");
    let store = Store::open(&dir).unwrap();
    store.register(variant(2)).unwrap();
    let known = store.register(variant(1)).unwrap().id;
    let listed = store.record_directory(&directory(known, "", &[3])).unwrap();
    store.commit(vec![finished(&store, listed, 0, b"one")]).unwrap();
    drop(store);
    change(&dir);
    let before = Disk::of(&dir);
    let mut steps = vec![
        Step::Mark(format!("registered {} 1", known.0)),
        Step::Mark(format!("committed {} {} 0 {}", known.0, listed.0, digest(b"one"))),
    ];
    steps.extend(recorded("upgrade", &dir));
    end_at_each(before.clone(), &steps, place.path(), &[]);
    end_at_each(before, &steps, place.path(), &LOSSES);
}

#[test]
fn an_upgrade_cut_short_at_any_call_is_done_at_the_next_opening() {
    end_at_each_after(back_to_format_1);
}

#[test]
fn a_rebuilding_cut_short_at_any_call_is_done_at_the_next_opening() {
    end_at_each_after(|dir| {
        let database = rusqlite::Connection::open(dir.join("pkgfs.sqlite")).unwrap();
        database.execute("UPDATE registrations SET json = '{}' WHERE id = 1", []).unwrap();
    });
}
