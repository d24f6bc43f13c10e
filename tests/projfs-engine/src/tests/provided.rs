//! What a provider gives: names, listings, data.

use super::{Root, at, provider::Ways};
use crate::{Code, Wide, codes::right, open::How, provider::Asker, volume::Options, wide};

#[test]
fn local_items_take_precedence_in_a_merged_listing_and_tombstones_hide() {
    let root = Root::new(&[("b", b"1"), ("d", b"2"), ("F", b"3")]);
    root.write("a", b"").unwrap();
    root.write("C", b"").unwrap();
    root.write("f", b"longer").unwrap();
    root.delete("d").unwrap();
    assert_eq!(root.names(""), ["a", "b", "C", "F"]);
}

#[test]
fn a_provider_that_does_not_sort_shows_what_was_deleted_and_names_twice() {
    let root = Root::new(&[("a", b"1"), ("b", b"2"), ("c", b"3")]);
    root.read("a").unwrap();
    root.delete("b").unwrap();
    root.provider.misbehave(Ways { unsorted: true, ..Ways::default() });
    assert_eq!(root.names(""), ["a", "c", "b", "a"]);
}

#[test]
fn only_what_is_missing_is_asked_for_in_aligned_ranges() {
    let bytes: Vec<u8> = (0..300_001_u32).map(|at| (at % 251) as u8).collect();
    let root = Root::new(&[("f", &bytes)]);
    let asker = Asker::default();
    let handle = root.open("f", How::read()).unwrap();
    root.volume.take_trace();
    assert_eq!(root.volume.read(&asker, handle, 5000, 10).unwrap(), &bytes[5000..5010]);
    assert_eq!(root.asked("data"), ["data f 4096+4096"]);
    assert_eq!(root.volume.read(&asker, handle, 0, 20_000).unwrap(), &bytes[..20_000]);
    assert_eq!(root.asked("data"), ["data f 0+4096", "data f 8192+12288"]);
    assert_eq!(root.volume.read(&asker, handle, 0, 400_000).unwrap(), bytes);
    let last = root.asked("data").pop();
    assert_eq!(last.as_deref(), Some("data f 282624+17377"));
    root.close(handle);
}

#[test]
fn a_provider_that_says_yes_and_gives_nothing_fails_the_read() {
    let root = Root::new(&[("f", b"bytes")]);
    root.provider.misbehave(Ways { gives_nothing: true, ..Ways::default() });
    assert_eq!(root.read("f"), Err(Code::GEN_FAILURE));
    root.provider.misbehave(Ways::default());
    assert_eq!(root.read("f").unwrap(), b"bytes");
}

#[test]
fn data_that_are_not_aligned_or_beyond_the_end_are_refused() {
    let root = Root::new(&[("f", &[1; 10_000])]);
    let handle = root.open("f", How::read()).unwrap();
    let id = root.volume.held_status(handle).unwrap().id;
    let write = |offset: u64, length: usize| root.volume.write_data(id, offset, &vec![2; length]);
    assert_eq!(write(1, 4096), Err(Code::OFFSET_ALIGNMENT_VIOLATION));
    assert_eq!(write(0, 5000), Err(Code::OFFSET_ALIGNMENT_VIOLATION));
    assert_eq!(write(8192, 4096), Err(Code::INVALID_PARAMETER));
    assert_eq!(write(8192, 10_000 - 8192), Ok(()));
    assert_eq!(root.volume.write_data(id + 1, 0, &[2; 4096]), Err(Code::FILE_NOT_FOUND));
    root.close(handle);
}

