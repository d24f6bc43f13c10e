//! States: what is virtual, a placeholder, hydrated, dirty, full, a tombstone; who may change it.

use std::{fs, io::Write as _, sync::Arc};

use super::{
    Root, at,
    provider::{Fake, Ways},
};
use crate::{
    Code, Volume,
    codes::{attribute, right},
    open::How,
    provider::{Asker, Gone},
    records::sidecar,
    supply::{self, allow, cause, file_state},
    volume::{Options, Switches},
};

const REFUSED: Code = Code::FILE_SYSTEM_VIRTUALIZATION_INVALID_OPERATION;

#[test]
fn a_file_goes_from_virtual_over_placeholder_and_hydrated_to_full() {
    let root = Root::new(&[("f", b"bytes")]);
    assert_eq!(root.volume.take_back(&at("f"), 0), Err((Code::FILE_NOT_FOUND, cause::NONE)));
    assert_eq!(root.state("f"), Ok(file_state::PLACEHOLDER));
    assert_eq!(root.read("f").unwrap(), b"bytes");
    assert_eq!(root.state("f"), Ok(file_state::PLACEHOLDER | file_state::HYDRATED_PLACEHOLDER));
    let write = How { backup: false, ..How::with(right::WRITE_DATA) };
    root.close(root.open("f", write).unwrap());
    assert_eq!(root.state("f"), Ok(file_state::FULL));
    assert_eq!(fs::read(root.path().join("f")).unwrap(), b"bytes");
}

#[test]
fn a_deleted_placeholder_stays_hidden_until_its_tombstone_is_taken_back() {
    let root = Root::new(&[("f", b"bytes"), ("g", b"")]);
    root.delete("f").unwrap();
    assert_eq!(root.names(""), ["g"]);
    assert_eq!(root.read("f"), Err(Code::FILE_NOT_FOUND));
    assert_eq!(root.state("f"), Ok(file_state::TOMBSTONE));
    assert_eq!(root.volume.take_back(&at("f"), 0), Err((REFUSED, cause::TOMBSTONE)));
    root.volume.take_back(&at("f"), allow::TOMBSTONE).unwrap();
    assert_eq!(root.names(""), ["f", "g"]);
    assert_eq!(root.read("f").unwrap(), b"bytes");
}

#[test]
fn a_file_made_over_a_tombstone_is_full_and_a_tombstone_again_when_deleted() {
    let root = Root::new(&[("f", b"projected")]);
    root.delete("f").unwrap();
    root.write("f", b"mine").unwrap();
    assert_eq!(root.read("f").unwrap(), b"mine");
    root.delete("f").unwrap();
    assert_eq!(root.read("f"), Err(Code::FILE_NOT_FOUND));
}

#[test]
fn what_only_this_side_had_leaves_no_tombstone_unless_all_do() {
    let root = Root::new(&[]);
    root.write("mine", b"x").unwrap();
    root.delete("mine").unwrap();
    root.provider.add("mine", b"theirs");
    assert_eq!(root.read("mine").unwrap(), b"theirs");
    root.volume.switch(Switches { always_tombstones: true, ..Switches::default() });
    root.write("other", b"x").unwrap();
    root.delete("other").unwrap();
    root.provider.add("other", b"theirs");
    assert_eq!(root.read("other"), Err(Code::FILE_NOT_FOUND));
}

#[test]
fn each_state_wants_its_own_permission_to_be_taken_back() {
    let root = Root::new(&[("dirty", b"x"), ("full", b"x"), ("sealed", b"x"), ("d\\x", b"x")]);
    let asker = Asker::default();
    root.volume.set_metadata(&asker, 1, &at("dirty"), Some(attribute::HIDDEN), None).unwrap();
    root.write("full", b"y").unwrap();
    root.provider.misbehave(Ways { read_only: true, ..Ways::default() });
    root.read("sealed").unwrap();
    root.read(r"d\x").unwrap();
    for (name, flag, why) in [
        ("dirty", allow::DIRTY_METADATA, cause::DIRTY_METADATA),
        ("full", allow::DIRTY_DATA, cause::DIRTY_DATA),
        ("sealed", allow::READ_ONLY, cause::READ_ONLY),
    ] {
        let others =
            allow::DIRTY_DATA | allow::DIRTY_METADATA | allow::READ_ONLY | allow::TOMBSTONE;
        assert_eq!(root.volume.take_back(&at(name), others & !flag), Err((REFUSED, why)), "{name}");
        root.volume.take_back(&at(name), flag).unwrap();
        assert_eq!(root.read(name).unwrap(), b"x");
    }
    let not_empty = root.volume.take_back(&at("d"), allow::READ_ONLY);
    assert_eq!(not_empty, Err((Code::DIR_NOT_EMPTY, cause::NONE)));
}

