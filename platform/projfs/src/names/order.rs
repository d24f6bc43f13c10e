//! How Windows orders and compares names.
//!
//! ProjFS merges what a provider lists with what is on disk, and takes both for ordered by
//! `PrjFileNameCompare`: a name out of order shows twice or not at all. So on Windows its own functions
//! decide, and what stands here is for hosts without them.

use std::cmp::Ordering;

/// How two names compare, and which names an expression of a search means.
pub(crate) trait Rules: Send + Sync {
    /// `PrjFileNameCompare`: the order of a listing; equal are those that differ only in case.
    fn compare(&self, one: &[u16], other: &[u16]) -> Ordering;

    /// `PrjFileNameMatch`: whether a name is one that an expression means, with `*`, `?` and what
    /// Windows makes of them for old programs, `<`, `>` and `"`.
    fn matches(&self, name: &[u16], expression: &[u16]) -> bool;
}

/// The rules as they are documented, without the tables of a volume: letters that have one capital
/// compare as that.
#[cfg(test)]
pub(crate) struct Portable;

#[cfg(test)]
fn capital(unit: u16) -> u16 {
    let Some(character) = char::from_u32(unit.into()) else { return unit };
    let mut capitals = character.to_uppercase();
    match (capitals.next(), capitals.next()) {
        (Some(one), None) => u16::try_from(u32::from(one)).unwrap_or(unit),
        _ => unit,
    }
}

#[cfg(test)]
impl Rules for Portable {
    fn compare(&self, one: &[u16], other: &[u16]) -> Ordering {
        one.iter().map(|unit| capital(*unit)).cmp(other.iter().map(|unit| capital(*unit)))
    }

    /// "FsRtlIsNameInExpression": `*` any characters, `?` one, `<` any characters up to the last dot,
    /// `>` one, or none before a dot or the end, `"` a dot, or none at the end.
    fn matches(&self, name: &[u16], expression: &[u16]) -> bool {
        const DOT: u16 = b'.' as u16;
        let last_dot = name.iter().rposition(|unit| *unit == DOT);
        // Which places in the name the expression so far may have come to.
        let mut places = vec![false; name.len() + 1];
        places[0] = true;
        for wanted in expression {
            let mut next = vec![false; name.len() + 1];
            for place in (0..=name.len()).filter(|place| places[*place]) {
                let here = name.get(place).copied();
                match u8::try_from(*wanted).unwrap_or(0) {
                    b'*' => next[place..].fill(true),
                    b'<' => match last_dot {
                        Some(dot) if place <= dot => next[place..=dot].fill(true),
                        _ => next[place..].fill(true),
                    },
                    b'?' if here.is_some() => next[place + 1] = true,
                    b'?' => {}
                    b'>' => match here {
                        None | Some(DOT) => next[place] = true,
                        Some(_) => next[place + 1] = true,
                    },
                    b'"' => match here {
                        None => next[place] = true,
                        Some(DOT) => next[place + 1] = true,
                        Some(_) => {}
                    },
                    _ if here.is_some_and(|unit| capital(unit) == capital(*wanted)) => {
                        next[place + 1] = true;
                    }
                    _ => {}
                }
            }
            places = next;
        }
        places[name.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::wide;

    fn matches(name: &str, expression: &str) -> bool {
        Portable.matches(&wide(name), &wide(expression))
    }

    #[test]
    fn names_are_ordered_without_regard_to_case() {
        let compare = |one, other| Portable.compare(&wide(one), &wide(other));
        assert_eq!(compare("Foo", "foo"), Ordering::Equal);
        assert_eq!(compare("a", "B"), Ordering::Less);
        assert_eq!(compare("a_b", "aZb"), Ordering::Greater);
        assert_eq!(compare("é", "É"), Ordering::Equal);
        assert_eq!(compare("ab", "a"), Ordering::Greater);
    }

    #[test]
    fn expressions_mean_what_windows_means_by_them() {
        assert!(matches("foo.py", "*"));
        assert!(matches("foo.py", "*.PY"));
        assert!(!matches("foo.pyc", "*.py"));
        assert!(matches("foo", "fo?"));
        assert!(!matches("fo", "fo?"));
        assert!(matches("fo", "fo>"));
        assert!(matches("foo.tar.gz", "<.gz"));
        assert!(!matches("foo.tar.gz", "<.tar.gz.x"));
        assert!(matches("foo", "foo\""));
        assert!(matches("foo.x", "foo\"x"));
        assert!(matches("foo", "<"));
        assert!(!matches("foo", ""));
    }
}
