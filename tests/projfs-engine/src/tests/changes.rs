//! Changes and what is told of them.

use super::{Root, at, provider::Ways};
use crate::{
    Code, Wide,
    codes::{attribute, right, share},
    notify::{Mappings, Notification, SUPPRESS},
    open::How,
    provider::Asker,
    records::Kind,
    volume::Options,
};

const ALL: u32 = 0x1FFE;

fn told(files: &[(&str, &[u8])]) -> Root {
    Root::with(
        files,
        Options { mappings: Mappings::new(vec![(Wide::default(), ALL)]), ..Options::default() },
    )
}

fn words(root: &Root) -> Vec<String> {
    let told = |line: &String| line.starts_with(char::is_uppercase);
    root.volume.take_trace().into_iter().filter(told).collect()
}

#[test]
fn each_veto_stops_what_it_is_about_and_nothing_else() {
    let root = told(&[("f", b"bytes")]);
    let asker = Asker::default();
    let refuse = |refuses| root.provider.misbehave(Ways { refuses, ..Ways::default() });
    refuse(Some(Notification::PreDelete));
    assert_eq!(root.delete("f"), Err(Code::ACCESS_DENIED));
    refuse(Some(Notification::PreRename));
    assert_eq!(root.rename("f", "g"), Err(Code::ACCESS_DENIED));
    refuse(Some(Notification::PreSetHardlink));
    let linked = root.volume.hard_link(&asker, 1, &at("f"), &at("g"));
    assert_eq!(linked, Err(Code::ACCESS_DENIED));
    refuse(Some(Notification::PreConvertToFull));
    assert_eq!(root.write("f", b"mine"), Err(Code::ACCESS_DENIED));
    assert_eq!(root.read("f").unwrap(), b"bytes");
    assert_eq!(root.names(""), ["f"]);
    // What has happened already cannot be refused.
    refuse(Some(Notification::NewFileCreated));
    root.write("new", b"").unwrap();
}

#[test]
fn a_conversion_is_told_once_before_the_open_that_causes_it() {
    let root = told(&[("f", b"bytes")]);
    root.write("f", b"1").unwrap();
    assert_eq!(words(&root), ["PreConvertToFull f", "FileOverwritten f", "ClosedFileModified f"]);
    root.write("f", b"2").unwrap();
    assert_eq!(words(&root), ["FileOverwritten f", "ClosedFileModified f"]);
}

#[test]
fn the_mask_of_an_answer_counts_until_the_last_handle_is_closed() {
    let root = told(&[("f", b"bytes")]);
    root.provider.misbehave(Ways { answers_mask: SUPPRESS, ..Ways::default() });
    let first = root.open("f", How::read()).unwrap();
    let second = root.open("f", How::read()).unwrap();
    root.close(first);
    root.close(second);
    assert_eq!(words(&root), ["FileOpened f"]);
    root.close(root.open("f", How::read()).unwrap());
    assert_eq!(words(&root), ["FileOpened f"]);
}

#[test]
fn a_placeholder_directory_cannot_be_renamed_and_a_full_one_takes_all_along() {
    let root = Root::new(&[("d\\f", b"bytes")]);
    assert_eq!(root.rename("d", "e"), Err(Code::NOT_SUPPORTED));
    root.volume.create_directory(&Asker::default(), 1, &at("mine")).unwrap();
    root.write(r"mine\x", b"x").unwrap();
    root.rename("mine", "yours").unwrap();
    assert_eq!(root.read(r"yours\x").unwrap(), b"x");
    assert_eq!(root.names(""), ["d", "yours"]);
}

#[test]
fn a_renamed_placeholder_is_filled_under_its_first_name_and_leaves_a_tombstone() {
    let root = Root::new(&[("f", b"bytes")]);
    root.rename("f", "g").unwrap();
    assert_eq!(root.read("f"), Err(Code::FILE_NOT_FOUND));
    assert_eq!(root.read("g").unwrap(), b"bytes");
    assert_eq!(root.asked("data"), ["data f 0+5"]);
    assert_eq!(root.names(""), ["g"]);
}

