//! The documents name tests and files: each of them exists.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{fs, path::Path};

/// The root of the checkout.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What stands between backticks on a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let text = fs::read_to_string(root().join("docs/semantics.md")).unwrap();
    let mut named = 0;
    for line in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")) {
        let Some(last) = line.trim_end_matches([' ', '|']).rsplit(" | ").next() else { continue };
        if matches!(last, "test") {
            continue;
        }
        let tests: Vec<_> = quoted(last).collect();
        assert!(!tests.is_empty(), "a promise without a test: {line}");
        for test in tests {
            let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("no test: {line}"));
            let source = fs::read_to_string(root().join(file))
                .unwrap_or_else(|error| panic!("{file}, which docs/semantics.md names: {error}"));
            let there = source.contains(&format!("fn {name}("));
            assert!(there, "{file} has no test {name}, which docs/semantics.md names");
            named += 1;
        }
    }
    assert!(named > 40, "only {named} tests were found in docs/semantics.md");
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut documents = vec![root().join("README.md")];
    for folder in ["docs", "docs/decisions"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        documents.extend(entries.map(|entry| entry.unwrap().path()));
    }
    for document in documents.iter().filter(|path| path.extension().is_some_and(|e| e == "md")) {
        let text = fs::read_to_string(document).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let path = document.parent().unwrap().join(file);
            assert!(path.exists(), "{} links to {target}", document.display());
        }
    }
}
