//! What is found by its name, and how much of it is fetched.

use std::path::PathBuf;

use pkgfs_manifest::{Attributes, Entry, Kind, Listing, Timestamp};
use pkgfs_store::DirectoryId;

use super::*;
use crate::hydration::SMALL;

const REGISTRATION: RegistrationId = RegistrationId(7);
const KIB: u64 = 1 << 10;

fn directory(id: u64, names: &[(&str, u64)]) -> Arc<Directory> {
    let mtime = Timestamp { secs: 0, nanos: 0 };
    let attributes = |size| Attributes { size, mode: 0o644, uid: 0, gid: 0, mtime };
    let entries = names.iter().map(|(name, size)| {
        let (name, kind) = match name.strip_suffix('/') {
            Some(name) => (name, Kind::Directory),
            None => (*name, Kind::File),
        };
        Entry { name: name.as_bytes().into(), kind, attributes: attributes(*size), source: None }
    });
    Arc::new(Directory {
        id: DirectoryId(id),
        registration: REGISTRATION,
        path: Box::default(),
        source: PathBuf::from("/origin"),
        anchor: PathBuf::from("/origin"),
        listing: Listing::new(attributes(0), entries.collect()),
    })
}

fn package() -> Arc<Directory> {
    let small = ["__init__.py", "_core.py", "fft.py", "linalg.py", "notes.txt"];
    let mut names: Vec<_> = small.into_iter().map(|name| (name, 10)).collect();
    names.extend([("empty.py", 0), ("tables.py", SMALL + 1)]);
    names.extend([("__pycache__/", 0), ("fft/", 0), ("random/", 0)]);
    directory(1, &names)
}

/// What a file of this directory names.
fn named(
    directory: &Arc<Directory>,
    beside: &Arc<Directory>,
    name: &str,
    text: &str,
) -> Vec<String> {
    let suffix = &name[name.find('.').unwrap_or(name.len())..];
    let search = Search {
        directory: Arc::clone(directory),
        name: name.as_bytes().into(),
        suffix: suffix.as_bytes().into(),
        beside: Arc::clone(beside),
    };
    let shown = |holder: &Directory, index: usize| {
        String::from_utf8(holder.listing.entries()[index].name.to_vec()).unwrap()
    };
    let found = search.run(text.as_bytes()).into_iter().map(|found| match found {
        Found::File(index) => shown(directory, index),
        Found::Directory(index) => shown(beside, index) + "/",
    });
    found.collect()
}

#[test]
fn a_module_names_its_siblings_and_packages_in_their_order_and_once() {
    let package = package();
    let text = "from . import random, fft\nfrom ._core import fft, notes\nimport os";
    let found = named(&package, &package, "__init__.py", text);
    assert_eq!(found, ["random/", "fft.py", "fft/", "_core.py"]);
}

#[test]
fn neither_itself_nor_what_is_empty_or_large_or_compiled_is_named() {
    let package = package();
    let text = "fft __pycache__ empty tables notes";
    assert_eq!(named(&package, &package, "fft.py", text), ["fft/"]);
    assert_eq!(named(&package, &package, "fft.py", ""), [""; 0]);
}

#[test]
fn a_compiled_module_names_compiled_siblings_and_the_packages_one_level_up() {
    let names = ["__init__.cpython-311.pyc", "fft.cpython-311.pyc", "fft.cpython-312.pyc"];
    let compiled = directory(2, &names.map(|name| (name, 10)));
    let found = named(&compiled, &package(), "__init__.cpython-311.pyc", "\u{5}fft \u{6}random");
    assert_eq!(found, ["fft.cpython-311.pyc", "fft/", "random/"]);
}

#[test]
fn a_directory_too_large_to_be_looked_through_names_nothing() {
    let names: Vec<_> = (0..4_097).map(|number| format!("m{number}.py")).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), 10)).collect();
    let (all, fewer) = (directory(3, &names), directory(4, &names[1..]));
    assert_eq!(named(&all, &all, "m1.py", "m2"), [""; 0]);
    assert_eq!(named(&fewer, &fewer, "m1.py", "m2"), ["m2.py"]);
}

/// An account, and guesses of files of these sizes.
fn guesses(sizes: &[u64]) -> (Account, Vec<Guess>) {
    let names: Vec<_> = (0..sizes.len()).map(|number| format!("{number:03}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).zip(sizes.iter().copied()).collect();
    let directory = directory(5, &names);
    let guess = |index| Guess { directory: Arc::clone(&directory), index };
    (Account::default(), (0..sizes.len()).map(guess).collect())
}

/// Somebody reads the file of a guess; how many may be fetched now.
fn read(account: &Account, guess: &Guess) -> usize {
    let wanted = guess.wanted();
    account.read(REGISTRATION, wanted.key, wanted.state.size).len()
}

#[test]
fn what_lies_unread_is_bounded_and_the_rest_waits_until_there_is_room() {
    let (account, guesses) = guesses(&[256 * KIB, 256 * KIB, 256 * KIB, KIB, 10 * KIB]);
    let taken: Vec<_> = guesses[..4].iter().map(|guess| account.take(guess.clone())).collect();
    assert_eq!(taken, [true, true, false, false]);
    let amount = account.amount();
    assert_eq!((amount.all.files, amount.unread.bytes), (2, 512 * KIB));
    // Half of what was asked for by name is more room, but not enough for the first.
    assert_eq!(read(&account, &guesses[4]), 0);
    // What is read is room for as much again, and half of it.
    assert_eq!(read(&account, &guesses[0]), 2);
    let amount = account.amount();
    assert_eq!((amount.all.files, amount.unread.files), (4, 3));
    assert!(amount.unread.bytes <= 512 * KIB + (256 + 10) * KIB / 2);
}

#[test]
fn a_file_is_counted_and_fetched_once() {
    let (account, guesses) = guesses(&[KIB, 2 * KIB]);
    assert!(account.take(guesses[0].clone()) && !account.take(guesses[0].clone()));
    assert_eq!(read(&account, &guesses[1]), 0);
    assert!(!account.take(guesses[1].clone()), "somebody has asked for it");
    assert_eq!(read(&account, &guesses[0]) + read(&account, &guesses[0]), 0);
    let amount = account.amount();
    assert_eq!((amount.all.bytes, amount.unread.bytes), (KIB, 0));
}

#[test]
fn after_a_guess_that_failed_nothing_is_guessed_until_storage_answers() {
    let (account, guesses) = guesses(&[256 * KIB, 256 * KIB, KIB]);
    for guess in &guesses {
        account.take(guess.clone());
    }
    account.fails(REGISTRATION);
    account.give_back(REGISTRATION, guesses[0].wanted().key);
    assert_eq!(account.amount().all.files, 1, "what was not fetched is not counted");
    assert!(account.is_failing(REGISTRATION) && !account.take(guesses[0].clone()));
    assert_eq!(read(&account, &guesses[1]), 0, "what waited is forgotten");
    account.answers(REGISTRATION);
    assert!(!account.is_failing(REGISTRATION) && account.take(guesses[0].clone()));
}

#[test]
fn a_variant_that_is_forgotten_begins_anew() {
    let (account, guesses) = guesses(&[KIB]);
    assert!(account.take(guesses[0].clone()));
    account.forget(REGISTRATION);
    assert_eq!(account.amount(), FetchedAhead::default());
    assert!(account.take(guesses[0].clone()));
}
