//! What is encoded is read back; what was not encoded here is refused.
#![allow(clippy::unwrap_used)]

use pkgfs_manifest::{Attributes, Entry, Kind, Listing, NotAListing, Special, Timestamp};
use proptest::{collection::vec, option, prelude::*};

fn attributes() -> impl Strategy<Value = Attributes> {
    (any::<u64>(), 0..0o10000u16, any::<u32>(), any::<u32>(), any::<i64>(), 0..1_000_000_000u32)
        .prop_map(|(size, mode, uid, gid, secs, nanos)| Attributes {
            size,
            mode,
            uid,
            gid,
            mtime: Timestamp { secs, nanos },
        })
}

fn bytes(longest: usize) -> impl Strategy<Value = Box<[u8]>> {
    vec(any::<u8>(), 1..longest).prop_map(Vec::into_boxed_slice)
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::File),
        Just(Kind::Directory),
        bytes(40).prop_map(|target| Kind::Link(without(&target, b"\0"))),
        Just(Kind::Special(Special::Fifo)),
        Just(Kind::Special(Special::Socket)),
        any::<u64>().prop_map(|number| Kind::Special(Special::CharDevice(number))),
        any::<u64>().prop_map(|number| Kind::Special(Special::BlockDevice(number))),
    ]
}

/// Any bytes that a file may be called.
fn name() -> impl Strategy<Value = Box<[u8]>> {
    let named = bytes(12).prop_map(|name| without(&name, b"/\0"));
    named.prop_filter("a name", |name| !matches!(&**name, b"." | b".." | b""))
}

fn source() -> impl Strategy<Value = Box<[u8]>> {
    bytes(30).prop_map(|path| [b"/".as_slice(), &without(&path, b"\0")].concat().into())
}

fn without(bytes: &[u8], unwanted: &[u8]) -> Box<[u8]> {
    bytes.iter().copied().filter(|byte| !unwanted.contains(byte)).collect()
}

fn entry() -> impl Strategy<Value = Entry> {
    (name(), kind(), attributes(), option::of(source()))
        .prop_map(|(name, kind, attributes, source)| Entry { name, kind, attributes, source })
}

/// A damaged row, or a hostile worker, could have led out of a payload: names were not looked at.
#[test]
fn a_listing_with_a_name_that_no_directory_can_hold_is_refused() {
    let mtime = Timestamp { secs: 3, nanos: 4 };
    let attributes = Attributes { size: 5, mode: 0o644, uid: 1, gid: 2, mtime };
    let with = |name: &[u8], kind: Kind, source: Option<&[u8]>, attributes: Attributes| {
        let (name, source) = (name.into(), source.map(Into::into));
        let entry = Entry { name, kind, attributes, source };
        Listing::decode(&Listing::new(attributes, vec![entry]).encode())
    };
    assert!(with(b"...", Kind::File, Some(b"/x"), attributes).is_ok());
    for name in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0b"] {
        assert_eq!(with(name, Kind::File, None, attributes), Err(NotAListing), "{name:?}");
    }
    for source in [&b""[..], b"x", b"../x", b"/a\0b"] {
        assert_eq!(with(b"a", Kind::File, Some(source), attributes), Err(NotAListing));
    }
    let target = Kind::Link(b"a\0b".as_slice().into());
    assert_eq!(with(b"a", target, None, attributes), Err(NotAListing));
    let next_second = Timestamp { secs: 3, nanos: 1_000_000_000 };
    let wrong = Attributes { mtime: next_second, ..attributes };
    assert_eq!(with(b"a", Kind::File, None, wrong), Err(NotAListing));
    let wrong = Attributes { mode: 0o10_000, ..attributes };
    assert_eq!(with(b"a", Kind::File, None, wrong), Err(NotAListing));
}

/// Stores keep listings for years: the encoding is what `docs/format.md` says, byte by byte.
#[test]
fn an_encoded_listing_is_these_bytes() {
    let mtime = Timestamp { secs: 3, nanos: 4 };
    let attributes = Attributes { size: 5, mode: 0o644, uid: 1, gid: 2, mtime };
    let entry =
        |name: &'static [u8], kind, source| Entry { name: name.into(), kind, attributes, source };
    let listing = Listing::new(
        attributes,
        vec![
            entry(b"b", Kind::Link(b"a".as_slice().into()), None),
            entry(b"a", Kind::File, Some(b"/x".as_slice().into())),
        ],
    );
    let own = [5, 0xa4, 3, 1, 2, 6, 4];
    let a = [&[1, b'a', 0], own.as_slice(), &[1, 2, b'/', b'x']].concat();
    let b = [&[1, b'b', 2, 1, b'a'], own.as_slice(), &[0]].concat();
    let encoded = [&[1], own.as_slice(), &[2], &a, &b].concat();
    assert_eq!(listing.encode(), encoded);
    assert_eq!(Listing::decode(&encoded), Ok(listing));
}

proptest! {
    #[test]
    fn a_listing_survives_encoding(own in attributes(), entries in vec(entry(), 0..40)) {
        let listing = Listing::new(own, entries);
        prop_assert_eq!(Listing::decode(&listing.encode()), Ok(listing));
    }

    #[test]
    fn every_entry_is_found_by_its_name(own in attributes(), entries in vec(entry(), 0..40)) {
        let names: Vec<_> = entries.iter().map(|entry| entry.name.clone()).collect();
        let listing = Listing::new(own, entries);
        for name in names {
            let index = listing.find(&name).unwrap();
            prop_assert_eq!(&listing.entries()[index].name, &name);
        }
    }

    #[test]
    fn a_listing_cut_short_or_followed_by_more_is_refused(
        own in attributes(),
        entries in vec(entry(), 0..10),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut encoded = Listing::new(own, entries).encode();
        prop_assert_eq!(Listing::decode(&encoded[..cut.index(encoded.len())]), Err(NotAListing));
        encoded.push(0);
        prop_assert_eq!(Listing::decode(&encoded), Err(NotAListing));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Listing::decode(&bytes);
    }
}

#[test]
fn another_version_is_refused() {
    let attributes =
        Attributes { size: 0, mode: 0o755, uid: 0, gid: 0, mtime: Timestamp::default() };
    let mut encoded = Listing::new(attributes, Vec::new()).encode();
    encoded[0] += 1;
    assert_eq!(Listing::decode(&encoded), Err(NotAListing));
}
