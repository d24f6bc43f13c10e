//! The names of one directory, each different from the others to Windows.

use std::cmp::Ordering;

use super::{LONGEST, Rules, Wide, escaped, shown};

/// The names of a directory as they are shown, in the order of Windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// With the place of each in the listing that it was made of.
    names: Vec<(Wide, usize)>,
    /// What is shown otherwise than it is called, for people to read.
    told: Vec<String>,
}

impl Shown {
    /// Of these names. One that no escape can show, because it would be too long, is left out and told.
    pub(crate) fn new<'name>(
        names: impl IntoIterator<Item = &'name [u8]>,
        rules: &dyn Rules,
    ) -> Self {
        let all: Vec<&[u8]> = names.into_iter().collect();
        let mut order: Vec<(Vec<u16>, usize)> =
            all.iter().enumerate().map(|(place, name)| (shown(name), place)).collect();
        // Of those that are the same to Windows, the one that keeps its name comes first.
        let keeps = |place: usize| (has_capitals(all[place]), all[place]);
        let by_name = |one: &(Vec<u16>, usize), other: &(Vec<u16>, usize)| {
            rules.compare(&one.0, &other.0).then_with(|| keeps(one.1).cmp(&keeps(other.1)))
        };
        order.sort_by(by_name);
        let mut told = Vec::new();
        let mut kept: Option<Vec<u16>> = None;
        for (name, place) in &mut order {
            let own = String::from_utf8_lossy(all[*place]).into_owned();
            let clashes =
                kept.as_ref().is_some_and(|kept| rules.compare(kept, name) == Ordering::Equal);
            if clashes {
                *name = escaped(all[*place], char::is_uppercase);
                told.push(format!(
                    "{own}: differs from another name only in case, and is shown escaped"
                ));
            } else {
                kept = Some(name.clone());
                if String::from_utf16_lossy(name) != own {
                    told.push(format!("{own}: not a name on Windows, and is shown escaped"));
                }
            }
        }
        order.sort_by(by_name);
        let mut names: Vec<(Wide, usize)> = Vec::with_capacity(order.len());
        for (name, place) in order {
            let own = || String::from_utf8_lossy(all[place]);
            let same = names.last().is_some_and(|(last, _)| rules.compare(last, &name).is_eq());
            if name.len() > LONGEST {
                told.push(format!("{}: too long to be shown escaped, and left out", own()));
            } else if same {
                told.push(format!("{}: the same as another name to Windows, and left out", own()));
            } else {
                names.push((name.into(), place));
            }
        }
        Self { names, told }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The name at a place in the order of Windows, and its place in the listing.
    pub(crate) fn at(&self, place: usize) -> Option<(&[u16], usize)> {
        self.names.get(place).map(|(name, listed)| (&**name, *listed))
    }

    /// The name that Windows means by this, as it is spelled here, and its place in the listing.
    pub(crate) fn find(&self, name: &[u16], rules: &dyn Rules) -> Option<(&[u16], usize)> {
        let found = self.names.binary_search_by(|(own, _)| rules.compare(own, name)).ok()?;
        self.at(found)
    }

    /// What is shown otherwise than it is called.
    pub(crate) fn told(&self) -> &[String] {
        &self.told
    }
}

fn has_capitals(name: &[u8]) -> bool {
    name.utf8_chunks().any(|chunk| chunk.valid().chars().any(char::is_uppercase))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::names::{Portable, read_back, wide};

    fn texts(names: &[&str]) -> Vec<String> {
        let shown = Shown::new(names.iter().map(|name| name.as_bytes()), &Portable);
        (0..shown.len()).map(|at| String::from_utf16(shown.at(at).unwrap().0).unwrap()).collect()
    }

    #[test]
    fn names_come_in_the_order_of_windows() {
        assert_eq!(texts(&["Zoo", "apple", "_x", "Bar"]), ["apple", "Bar", "Zoo", "_x"]);
    }

    #[test]
    fn of_names_that_differ_in_case_the_one_without_capitals_keeps_its_own() {
        assert_eq!(
            texts(&["FOO", "Foo", "foo"]),
            ["foo", "\u{F000}Foo", "\u{F000}F\u{F000}O\u{F000}O"]
        );
        assert_eq!(texts(&["Foo", "FOO"]), ["FOO", "\u{F000}Foo"]);
    }

    #[test]
    fn a_clash_is_told_and_both_are_found() {
        let shown = Shown::new([b"Foo".as_slice(), b"foo"], &Portable);
        assert_eq!(shown.told().len(), 1);
        assert_eq!(shown.find(&wide("FOO"), &Portable).unwrap().1, 1);
        assert_eq!(shown.find(&wide("\u{F000}foo"), &Portable).unwrap().1, 0);
        assert_eq!(shown.find(&wide("bar"), &Portable), None);
    }

    #[test]
    fn what_would_be_too_long_is_left_out_and_told() {
        let long = "\u{F000}".repeat(200);
        let shown = Shown::new([long.as_bytes(), b"x"], &Portable);
        assert_eq!(shown.len(), 1);
        assert!(shown.told().iter().any(|told| told.ends_with("left out")));
    }

    proptest! {
        #[test]
        fn all_names_are_shown_apart_and_read_back(names in proptest::collection::btree_set("[aAbB:.éÉǅǆ]{1,3}", 1..12)) {
            let names: Vec<String> = names.into_iter().collect();
            let shown = Shown::new(names.iter().map(|name| name.as_bytes()), &Portable);
            for place in 0..shown.len() {
                let (name, listed) = shown.at(place).unwrap();
                prop_assert_eq!(read_back(name).unwrap(), names[listed].as_bytes());
                if let Some((next, _)) = shown.at(place + 1) {
                    prop_assert_eq!(Portable.compare(name, next), Ordering::Less);
                }
            }
            // Only letters of three cases can be the same even so.
            let three = names.iter().any(|name| name.contains(['ǅ', 'ǆ']));
            prop_assert!(three || shown.len() == names.len());
        }
    }
}
