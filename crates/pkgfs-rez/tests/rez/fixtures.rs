//! Generated cases that failed once: kept as files, and tried first in every run.
//!
//! A case is a file of JSON, `tests/fixtures/<test>/<digest>.json` of the crate whose test it is. Who
//! has seen one fail commits it along with what makes it pass.

use std::{
    any::Any,
    collections::hash_map::DefaultHasher,
    env, fs,
    hash::{Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

/// The cases kept of one test.
pub(crate) struct Fixtures(PathBuf);

impl Fixtures {
    pub(crate) fn of(test: &str) -> Self {
        Self(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(test))
    }

    /// All that are kept, in the order of their names.
    pub(crate) fn kept<C: DeserializeOwned>(&self) -> Vec<C> {
        // A test none of whose cases ever failed has no directory.
        let entries = fs::read_dir(&self.0).into_iter().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let read = |file: &PathBuf| match serde_json::from_slice(&fs::read(file).unwrap()) {
            Ok(case) => case,
            Err(error) => panic!("{}: {error}", file.display()),
        };
        files.iter().map(read).collect()
    }

    /// These cases after all that are kept.
    pub(crate) fn and<C: DeserializeOwned>(&self, cases: impl IntoIterator<Item = C>) -> Vec<C> {
        self.kept().into_iter().chain(cases).collect()
    }

    /// Makes a check of a case. If it fails, the case is kept, and the failure says where.
    pub(crate) fn check<T>(&self, case: &impl Serialize, check: impl FnOnce() -> T) -> T {
        catch_unwind(AssertUnwindSafe(check))
            .unwrap_or_else(|failure| panic!("{}\n{}", said(&*failure), self.keep(case)))
    }

    /// Keeps a case; the line that says so.
    pub(crate) fn keep(&self, case: &impl Serialize) -> String {
        let text = serde_json::to_string_pretty(case).unwrap() + "\n";
        let mut digest = DefaultHasher::new();
        text.hash(&mut digest);
        let file = self.0.join(format!("{:016x}.json", digest.finish()));
        match fs::create_dir_all(&self.0).and_then(|()| fs::write(&file, &text)) {
            Ok(()) => format!("this case is {}, tried first from now on", file.display()),
            Err(error) => {
                format!("this case cannot be kept as {}: {error}\n{text}", file.display())
            }
        }
    }
}

fn said(failure: &(dyn Any + Send)) -> &str {
    let text = failure.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| failure.downcast_ref::<&str>().copied()).unwrap_or("it failed")
}

#[test]
fn a_case_that_fails_is_kept_and_named_and_comes_first() {
    let place = tempfile::tempdir().unwrap();
    let fixtures = Fixtures(place.path().join("numbers"));
    let odd = |fixtures: &Fixtures, cases: &[u32]| {
        for case in fixtures.and(cases.iter().copied()) {
            fixtures.check(&case, || assert_eq!(case % 2, 1, "{case} is even"));
        }
    };
    odd(&fixtures, &[1, 3]);
    assert!(fixtures.kept::<u32>().is_empty());
    for cases in [&[3, 4, 6][..], &[1]] {
        let failure = catch_unwind(|| odd(&fixtures, cases)).unwrap_err();
        let file = fs::read_dir(&fixtures.0).unwrap().next().unwrap().unwrap().path();
        let said = said(&*failure);
        assert!(said.contains("4 is even") && said.contains(file.to_str().unwrap()), "{said}");
        assert_eq!(fixtures.kept::<u32>(), [4_u32]);
    }
}
