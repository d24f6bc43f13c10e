//! Registrations: what is acknowledged is found again.
#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;

use fixture::variant;
use pkgfs_manifest::Timestamp;
use pkgfs_store::{NewRegistration, RegistrationId, RegistrationState, Store, StoreError};

#[test]
fn a_registration_is_found_again_with_all_it_had() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut one = store.register(variant(1)).unwrap();
    let mut two = store.register(NewRegistration { root: None, ..variant(2) }).unwrap();
    store.set_state(two.id, RegistrationState::Sealed).unwrap();
    two.state = RegistrationState::Sealed;
    one.touched = Timestamp { secs: -1, nanos: 7 };
    store.touch(&[(one.id, one.touched), (RegistrationId(99), one.touched)]).unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.registrations().unwrap(), [one, two]);
    assert_eq!(store.usage().registrations, 2);
}

#[test]
fn a_pin_stays_until_it_is_taken_back_or_its_registration_goes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let ids = [1, 2, 3].map(|n| store.register(variant(n)).unwrap().id);
    for id in ids {
        store.pin(id).unwrap();
        store.pin(id).unwrap();
    }
    store.unpin(ids[1]).unwrap();
    store.unpin(ids[1]).unwrap();
    store.unregister(ids[2], false).unwrap();
    let error = store.pin(ids[2]).unwrap_err();
    assert!(matches!(error, StoreError::NotRegistered { id } if id == ids[2]), "{error}");
    let again = store.register(variant(3)).unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    let pinned = store.registrations().unwrap().into_iter().map(|known| (known.id, known.pinned));
    assert_eq!(pinned.collect::<Vec<_>>(), [(ids[0], true), (ids[1], false), (again.id, false)]);
}

#[test]
fn a_handle_or_a_place_is_registered_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let first = store.register(variant(1)).unwrap();
    let same_handle = NewRegistration { handle_key: first.handle_key.clone(), ..variant(2) };
    let same_place = NewRegistration { handle_key: "other".into(), ..variant(1) };
    for taken in [same_handle, same_place] {
        let error = store.register(taken).unwrap_err();
        assert!(matches!(error, StoreError::AlreadyRegistered { .. }), "{error}");
    }
    assert_eq!(store.registrations().unwrap(), std::slice::from_ref(&first));
    store.unregister(first.id, false).unwrap();
    assert!(store.register(variant(1)).unwrap().id > first.id, "numbers are not given twice");
}

#[test]
fn a_tombstone_stays_until_the_handle_is_registered_or_its_time_has_passed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let before = Timestamp::now();
    for n in 1..=3 {
        let id = store.register(variant(n)).unwrap().id;
        store.unregister(id, n != 3).unwrap();
        store.unregister(id, true).unwrap();
    }
    let taken = store.register(variant(7)).unwrap();
    let same_place = NewRegistration { handle_key: "handle 1".into(), ..variant(7) };
    store.register(same_place).unwrap_err();
    store.unregister(taken.id, false).unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    let handles = || -> Vec<String> {
        store.tombstones().unwrap().into_iter().map(|(handle, _)| handle).collect()
    };
    assert_eq!(handles(), ["handle 1", "handle 2"]);
    store.clear_tombstones(before).unwrap();
    assert_eq!(handles().len(), 2);
    store.register(variant(1)).unwrap();
    assert_eq!(handles(), ["handle 2"]);
    store.clear_tombstones(Timestamp { secs: i64::MAX, nanos: 0 }).unwrap();
    assert!(handles().is_empty());
}

#[test]
fn changing_a_registration_that_was_removed_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.register(variant(1)).unwrap().id;
    store.unregister(id, false).unwrap();
    let error = store.set_state(id, RegistrationState::Sealed).unwrap_err();
    assert!(matches!(error, StoreError::NotRegistered { .. }), "{error}");
}
