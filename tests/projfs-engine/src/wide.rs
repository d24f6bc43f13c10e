//! Names and paths as Windows has them: UTF-16 units, not always well-formed; how they are compared
//! and matched.
//!
//! Comparison is by upper-cased units, one by one ("PrjFileNameCompare"; NTFS maps units through its
//! upcase table and nothing else). Patterns are those of "FsRtlIsNameInExpression", which
//! "PrjFileNameMatch" speaks of: `*`, `?`, and `<` (DOS_STAR), `>` (DOS_QM), `"` (DOS_DOT), into which
//! Win32 turns some patterns of programs before a file system sees them.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

const SEPARATOR: u16 = b'\\' as u16;
const STAR: u16 = b'*' as u16;
const QUESTION: u16 = b'?' as u16;
const DOT: u16 = b'.' as u16;
const DOS_STAR: u16 = b'<' as u16;
const DOS_QM: u16 = b'>' as u16;
const DOS_DOT: u16 = b'"' as u16;

/// A name or path in UTF-16 units.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Wide(pub Vec<u16>);

/// How a path is written in JSON: as text where it is text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Units(Vec<u16>),
}

impl From<Written> for Wide {
    fn from(written: Written) -> Self {
        match written {
            Written::Text(text) => Self::from(text.as_str()),
            Written::Units(units) => Self(units),
        }
    }
}

impl From<Wide> for Written {
    fn from(wide: Wide) -> Self {
        match String::from_utf16(&wide.0) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Units(wide.0),
        }
    }
}

impl From<&str> for Wide {
    fn from(text: &str) -> Self {
        Self(text.encode_utf16().collect())
    }
}

impl std::fmt::Display for Wide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf16_lossy(&self.0))
    }
}

impl std::fmt::Debug for Wide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf16_lossy(&self.0))
    }
}

/// A path as it is looked up: upper-cased.
pub type Key = Vec<u16>;

impl Wide {
    /// Whether this names nothing: the root, as a path below it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This path and `name` below it.
    #[must_use]
    pub fn join(&self, name: &Self) -> Self {
        if self.is_empty() {
            return name.clone();
        }
        let mut units = self.0.clone();
        if units.last() != Some(&SEPARATOR) {
            units.push(SEPARATOR);
        }
        units.extend(&name.0);
        Self(units)
    }

    /// The components; empty ones are dropped.
    #[must_use]
    pub fn components(&self) -> Vec<Self> {
        self.0
            .split(|unit| *unit == SEPARATOR || *unit == u16::from(b'/'))
            .filter(|part| !part.is_empty())
            .map(|part| Self(part.to_vec()))
            .collect()
    }

    /// The directory this is in, and its name there. The root is in itself, without a name.
    #[must_use]
    pub fn split(&self) -> (Self, Self) {
        match self.0.iter().rposition(|unit| *unit == SEPARATOR) {
            Some(at) => (Self(self.0[..at].to_vec()), Self(self.0[at + 1..].to_vec())),
            None => (Self::default(), self.clone()),
        }
    }

    /// The form by which names that Windows takes for one are one.
    #[must_use]
    pub fn key(&self) -> Key {
        self.0.iter().map(|unit| upcase(*unit)).collect()
    }

    /// What remains of this path below `root`, where it is `root` or below it.
    #[must_use]
    pub fn below(&self, root: &Self) -> Option<Self> {
        let mine = plain(&self.0);
        let root = plain(&root.0);
        let root = root.strip_suffix(&[SEPARATOR]).unwrap_or(root);
        if mine.len() < root.len() || compare(&mine[..root.len()], root) != Ordering::Equal {
            return None;
        }
        match mine[root.len()..].split_first() {
            None => Some(Self::default()),
            Some((&SEPARATOR, rest)) => Some(Self(rest.to_vec())),
            Some(_) => None,
        }
    }
}

/// Without the prefixes `\\?\` of Win32 and `\??\` of the object manager ("Naming Files, Paths, and
/// Namespaces").
#[must_use]
pub fn plain(path: &[u16]) -> &[u16] {
    let verbatim: Vec<u16> = r"\\?\".encode_utf16().collect();
    let object: Vec<u16> = r"\??\".encode_utf16().collect();
    path.strip_prefix(verbatim.as_slice())
        .or_else(|| path.strip_prefix(object.as_slice()))
        .unwrap_or(path)
}

/// Whether `path` starts at a drive or a server, not at where one stands.
#[must_use]
pub fn is_absolute(path: &[u16]) -> bool {
    let path = plain(path);
    path.first() == Some(&SEPARATOR)
        || path.first() == Some(&u16::from(b'/'))
        || path.get(1) == Some(&u16::from(b':'))
}

/// One unit in upper case, where that is one unit.
#[must_use]
pub fn upcase(unit: u16) -> u16 {
    let Some(letter) = char::from_u32(u32::from(unit)) else { return unit };
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => u16::try_from(u32::from(upper)).unwrap_or(unit),
        _ => unit,
    }
}

/// Compares as `PrjFileNameCompare` does.
#[must_use]
pub fn compare(a: &[u16], b: &[u16]) -> Ordering {
    a.iter().map(|unit| upcase(*unit)).cmp(b.iter().map(|unit| upcase(*unit)))
}

/// As `PrjDoesNameContainWildCards` says.
#[must_use]
pub fn has_wildcards(name: &[u16]) -> bool {
    name.iter().any(|unit| [STAR, QUESTION, DOS_STAR, DOS_QM, DOS_DOT].contains(unit))
}

/// Whether `name` matches `pattern`, as `PrjFileNameMatch` says. An empty pattern matches all.
#[must_use]
pub fn matches(name: &[u16], pattern: &[u16]) -> bool {
    if pattern.is_empty() {
        return true;
    }
    // The positions in the name that the pattern read so far can have come to.
    let last_dot = name.iter().rposition(|unit| *unit == DOT);
    let end = name.len();
    let mut reached = vec![false; end + 1];
    reached[0] = true;
    for wild in pattern {
        let mut next = vec![false; end + 1];
        for (position, _) in reached.iter().enumerate().filter(|(_, here)| **here) {
            match *wild {
                STAR => next[position..].fill(true),
                // Everything but the final dot.
                DOS_STAR => {
                    let stop = last_dot.filter(|dot| *dot >= position).unwrap_or(end);
                    next[position..=stop].fill(true);
                }
                DOS_QM => {
                    if position == end || name[position] == DOT {
                        next[position] = true;
                    } else {
                        next[position + 1] = true;
                    }
                }
                DOS_DOT => {
                    if position == end {
                        next[position] = true;
                    } else if name[position] == DOT {
                        next[position + 1] = true;
                    }
                }
                QUESTION => {
                    if position < end {
                        next[position + 1] = true;
                    }
                }
                unit => {
                    if position < end && upcase(name[position]) == upcase(unit) {
                        next[position + 1] = true;
                    }
                }
            }
        }
        reached = next;
    }
    reached[end]
}
