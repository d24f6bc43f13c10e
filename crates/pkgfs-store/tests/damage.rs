//! A damaged database: what is sound in it is kept, what is not is not believed.
#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;

use std::{
    fs::{self, OpenOptions},
    io::Read,
    path::{Path, PathBuf},
};

use fixture::{audit, digest, directory, finished, hydrate, sys, variant};
use pkgfs_manifest::BlobDigest;
use pkgfs_store::{Directory, FileKey, Registration, RegistrationState, Store, StoreError};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

const VARIANTS: u64 = 60;
const FILES: [u64; 3] = [700, 1, 20_000];

fn content(variant: u64, entry: u32) -> Vec<u8> {
    vec![(variant * 3 + u64::from(entry)) as u8; FILES[entry as usize] as usize]
}

/// What a store holds that was made in good order.
struct Known {
    crashed: bool,
    registrations: Vec<Registration>,
    directories: Vec<Directory>,
    contents: Vec<(FileKey, BlobDigest)>,
}

/// Makes it; what it is made of lies in the log yet if `crashed`.
fn filled(dir: &Path, crashed: bool) -> Known {
    let original = dir.join("original");
    let store = Store::open(&original).unwrap();
    let (mut directories, mut contents) = (Vec::new(), Vec::new());
    for n in 0..VARIANTS {
        let id = store.register(variant(n)).unwrap().id;
        for path in ["", "lib"] {
            let listed = store.record_directory(&directory(id, path, &FILES)).unwrap();
            directories.push(store.directory(listed).unwrap().unwrap());
            let entry = (n % 3) as u32;
            let blob = hydrate(&store, listed, entry, &content(n, entry));
            contents.push((FileKey { directory: listed, entry }, blob));
        }
        if n % 7 == 0 {
            store.pin(id).unwrap();
        }
    }
    let gone = store.register(variant(VARIANTS)).unwrap().id;
    store.unregister(gone, true).unwrap();
    let registrations = store.registrations().unwrap();
    if crashed {
        copy(&original, &dir.join("crashed"));
        drop(store);
        sys::remove_all(&original);
        fs::rename(dir.join("crashed"), &original).unwrap();
    }
    Known { crashed, registrations, directories, contents }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            // Half of a kept reserve is no more than all of it.
            false if entry.file_name() == "reserve" => {}
            false => _ = fs::copy(entry.path(), to).unwrap(),
        }
    }
}

#[derive(Debug, Clone)]
enum Damage {
    /// Bits at places, as parts of the file's length.
    Bits(Vec<(f64, u8)>),
    /// A page is noise, or zeros.
    Page(f64, u8),
    Cut(f64),
    Garbage,
    Gone,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => prop::collection::vec((0.0..1.0, 0..8_u8), 1..20).prop_map(Damage::Bits),
        4 => (0.0..1.0, prop_oneof![Just(0), Just(0xa5)]).prop_map(|(at, byte)| Damage::Page(at, byte)),
        2 => (0.0..1.0).prop_map(Damage::Cut),
        1 => Just(Damage::Garbage),
        1 => Just(Damage::Gone),
    ]
}

impl Damage {
    fn happen(&self, path: &Path) {
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let length = file.metadata().unwrap().len() as f64;
        match self {
            Self::Bits(places) => {
                for (at, bit) in places {
                    let at = (at * length) as u64;
                    let mut byte = [0];
                    sys::read_exact_at(&file, &mut byte, at);
                    sys::write_all_at(&file, &[byte[0] ^ (1 << bit)], at);
                }
            }
            Self::Page(at, byte) => {
                let page = (at * length) as u64 / 4096;
                sys::write_all_at(&file, &[*byte; 4096], page * 4096);
            }
            Self::Cut(at) => file.set_len((at * length) as u64).unwrap(),
            Self::Garbage => sys::write_all_at(&file, b"this is no database", 0),
            Self::Gone => fs::remove_file(path).unwrap(),
        }
    }
}

/// Whatever the store tells of the former time is what was so. How much it tells.
fn look(store: &Store, known: &Known) -> usize {
    let told = store.registrations().unwrap();
    for one in &told {
        // Moments are no part of what may go wrong unseen.
        let Some(was) = known.registrations.iter().find(|was| was.id == one.id) else {
            // Nothing tells of the end of a log that is damaged, in which it was removed.
            assert!(known.crashed && one.name == variant(VARIANTS).name, "{one:?}");
            continue;
        };
        let as_was = Registration {
            touched: was.touched,
            created: was.created,
            pinned: was.pinned,
            ..one.clone()
        };
        assert_eq!(as_was, *was);
    }
    for was in &known.directories {
        if let Some(is) = store.directory(was.id).unwrap() {
            assert_eq!(is, *was);
        }
        if let Some(is) = store.current_directory(was.registration, &was.path).unwrap() {
            assert_eq!(is, *was);
        }
        for (entry, is) in store.contents(was.id).unwrap() {
            let key = FileKey { directory: was.id, entry };
            assert!(known.contents.contains(&(key, is)), "{key:?} has {is}");
        }
    }
    for (key, blob) in &known.contents {
        if let Some(is) = store.content(*key).unwrap() {
            assert_eq!(is, *blob);
            if let Some(mut file) = store.open_blob(&is).unwrap() {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).unwrap();
                assert_eq!(digest(&bytes), is);
            }
        }
    }
    told.len()
}

