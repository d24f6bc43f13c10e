//! Profiles: kept by handle and context, few of each.
#![allow(clippy::unwrap_used, missing_docs)]

use pkgfs_manifest::Timestamp;
use pkgfs_store::{Profile, Store};

fn profile(handle: &str, context: &str, used: i64, bytes: usize) -> Profile {
    Profile {
        handle_key: handle.to_owned(),
        context: context.to_owned(),
        used: Timestamp { secs: used, nanos: 0 },
        record: vec![1; bytes],
    }
}

fn contexts(profiles: &[Profile]) -> Vec<&str> {
    profiles.iter().map(|profile| &*profile.context).collect()
}

#[test]
fn a_profile_takes_the_place_of_the_former_one_and_outlives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let all = [profile("a", "", 1, 3), profile("a", "one", 2, 3), profile("b", "one", 3, 3)];
    store.record_profiles(&all).unwrap();
    let newer = profile("a", "one", 4, 5);
    store.record_profiles(std::slice::from_ref(&newer)).unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.profiles().unwrap(), [all[0].clone(), newer.clone(), all[2].clone()]);
    assert_eq!(store.profiles_of("a").unwrap(), [newer.clone(), all[0].clone()]);
    assert_eq!(store.profiles_in("one").unwrap(), [newer, all[2].clone()]);
    assert_eq!(store.forget_profiles("a").unwrap(), 2);
    assert_eq!((store.profile_count().unwrap(), store.forget_profiles("a").unwrap()), (1, 0));
}

#[test]
fn of_too_many_contexts_the_last_used_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for number in 0..20 {
        let context = format!("{number:02}");
        store.record_profiles(&[profile("a", &context, number, 3)]).unwrap();
    }
    let expected: Vec<_> = (4..20).map(|number| format!("{number:02}")).collect();
    assert_eq!(contexts(&store.profiles().unwrap()), expected);
}

#[test]
fn of_too_many_bytes_the_last_used_ones_stay() {
    const MIB: usize = 1 << 20;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for number in 0..9 {
        let handle = format!("handle {number}");
        store.record_profiles(&[profile(&handle, "", number, 8 * MIB)]).unwrap();
    }
    let known: Vec<_> =
        store.profiles().unwrap().into_iter().map(|known| known.used.secs).collect();
    assert_eq!(known, [1, 2, 3, 4, 5, 6, 7, 8]);
}