#[test]
fn names_that_are_not_there_are_asked_for_each_time_unless_remembered() {
    let root = Root::new(&[]);
    for _ in 0..2 {
        assert_eq!(root.read("missing"), Err(Code::FILE_NOT_FOUND));
    }
    assert_eq!(root.asked("placeholder").len(), 2);
    let root = Root::with(&[], Options { negative_cache: true, ..Options::default() });
    for _ in 0..2 {
        assert_eq!(root.read("missing"), Err(Code::FILE_NOT_FOUND));
    }
    assert_eq!(root.asked("placeholder").len(), 1);
    root.provider.add("missing", b"now");
    assert_eq!(root.read("missing"), Err(Code::FILE_NOT_FOUND));
    assert_eq!(root.volume.forget_negative(), 1);
    assert_eq!(root.read("missing").unwrap(), b"now");
}

#[test]
fn a_directory_made_here_is_full_and_the_provider_is_not_asked_for_what_is_in_it() {
    let root = Root::new(&[("d\\x", b"projected")]);
    root.volume.create_directory(&Asker::default(), 1, &at("mine")).unwrap();
    root.provider.add("mine\\x", b"projected");
    root.volume.take_trace();
    assert_eq!(root.names("mine"), Vec::<String>::new());
    assert_eq!(root.asked("start listing"), Vec::<String>::new());
}

#[test]
fn a_full_directory_that_is_marked_is_projected_from_then_on() {
    let root = Root::new(&[("d\\x", b"projected")]);
    root.volume.create_directory(&Asker::default(), 1, &at("mine")).unwrap();
    root.provider.add("mine\\x", b"projected");
    root.volume.mark(&at("mine"), Default::default()).unwrap();
    assert_eq!(root.names("mine"), ["x"]);
    let again = root.volume.mark(&at("mine"), Default::default());
    assert_eq!(again, Err(Code::REPARSE_POINT_ENCOUNTERED));
}

#[test]
fn a_small_buffer_is_refilled_and_a_longer_name_gets_a_larger_one() {
    let long = "n".repeat(240);
    let names: Vec<String> = (0..9).map(|number| format!("{number}{long}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let root = Root::new(&files);
    assert_eq!(root.names(""), names);
    assert!(root.asked("list ").len() > 3, "the buffer took everything at once");
}

#[test]
fn a_session_is_ended_when_its_handle_is_closed_with_its_program() {
    let root = Root::new(&[("a", b""), ("b", b"")]);
    let handle = root.open("", How::with(right::LIST_DIRECTORY)).unwrap();
    root.volume.list(&Asker::default(), handle, None, false, 1).unwrap();
    assert_eq!(root.asked("end listing").len(), 0);
    root.volume.close_all(1);
    assert_eq!(root.asked("end listing").len(), 1);
}

#[test]
fn patterns_match_as_the_kernel_matches_them() {
    let matches =
        |name: &str, pattern: &str| wide::matches(&Wide::from(name).0, &Wide::from(pattern).0);
    for (name, pattern, should) in [
        ("a.py", "*", true),
        ("a.py", "*.PY", true),
        ("a.pyc", "*.py", false),
        ("ab", "a?", true),
        ("a", "a?", false),
        ("a.b.c", "<.c", true),
        ("a.b.c", "<.b.c", true),
        ("a.b", "<", false),
        ("noext", "<", true),
        ("a", "a>>", true),
        ("abc", "a>", false),
        ("a.b", "a>>.b", true),
        ("a", "a\"", true),
        ("a.", "a\"", true),
        ("ab", "a\"", false),
        ("a.b", "a\"b", true),
    ] {
        assert_eq!(matches(name, pattern), should, "{name} against {pattern}");
    }
}

#[test]
fn names_compare_by_their_upper_case() {
    let compare = |a: &str, b: &str| wide::compare(&Wide::from(a).0, &Wide::from(b).0);
    assert!(compare("ABC", "abc").is_eq());
    assert!(compare("\u{e4}", "\u{c4}").is_eq());
    // Not by letters: `_` lies between the cases, and is compared with upper case.
    assert!(compare("a_", "aB").is_gt());
    assert!(compare("\u{df}", "ss").is_ne());
}