#[test]
fn read_only_files_are_neither_written_nor_deleted_unless_the_attribute_is_passed_over() {
    let root = Root::new(&[]);
    let asker = Asker::default();
    root.write("f", b"x").unwrap();
    root.volume.set_metadata(&asker, 1, &at("f"), Some(attribute::READONLY), None).unwrap();
    assert_eq!(root.write("f", b"y"), Err(Code::ACCESS_DENIED));
    assert_eq!(root.delete("f"), Err(Code::ACCESS_DENIED));
    root.write("g", b"y").unwrap();
    let over = root.volume.rename(&asker, 1, &at("g"), &at("f"), true);
    assert_eq!(over, Err(Code::ACCESS_DENIED));
    root.rename("f", "h").unwrap();
    root.volume.delete(&asker, 1, &at("h"), false, true).unwrap();
}

#[test]
fn a_handle_excludes_what_it_does_not_share() {
    let root = Root::new(&[("f", b"bytes")]);
    let reader = How { share: share::READ, ..How::read() };
    let first = root.open("f", reader).unwrap();
    let second = root.open("f", reader).unwrap();
    let delete = How::with(right::DELETE);
    assert_eq!(root.open("f", delete), Err(Code::SHARING_VIOLATION));
    // Attributes are always to be had.
    root.close(root.open("f", How { share: 0, ..How::with(right::READ_ATTRIBUTES) }).unwrap());
    root.close(first);
    root.close(second);
    root.close(root.open("f", delete).unwrap());
}

#[test]
fn hard_links_are_one_file_until_the_last_is_gone() {
    let root = Root::new(&[]);
    let asker = Asker::default();
    root.write("a", b"1").unwrap();
    root.volume.hard_link(&asker, 1, &at("a"), &at("b")).unwrap();
    assert_eq!(root.volume.status(&asker, 1, &at("b"), true).unwrap().links, 2);
    let write = How { backup: false, ..How::with(right::WRITE_DATA) };
    let handle = root.open("a", write).unwrap();
    root.volume.write(handle, 0, b"2").unwrap();
    root.close(handle);
    assert_eq!(root.read("b").unwrap(), b"2");
    root.delete("a").unwrap();
    assert_eq!(root.volume.status(&asker, 1, &at("b"), true).unwrap().links, 1);
}

#[test]
fn links_are_followed_to_where_they_lead_and_end_where_they_go_round() {
    let root = Root::new(&[("d\\f", b"bytes")]);
    let asker = Asker::default();
    let link = |path: &str, target: &str| {
        let kind = Kind::Link { target: at(target), directory: true, junction: false };
        root.volume.create_link(&asker, 1, &at(path), kind).unwrap();
    };
    link("to", "d");
    link("round", "round");
    link("nowhere", "missing");
    assert_eq!(root.read(r"to\f").unwrap(), b"bytes");
    assert_eq!(root.read(r"to\..\d\f").unwrap(), b"bytes");
    assert_eq!(root.read(r"round\f"), Err(Code::CANT_RESOLVE_FILENAME));
    assert_eq!(root.read("nowhere"), Err(Code::FILE_NOT_FOUND));
    assert_eq!(
        root.volume.status(&asker, 1, &at("to"), false).unwrap().entry.target,
        Some(at("d"))
    );
    root.rename("to", "moved").unwrap();
    assert_eq!(root.read(r"moved\f").unwrap(), b"bytes");
    root.volume.delete(&asker, 1, &at("moved"), true, false).unwrap();
    assert_eq!(root.read(r"d\f").unwrap(), b"bytes");
}

#[test]
fn a_directory_is_deleted_when_nothing_shows_in_it() {
    let root = Root::new(&[("d\\f", b"bytes")]);
    let asker = Asker::default();
    let delete = || root.volume.delete(&asker, 1, &at("d"), true, false);
    assert_eq!(delete(), Err(Code::DIR_NOT_EMPTY));
    root.delete(r"d\f").unwrap();
    delete().unwrap();
    assert_eq!(root.names(""), Vec::<String>::new());
}