fn damaged_in_many_ways(crashed: bool, cases: u32) {
    let dir = tempfile::tempdir().unwrap();
    let known = filled(dir.path(), crashed);
    let original = dir.path().join("original");
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let (kept, looked) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let file = if crashed { "pkgfs.sqlite-wal" } else { "pkgfs.sqlite" };
    runner
        .run(&(damage(), any::<bool>()), |(damage, while_open)| {
            let place = tempfile::tempdir_in(dir.path()).unwrap();
            let store_dir = place.path().join("store");
            copy(&original, &store_dir);
            let open = while_open.then(|| Store::open(&store_dir).unwrap());
            let path = store_dir.join(file);
            if path.metadata().is_ok_and(|file| file.len() > 0) {
                damage.happen(&path);
            }
            let store = match open.map_or_else(|| Store::open(&store_dir), Ok) {
                Ok(store) => store,
                // What says that it is newer may be.
                Err(StoreError::NewerFormat { .. }) => return Ok(()),
                Err(error) => panic!("{error}"),
            };
            look(&store, &known);
            // It goes on, with numbers that were never given; but a log of which the end is
            // damaged ends there, and nothing tells that there was more.
            let new = store.register(variant(1000)).unwrap().id;
            prop_assert!(crashed || known.registrations.iter().all(|one| one.id < new));
            let listed = store.record_directory(&directory(new, "", &FILES)).unwrap();
            prop_assert!(crashed || known.directories.iter().all(|one| one.id < listed));
            // Unless damage that shows only now takes the listing with it.
            store.commit(vec![finished(&store, listed, 0, b"new")]).unwrap();
            store.unregister(new, false).unwrap();
            store.check_database().unwrap();
            drop(store);
            let store = Store::open(&store_dir).unwrap();
            kept.set(kept.get() + look(&store, &known));
            looked.set(looked.get() + 1);
            store.reclaim(false).unwrap();
            drop(store);
            audit(&store_dir);
            Ok(())
        })
        .unwrap();
    let all = looked.get() * known.registrations.len();
    println!("{} of {all} registrations were kept in {} damages", kept.get(), looked.get());
    let least = if crashed { all / 5 } else { all / 2 };
    assert!(looked.get() > cases as usize / 2 && kept.get() > least, "{} of {all}", kept.get());
}

/// Set by `cargo xtask crash-points`: for so many times as many damages.
fn cases() -> u32 {
    std::env::var("PKGFS_STORE_DAMAGES").map_or(24, |times| times.parse().unwrap())
}

#[test]
fn whatever_is_damaged_in_the_database_nothing_wrong_is_told_and_what_is_sound_is_kept() {
    damaged_in_many_ways(false, cases());
}

#[test]
fn whatever_is_damaged_in_the_log_nothing_wrong_is_told_and_what_is_sound_is_kept() {
    damaged_in_many_ways(true, cases());
}

/// A store with one variant and one listing.
fn small() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for n in 1..3 {
        let id = store.register(variant(n)).unwrap().id;
        let listed = store.record_directory(&directory(id, "", &[3, 3])).unwrap();
        hydrate(&store, listed, 0, b"one");
        hydrate(&store, listed, 1, b"two");
    }
    drop(store);
    let database = dir.path().join("pkgfs.sqlite");
    (dir, database)
}

fn change(database: &Path, sql: &str) {
    assert!(rusqlite::Connection::open(database).unwrap().execute(sql, []).unwrap() > 0);
}

