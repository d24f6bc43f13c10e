//! What fuzzing reaches of the view: profiles in both forms, and what commands name. Not for other
//! use.

use pkgfs_rez::VariantHandle;

use crate::{ExchangedProfile, profiles::Record, targets};

/// Reads bytes as a profile in the store and checks what comes of it. Tells whether it was one.
///
/// # Panics
/// Where a record breaks its own rules or does not survive being stored or exchanged.
pub fn stored_profile(bytes: &[u8]) -> bool {
    Record::decode(bytes).map(|record| check(&record)).is_ok()
}

/// Takes a profile from elsewhere as far as it goes without a store, and checks what would be kept.
/// Tells whether anything would.
///
/// # Panics
/// As [`stored_profile`].
pub fn imported_profile(profile: &ExchangedProfile) -> bool {
    let read = profile.read().map(|(_, record)| check(&record));
    read.map_err(|reason| assert!(!reason.contains('\n'), "{reason}")).is_ok()
}

/// Reads a text as what a command is about.
///
/// # Panics
/// Where a refusal is not one line.
pub fn target(text: &str) {
    if let Err(reason) = targets::check(text) {
        assert!(!reason.contains('\n'), "{reason}");
    }
}

fn check(record: &Record) {
    record.assert_sound();
    let again = Record::decode(&record.encode()).expect("a record that was stored is read");
    assert_eq!(record, &again);
    let handle = VariantHandle {
        location: "/sw/pkg".to_owned(),
        name: "tool".to_owned(),
        version: None,
        index: None,
    };
    let told = ExchangedProfile::of(&handle, record);
    let taken = told.read().expect("a profile that was told is taken");
    assert_eq!(taken, (handle, record.clone()));
}
