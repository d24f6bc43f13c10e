//! Versions as rez orders them (`Version`, `AlphanumericVersionToken` in version/_version.py).
//!
//! A version is tokens with separators between them, which do not count: `1.0` is `1-0`. A token is
//! runs of digits and runs of the rest; the rest comes before digits, digits go by their number and,
//! where that is the same, by their text: `01` is less than `1`.

use std::cmp::Ordering;
use std::fmt;

/// A version: at least one token, or the empty version, which is the least.
#[derive(Clone, Debug)]
pub(super) struct Version {
    tokens: Vec<String>,
    /// One less than tokens.
    separators: Vec<char>,
}

impl Version {
    pub(super) fn empty() -> Self {
        Self { tokens: Vec::new(), separators: Vec::new() }
    }

    /// Splits a text into the version at its start, the longest there is, and the rest.
    pub(super) fn take(text: &str) -> (Option<Self>, &str) {
        let mut version = Self::empty();
        let mut rest = text;
        loop {
            let (separator, token) = match rest.chars().next() {
                Some(separator @ ('.' | '-')) if !version.is_empty() => {
                    (Some(separator), &rest[1..])
                }
                _ if version.is_empty() => (None, rest),
                _ => break,
            };
            let end =
                token.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(token.len());
            if end == 0 {
                break;
            }
            version.separators.extend(separator);
            version.tokens.push(token[..end].to_owned());
            rest = &token[end..];
        }
        if version.is_empty() { (None, text) } else { (Some(version), rest) }
    }

    /// Reads what names a version's directory: tokens with any one character between two of them.
    pub(super) fn read(text: &str) -> Self {
        let is_separator = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let tokens = text.split(is_separator).filter(|token| !token.is_empty());
        Self {
            tokens: tokens.map(str::to_owned).collect(),
            separators: text.matches(is_separator).flat_map(str::chars).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The least version above all that begin with this one, which is not empty.
    pub(super) fn next(&self) -> Self {
        let mut next = self.clone();
        if let Some(last) = next.tokens.last_mut() {
            last.push('_');
        }
        next
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, token) in self.tokens.iter().enumerate() {
            if let Some(separator) = at.checked_sub(1).and_then(|at| self.separators.get(at)) {
                write!(f, "{separator}")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.tokens == other.tokens
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let runs = |version: &'_ Self| -> Vec<Vec<Run>> {
            version.tokens.iter().map(|token| Run::all(token)).collect()
        };
        runs(self).cmp(&runs(other))
    }
}

/// Digits, or what stands between them; the order of the variants is rez's.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Run {
    Text(String),
    /// The number without leading zeros, the longer the greater, and the text it was written as.
    Number {
        digits: usize,
        number: String,
        written: String,
    },
}

impl Run {
    fn all(token: &str) -> Vec<Self> {
        let mut runs = Vec::new();
        let mut rest = token;
        while let Some(first) = rest.chars().next() {
            let digits = first.is_ascii_digit();
            let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            runs.push(if digits {
                let number = run.trim_start_matches('0').to_owned();
                Self::Number { digits: number.len(), number, written: run.to_owned() }
            } else {
                Self::Text(run.to_owned())
            });
            rest = after;
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_rez_orders_them() {
        let version = |text: &str| Version::take(text).0.unwrap_or_else(Version::empty);
        for (less, greater) in [
            ("", "_"),
            ("3", "4"),
            ("3", "3.0"),
            ("9", "10"),
            ("01", "1"),
            ("beta", "1"),
            ("alpha", "alpha3"),
            ("gamma33", "33gamma"),
            ("A", "a"),
            ("1", "1_"),
            ("1.9", "1_"),
            ("99999999999999999999998", "99999999999999999999999"),
        ] {
            assert!(version(less) < version(greater), "{less} < {greater}");
        }
        assert_eq!(version("1.0"), version("1-0"));
        assert!(version("1.x").next() > version("1.x.9"));
    }
}
