//! Other spellings of repositories' locations, for handles that were written elsewhere.
//!
//! rez names a repository by its canonical path on the host where it runs, and the handle, its hash
//! and the path in the cache follow from that spelling. A host that mounts the same storage elsewhere
//! asks for the same variant by another handle. A [`Locations`] table says which spellings mean one
//! place; a spelling covers what lies below it, too.

use std::collections::BTreeMap;

use crate::VariantHandle;

/// Canonical locations of this host, each with its other spellings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locations(Vec<Place>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    canonical: String,
    spellings: Vec<Spelling>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Spelling {
    text: String,
    separator: char,
}

impl Locations {
    /// A table from canonical locations to other spellings; trailing separators do not count.
    pub fn new(table: &BTreeMap<String, Vec<String>>) -> Self {
        let place = |(canonical, others): (&String, &Vec<String>)| {
            let mut spellings = Vec::new();
            for other in others.iter().map(|other| trimmed(other)) {
                for spelling in Spelling::all(other) {
                    if !spellings.contains(&spelling) {
                        spellings.push(spelling);
                    }
                }
            }
            Place { canonical: trimmed(canonical).to_owned(), spellings }
        };
        Self(table.iter().map(place).collect())
    }

    /// The location that another spelling means here; `None` for one that is no alias.
    pub fn canonical(&self, location: &str) -> Option<String> {
        let spelled = |place: &Place| {
            let spellings = place.spellings.iter();
            let below = spellings.filter_map(|spelling| below(location, &spelling.text));
            // The shortest rest is that of the longest spelling.
            let below = below.min_by_key(|below| below.len())?;
            Some((below.len(), format!("{}{}", place.canonical, below.replace('\\', "/"))))
        };
        let found = self.0.iter().filter_map(spelled).min_by_key(|(rest, _)| *rest);
        found.map(|(_, location)| location).filter(|found| found != location)
    }

    /// The other spellings of a canonical location.
    pub fn spellings(&self, location: &str) -> Vec<String> {
        let spelled = |place: &Place| -> Option<Vec<String>> {
            let rest = below(location, &place.canonical)?;
            let all = place.spellings.iter().map(|Spelling { text, separator }| {
                format!("{text}{}", rest.replace('/', &separator.to_string()))
            });
            Some(all.collect())
        };
        self.0.iter().filter_map(spelled).flatten().collect()
    }

    /// The handle of the same variant at its canonical location.
    pub fn at_canonical(&self, handle: &VariantHandle) -> VariantHandle {
        let location = self.canonical(&handle.location);
        let location = location.unwrap_or_else(|| handle.location.clone());
        VariantHandle { location, ..handle.clone() }
    }
}

/// What of `location` follows `above`: nothing, or a separator and more.
fn below<'a>(location: &'a str, above: &str) -> Option<&'a str> {
    let same = |a: u8, b: u8| {
        let separators = matches!(a, b'/' | b'\\') && matches!(b, b'/' | b'\\');
        if is_windows(above) { a.eq_ignore_ascii_case(&b) || separators } else { a == b }
    };
    let (own, other) = (location.as_bytes(), above.as_bytes());
    let head = own.get(..other.len())?;
    if !head.iter().zip(other).all(|(a, b)| same(*a, *b)) {
        return None;
    }
    let rest = location.get(other.len()..)?;
    (rest.is_empty() || rest.starts_with(['/', '\\']) || above == "/").then_some(rest)
}

/// A drive, or a share.
fn is_windows(location: &str) -> bool {
    location.as_bytes().get(1) == Some(&b':')
        || location.starts_with("\\\\")
        || location.starts_with("//")
}

impl Spelling {
    /// As it is given, and as rez on Windows spells a drive or a share: in lower case with
    /// backslashes (`canonical_path` in utils/filesystem.py).
    fn all(text: &str) -> Vec<Self> {
        let backslashes = text.contains('\\') && !text.contains('/');
        let separator = if backslashes { '\\' } else { '/' };
        let mut all = vec![Self { text: text.to_owned(), separator }];
        if is_windows(text) {
            all.push(Self { text: text.to_lowercase().replace('/', "\\"), separator: '\\' });
        }
        all
    }
}

fn trimmed(location: &str) -> &str {
    let shorter = location.trim_end_matches(['/', '\\']);
    if shorter.is_empty() { location } else { shorter }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn locations() -> Locations {
        let others = |others: &[&str]| others.iter().map(ToString::to_string).collect();
        Locations::new(&BTreeMap::from([
            ("/mnt/sw".to_owned(), others(&["//server/sw/", "S:/", "/net/sw"])),
            ("/mnt/sw/special".to_owned(), others(&["//server/sw/special-release"])),
        ]))
    }

    #[test]
    fn an_alias_and_what_lies_below_it_are_found_at_the_canonical_location() {
        for (spelled, canonical) in [
            ("//server/sw", "/mnt/sw"),
            ("//server/sw/packages/int", "/mnt/sw/packages/int"),
            (r"\\server\sw\packages", "/mnt/sw/packages"),
            (r"\\SERVER\sw\Packages", "/mnt/sw/Packages"),
            (r"s:\packages", "/mnt/sw/packages"),
            ("/net/sw/packages", "/mnt/sw/packages"),
            ("//server/sw/special-release", "/mnt/sw/special"),
        ] {
            assert_eq!(locations().canonical(spelled).as_deref(), Some(canonical), "{spelled}");
        }
        for other in ["/mnt/sw", "/net/sw2", "/net/SW", "/net", "", "//server/swx", "t:/packages"] {
            assert_eq!(locations().canonical(other), None, "{other}");
        }
    }

    #[test]
    fn a_canonical_location_has_the_spellings_that_hosts_use() {
        let spellings = locations().spellings("/mnt/sw/packages");
        for expected in [
            "//server/sw/packages",
            r"\\server\sw\packages",
            "S:/packages",
            r"s:\packages",
            "/net/sw/packages",
        ] {
            assert!(spellings.iter().any(|own| own == expected), "{expected}: {spellings:?}");
        }
        assert!(locations().spellings("/mnt/swx").is_empty());
        for spelling in spellings {
            assert_eq!(locations().canonical(&spelling).as_deref(), Some("/mnt/sw/packages"));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_location_or_none(text in any::<String>(), path in r"[/\\a-zS:]{0,12}") {
            for text in [text, path] {
                locations().canonical(&text);
                locations().spellings(&text);
                Locations::new(&BTreeMap::from([(text.clone(), vec![text.clone()])])).canonical(&text);
            }
        }
    }
}