#[test]
fn an_update_to_the_same_content_does_nothing_and_to_another_forgets_the_bytes() {
    let root = Root::new(&[("f", b"bytes")]);
    root.read("f").unwrap();
    root.volume.update(&at("f"), Fake::info(Some(b"other"), b"1"), 0).unwrap();
    assert_eq!(root.state("f"), Ok(file_state::PLACEHOLDER | file_state::HYDRATED_PLACEHOLDER));
    root.volume.update(&at("f"), Fake::info(Some(b"other"), b"2"), 0).unwrap();
    assert_eq!(root.state("f"), Ok(file_state::PLACEHOLDER));
}

#[test]
fn what_is_taken_back_while_it_is_open_is_read_on_and_excluded_where_deletion_is() {
    let bytes = vec![7; 300_000];
    let root = Root::new(&[("f", &bytes)]);
    let asker = Asker::default();
    let handle = root.open("f", How::read()).unwrap();
    root.volume.read(&asker, handle, 0, 10).unwrap();
    root.volume.take_back(&at("f"), 0).unwrap();
    assert_eq!(root.volume.read(&asker, handle, 0, 300_000).unwrap(), bytes);
    root.close(handle);
    let handle = root.open("f", How { share: crate::codes::share::READ, ..How::read() }).unwrap();
    assert_eq!(root.volume.take_back(&at("f"), 0), Err((Code::SHARING_VIOLATION, cause::NONE)));
    root.close(handle);
    assert_eq!(fs::read_dir(sidecar(&root.path()).join("gone")).unwrap().count(), 0);
}

#[test]
fn a_root_is_marked_once_and_only_a_marked_one_starts() {
    let root = Root::new(&[]);
    let again = supply::mark(&root.path(), b"another instance");
    assert_eq!(again, Err(Code::REPARSE_POINT_ENCOUNTERED));
    assert_eq!(root.volume.instance(), b"instance");
    let plain = tempfile::tempdir().unwrap();
    let started = Volume::open(plain.path(), Arc::new(Gone), Options::default());
    assert_eq!(started.err(), Some(Code::REPARSE_TAG_MISMATCH));
}

#[test]
fn without_a_provider_hydrated_files_are_read_and_the_rest_is_unavailable() {
    let root = Root::new(&[("read", b"bytes"), ("seen", b"bytes"), ("d\\x", b"")]);
    root.read("read").unwrap();
    root.state("seen").unwrap();
    root.write("mine", b"mine").unwrap();
    let left = Volume::open(&root.path(), Arc::new(Gone), Options::default()).unwrap();
    let root = Root { volume: left, ..root };
    assert_eq!(root.read("read").unwrap(), b"bytes");
    assert_eq!(root.read("mine").unwrap(), b"mine");
    for unavailable in ["seen", "never"] {
        let read = root.read(unavailable);
        assert_eq!(read, Err(Code::FILE_SYSTEM_VIRTUALIZATION_UNAVAILABLE), "{unavailable}");
    }
}

#[test]
fn a_journal_that_was_torn_by_a_crash_loses_its_last_line_only() {
    let root = Root::new(&[("a", b"bytes"), ("b", b"bytes")]);
    root.read("a").unwrap();
    let journal = sidecar(&root.path()).join("journal");
    fs::File::options()
        .append(true)
        .open(&journal)
        .unwrap()
        .write_all(b"{\"key\":\"B\",\"rec")
        .unwrap();
    let reopened = |root: Root| {
        let volume =
            Volume::open(&root.path(), Arc::clone(&root.provider) as _, Options::default());
        Root { volume: volume.unwrap(), ..root }
    };
    let root = reopened(root);
    assert_eq!(root.state("a"), Ok(file_state::PLACEHOLDER | file_state::HYDRATED_PLACEHOLDER));
    root.write("c", b"after").unwrap();
    let root = reopened(root);
    assert_eq!(root.read("c").unwrap(), b"after");
}

#[test]
fn what_somebody_writes_to_the_disk_behind_the_volume_is_full() {
    let root = Root::new(&[("placeholder", b"projected"), ("gone", b"projected")]);
    root.state("placeholder").unwrap();
    root.delete("gone").unwrap();
    for name in ["placeholder", "gone", "new"] {
        fs::write(root.path().join(name), "written").unwrap();
        assert_eq!(root.read(name).unwrap(), b"written", "{name}");
        assert_eq!(root.state(name), Ok(file_state::FULL), "{name}");
    }
    fs::remove_file(root.path().join("new")).unwrap();
    assert_eq!(root.read("new"), Err(Code::FILE_NOT_FOUND));
}