#[test]
fn a_row_that_was_changed_behind_its_back_is_not_believed_and_the_others_are() {
    for (sql, registrations, contents) in [
        ("UPDATE registrations SET root = x'2f6574632f737368' WHERE id = 1", 1, 2),
        ("UPDATE registrations SET state = 2 WHERE id = 1", 1, 2),
        ("UPDATE contents SET entry = 5 WHERE entry = 0 AND directory = 1", 2, 3),
        ("UPDATE listings SET listing = x'0102' WHERE directory = 1", 2, 2),
        ("UPDATE directories SET source = x'2f' WHERE id = 1", 2, 2),
        ("DELETE FROM totals", 2, 4),
    ] {
        let (dir, database) = small();
        change(&database, sql);
        let store = Store::open(dir.path()).unwrap();
        let known = store.registrations().unwrap();
        assert_eq!(known.len(), registrations, "{sql}");
        let mut kept = 0;
        for id in 1..3 {
            let id = pkgfs_store::RegistrationId(id);
            if let Some(listed) = store.current_directory(id, b"").unwrap() {
                kept += store.contents(listed.id).unwrap().len();
            }
        }
        assert!(kept >= contents, "{sql}: {kept}");
        let rebuilt = store.rebuilt();
        assert_eq!(rebuilt.len(), 1, "{sql}: {rebuilt:?}");
        assert!(dir.path().join("damaged.sqlite").exists());
        drop(store);
        Store::open(dir.path()).unwrap();
        audit(dir.path());
    }
}

#[test]
fn whoever_asked_is_told_once_and_notices_nothing() {
    let (dir, database) = small();
    let store = Store::open(dir.path()).unwrap();
    let (sender, told) = std::sync::mpsc::channel();
    store.on_rebuilt(move |rebuilt| sender.send(rebuilt.to_string()).unwrap());
    change(&database, "UPDATE registrations SET json = '{}' WHERE id = 2");
    assert_eq!(store.registrations().unwrap().len(), 1);
    let line = told.try_recv().unwrap();
    assert!(line.contains("1 variants") && line.contains("damaged.sqlite"), "{line}");
    assert!(!line.contains('\n'), "{line}");
    assert!(told.try_recv().is_err());
    assert_eq!(store.usage().registrations, 1);
}

/// Once a bit in the text of a trigger had every registration fail.
#[test]
fn a_damaged_trigger_is_damage_also_where_it_goes_on_counting() {
    for (was, is) in [("registrations + 1", "registrations - 1"), ("NEW.retired)", "NEW.retared)")]
    {
        let (dir, database) = small();
        let connection = rusqlite::Connection::open(&database).unwrap();
        connection.pragma_update(None, "writable_schema", true).unwrap();
        let change = "UPDATE sqlite_schema SET sql = replace(sql, ?1, ?2) WHERE type = 'trigger'";
        connection.execute(change, [was, is]).unwrap();
        drop(connection);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.rebuilt().len(), 1, "{is}");
        store.register(variant(3)).unwrap();
        assert_eq!(store.usage().registrations, 3);
        drop(store);
        audit(dir.path());
    }
}

#[test]
fn no_number_is_given_twice_though_the_last_row_and_the_count_of_rows_are_lost() {
    let (dir, database) = small();
    change(&database, "UPDATE registrations SET json = '{}' WHERE id = 2");
    change(&database, "UPDATE listings SET listing = x'09' WHERE directory = 2");
    change(&database, "DELETE FROM sqlite_sequence");
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.registrations().unwrap().len(), 1);
    let new = store.register(variant(3)).unwrap().id;
    let listed = store.record_directory(&directory(new, "", &[3])).unwrap();
    assert!(new.0 > 2 && listed.0 > 2, "{new:?}, {listed:?}");
}

#[test]
fn a_stamp_that_is_lost_or_garbled_is_written_anew_beside_a_database_of_ours() {
    for stamp in [None, Some("nonsense\n"), Some("")] {
        let (dir, _) = small();
        let path = dir.path().join("format");
        fs::remove_file(&path).unwrap();
        if let Some(stamp) = stamp {
            fs::write(&path, stamp).unwrap();
        }
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.registrations().unwrap().len(), 2);
        assert_eq!(fs::read_to_string(&path).unwrap(), "pkgfs store 6\n");
        assert_eq!(store.registrations().unwrap()[0].state, RegistrationState::Served);
    }
}

#[test]
fn damage_that_no_reader_met_is_found_by_a_check() {
    let (dir, database) = small();
    // An index without the rows it is of.
    let connection = rusqlite::Connection::open(&database).unwrap();
    let root: u64 = connection
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'contents_of_blob'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(connection);
    let file = OpenOptions::new().write(true).open(&database).unwrap();
    sys::write_all_at(&file, &[0xa5; 4096], (root - 1) * 4096);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.registrations().unwrap().len(), 2);
    assert!(store.rebuilt().is_empty(), "it was met before");
    store.check_database().unwrap();
    assert_eq!(store.rebuilt().len(), 1);
    assert_eq!(store.registrations().unwrap().len(), 2);
    store.check_database().unwrap();
    assert_eq!(store.rebuilt().len(), 1);
}
