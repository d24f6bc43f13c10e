//! Indexes that nobody uses any more go.

use std::{collections::BTreeSet, ffi::OsString, fs, path::Path, time::Duration};

use pkgfs_scan::{Options, Rules};

use crate::{
    oracle::{scan, scratch},
    tree::{make, parse, set_back, settle},
};

const DAY: Duration = Duration::from_secs(86_400);

fn names(directory: &Path) -> BTreeSet<OsString> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn an_index_that_was_not_used_for_90_days_is_removed_when_another_is_written() {
    let place = scratch();
    let directory = place.path().join("index");
    let options = Options { index: Some(directory.clone()), ..Options::default() };
    let read = |name: &str| scan(&place.path().join(name), &Rules::default(), &options);
    // The name of the index that a scan for the first time makes.
    let first = |name: &str| {
        let repository = place.path().join(name);
        make(&repository, &parse("foo/\n foo/1/\n foo/1/package.py"));
        settle(&repository);
        let before = if directory.exists() { names(&directory) } else { BTreeSet::new() };
        assert_eq!(read(name).packages.len(), 1);
        names(&directory).difference(&before).next().unwrap().clone()
    };
    let [unused, used, young] = ["unused", "used", "young"].map(first);
    for (name, days) in [(&unused, 91), (&used, 91), (&young, 89)] {
        set_back(&directory.join(name), days * DAY);
    }
    for (name, days) in [(".new-left", 91), (".new-under-way", 0), ("not-ours", 1000)] {
        fs::write(directory.join(name), "").unwrap();
        set_back(&directory.join(name), days * DAY);
    }
    // It finds nothing new, and writes nothing.
    read("used");
    assert_eq!(names(&directory).len(), 6);
    let last = first("last");
    let left = [used, young, last, ".new-under-way".into(), "not-ours".into()];
    assert_eq!(names(&directory), BTreeSet::from(left));
}
