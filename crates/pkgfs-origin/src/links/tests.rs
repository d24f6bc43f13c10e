//! Properties of the judgement, against a walk of the text name by name.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// An absolute path of the system that the tests run on.
fn absolute(path: &str) -> PathBuf {
    if cfg!(windows) { format!("C:{path}").into() } else { path.into() }
}

/// Walks a text from `from` without any file system, where nothing is a link;
/// `None` if it ever leaves `root`.
fn walk(root: &Path, from: &Path, text: &Path) -> Option<PathBuf> {
    let mut at = if text.is_absolute() { absolute("/") } else { from.to_owned() };
    for part in text.components() {
        match part {
            Component::ParentDir => _ = at.pop(),
            Component::Normal(name) => at.push(name),
            _ => {}
        }
        if text.is_relative() && !at.starts_with(root) {
            return None;
        }
    }
    at.starts_with(root).then_some(at)
}

fn path() -> impl Strategy<Value = PathBuf> {
    let names = prop::sample::select(vec!["a", "b", "lib"]);
    prop::collection::vec(names, 0..4).prop_map(|names| names.iter().collect())
}

fn text() -> impl Strategy<Value = PathBuf> {
    let names = prop::sample::select(vec!["a", "b", "lib", "..", "..", ".", "sw", "v"]);
    let names = prop::collection::vec(names, 1..7);
    (names, prop::sample::select(vec!["", "/", "/sw/v/", "/sw/vv/"])).prop_map(|(names, start)| {
        match start {
            "" => names.join("/").into(),
            start => absolute(&format!("{start}{}", names.join("/"))),
        }
    })
}

fn of(link: &[u8]) -> &Path {
    Path::new(std::str::from_utf8(link).expect("all names are"))
}

proptest! {
    #[test]
    fn what_is_kept_or_made_relative_stays_inside_and_leads_to_the_same(
        below in path(),
        text in text(),
    ) {
        let anchor = &*absolute("/sw/v");
        let from = anchor.join(&below);
        match by_text(Place { anchor, below: &below }, &text) {
            ByText::Keep => prop_assert!(walk(anchor, &from, &text).is_some() && text.is_relative()),
            ByText::Link(link) => {
                prop_assert!(of(&link).is_relative());
                prop_assert_eq!(walk(anchor, &from, of(&link)), walk(anchor, &from, &text));
            }
            ByText::Ask => {
                let by_name = text.components().any(|part| part == Component::ParentDir);
                prop_assert!(by_name || walk(anchor, &from, &text).is_none());
            }
        }
    }

    #[test]
    fn a_resolved_target_inside_is_reached_by_its_relative_link(below in path(), to in path()) {
        let anchor = &*absolute("/sw/v");
        let target = anchor.join(&to);
        let bounds = LinkBounds::of_variant(anchor.into(), vec![absolute("/sw")]);
        let shown = by_target(&bounds, anchor, &below, Path::new("x/../y"), &target, false);
        let ByTarget::Link(link) = shown else { panic!("{shown:?}") };
        prop_assert_eq!(walk(anchor, &anchor.join(&below), of(&link)), Some(target));
    }

    #[test]
    fn a_directory_in_place_never_holds_the_link(
        below in path(),
        passed in path(),
        to in path(),
    ) {
        let anchor = &*absolute("/sw/v");
        let target = absolute("/sw").join(&to);
        let passed = absolute("/sw").join(&passed);
        let mut bounds = LinkBounds::of_variant(anchor.into(), vec![absolute("/sw")]);
        bounds.passed.push(passed.clone());
        let shown = by_target(&bounds, anchor, &below, &target, &target, true);
        let holds = anchor.join(&below).starts_with(&target) || passed.starts_with(&target);
        prop_assert_eq!(shown == ByTarget::InPlace, !holds);
    }
}

#[test]
fn what_begins_where_the_text_does_not_say_is_asked_for() {
    // On Windows: from the top of the drive, and from wherever another drive's program stands.
    for text in [r"\dir\f", r"d:dir\f"] {
        let place = Place { anchor: &absolute("/sw/v"), below: Path::new("lib") };
        let expected = if cfg!(windows) { ByText::Ask } else { ByText::Keep };
        assert_eq!(by_text(place, Path::new(text)), expected);
    }
}

#[test]
fn where_case_means_nothing_it_does_not_keep_a_link_outside() {
    let bounds = LinkBounds::of_variant(absolute("/sw/v"), vec![absolute("/sw")]);
    let target = absolute("/SW/V/lib/x");
    let shown = by_target(&bounds, &absolute("/sw/v"), Path::new("lib"), &target, &target, false);
    let inside = ByTarget::Link((*b"x").into());
    assert_eq!(shown == inside, cfg!(windows));
}
