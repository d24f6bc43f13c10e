//! Properties of the judgement, against a walk of the text name by name.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// Walks a text from `from` without any file system, where nothing is a link;
/// `None` if it ever leaves `root`.
fn walk(root: &Path, from: &Path, text: &Path) -> Option<PathBuf> {
    let mut at = if text.is_absolute() { PathBuf::from("/") } else { from.to_owned() };
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
    (names, prop::sample::select(vec!["", "/", "/sw/v/", "/sw/vv/"]))
        .prop_map(|(names, start)| format!("{start}{}", names.join("/")).into())
}

fn of(link: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(link))
}

proptest! {
    #[test]
    fn what_is_kept_or_made_relative_stays_inside_and_leads_to_the_same(
        below in path(),
        text in text(),
    ) {
        let anchor = Path::new("/sw/v");
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
        let anchor = Path::new("/sw/v");
        let target = anchor.join(&to);
        let bounds = LinkBounds::of_variant(anchor.into(), vec!["/sw".into()]);
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
        let anchor = Path::new("/sw/v");
        let target = Path::new("/sw").join(&to);
        let passed = Path::new("/sw").join(&passed);
        let mut bounds = LinkBounds::of_variant(anchor.into(), vec!["/sw".into()]);
        bounds.passed.push(passed.clone());
        let shown = by_target(&bounds, anchor, &below, &target, &target, true);
        let holds = anchor.join(&below).starts_with(&target) || passed.starts_with(&target);
        prop_assert_eq!(shown == ByTarget::InPlace, !holds);
    }
}
