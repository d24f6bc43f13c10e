//! What lies on disks: a damaged or foreign file is refused, never misread.

use pkgfs_manifest::Listing;

use super::rez::is_one_name;

/// A recorded directory.
pub(crate) fn listing(input: &[u8]) -> bool {
    let Ok(listing) = Listing::decode(input) else { return false };
    assert!(listing.entries().is_sorted_by(|a, b| a.name < b.name));
    for (index, entry) in listing.entries().iter().enumerate() {
        assert!(is_one_name(&entry.name), "{entry:?}");
        assert!(entry.source.as_ref().is_none_or(|source| source.starts_with(b"/")), "{entry:?}");
        assert_eq!(listing.find(&entry.name), Some(index));
        assert!(entry.attributes.mode <= 0o7777 && entry.attributes.mtime.nanos < 1_000_000_000);
        let _ = entry.attributes.mtime.to_system_time();
    }
    assert_eq!(Listing::decode(&listing.encode()).as_ref(), Ok(&listing));
    true
}

/// What starts touch, as the store keeps it.
pub(crate) fn profile(input: &[u8]) -> bool {
    pkgfs_view::fuzzing::stored_profile(input)
}

/// The index of a scan.
pub(crate) fn index(input: &[u8]) -> bool {
    pkgfs_scan::fuzzing::index(input)
}
