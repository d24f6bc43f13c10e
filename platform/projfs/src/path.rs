//! What a path below the mount's root is about.
//!
//! ```text
//! .sys\…                          rez's own files
//! .pkgfs\<life>-<number>\…        trees of payloads
//! <name>\<version>\<h4>           registry
//! <name>\<version>\<h4>\<entry>\… a json, a mark, a link to a tree, or rez's own copy under way
//! ```

use pkgfs_view::NodeId;

use crate::names::{Wide, plain, readable, wide};

/// The directory of trees, in the root.
pub(crate) const TREES: &str = ".pkgfs";
/// The directory of rez's own files, in the root.
pub(crate) const SYS: &str = ".sys";
const SEPARATOR: u16 = b'\\' as u16;

/// The name of a tree: in which life of the mount it was made, and its root's number then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tree {
    pub(crate) life: u32,
    pub(crate) node: NodeId,
}

/// A place below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Root,
    /// The directory of trees.
    Trees,
    /// A tree, or what lies so far below its root.
    Tree(Tree, Vec<Wide>),
    /// `.sys`, or what lies below.
    Sys(Vec<String>),
    /// One to three names of the registry.
    Level(Vec<String>),
    /// A name in a `<h4>` directory, with what lies below it.
    Entry(Level, String, Vec<Wide>),
    /// Nothing that can be.
    Nowhere,
}

/// A `<h4>` directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Level {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) h4: String,
}

impl Level {
    /// Of three names.
    pub(crate) fn of(names: &[String]) -> Option<Self> {
        let [name, version, h4] = names else { return None };
        Some(Self { name: name.clone(), version: version.clone(), h4: h4.clone() })
    }

    /// Its names.
    pub(crate) fn names(&self) -> [&str; 3] {
        [&self.name, &self.version, &self.h4]
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\\{}\\{}", self.name, self.version, self.h4)
    }
}

impl std::fmt::Display for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{:x}", self.life, self.node.raw())
    }
}

impl Tree {
    fn parse(name: &str) -> Option<Self> {
        let (life, node) = name.split_once('-')?;
        let node = NodeId::from_raw(u64::from_str_radix(node, 16).ok()?);
        let tree = Self { life: life.parse().ok()?, node };
        tree.to_string().eq_ignore_ascii_case(name).then_some(tree)
    }

    /// Its path below the root.
    pub(crate) fn path(self) -> Wide {
        wide(&format!("{TREES}\\{self}"))
    }
}

impl Place {
    /// Of a path as ProjFS gives it: relative to the root, without a separator in front.
    pub(crate) fn of(path: &[u16]) -> Self {
        if path.is_empty() {
            return Self::Root;
        }
        let parts: Vec<&[u16]> = path.split(|unit| *unit == SEPARATOR).collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Self::Nowhere;
        }
        let first = readable(parts[0]);
        if first.eq_ignore_ascii_case(TREES) {
            let Some(tree) = parts.get(1) else { return Self::Trees };
            return match Tree::parse(&readable(tree)) {
                Some(tree) => {
                    Self::Tree(tree, parts[2..].iter().map(|&part| part.into()).collect())
                }
                None => Self::Nowhere,
            };
        }
        let text = |part: &&[u16]| String::from_utf8(plain(part)?).ok();
        if first.eq_ignore_ascii_case(SYS) {
            let below: Option<Vec<_>> = parts[1..].iter().map(text).collect();
            return below.map_or(Self::Nowhere, Self::Sys);
        }
        let names: Option<Vec<_>> = parts.iter().take(4).map(text).collect();
        let Some(mut names) = names else { return Self::Nowhere };
        if names.len() < 4 {
            return Self::Level(names);
        }
        let entry = names.pop();
        match (Level::of(&names), entry) {
            (Some(level), Some(entry)) => {
                Self::Entry(level, entry, parts[4..].iter().map(|&part| part.into()).collect())
            }
            _ => Self::Nowhere,
        }
    }

    /// Whether it belongs to a payload that nobody may change.
    pub(crate) fn is_payload(&self) -> bool {
        matches!(self, Self::Trees | Self::Tree(..))
    }
}

/// A path of these names.
pub(crate) fn joined<'name>(names: impl IntoIterator<Item = &'name str>) -> Wide {
    let mut path = Vec::new();
    for name in names {
        if !path.is_empty() {
            path.push(SEPARATOR);
        }
        path.extend(name.encode_utf16());
    }
    path.into()
}

/// A path with another name in place of its last.
pub(crate) fn with_last(path: &[u16], name: &[u16]) -> Wide {
    let above = path.iter().rposition(|unit| *unit == SEPARATOR).map_or(0, |at| at + 1);
    [&path[..above], name].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Place {
        Place::of(&wide(path))
    }

    #[test]
    fn a_path_says_what_it_is_about() {
        assert_eq!(place(""), Place::Root);
        assert_eq!(place(".PKGFS"), Place::Trees);
        assert_eq!(
            place(r".Sys\pending\x.json"),
            Place::Sys(vec!["pending".into(), "x.json".into()])
        );
        assert_eq!(place(r"numpy\2.2.6"), Place::Level(vec!["numpy".into(), "2.2.6".into()]));
        let Place::Entry(level, entry, below) = place(r"numpy\2.2.6\8418\a\lib\x.py") else {
            panic!("it lies in a <h4> directory");
        };
        assert_eq!(level.to_string(), r"numpy\2.2.6\8418");
        assert_eq!((entry.as_str(), below.len()), ("a", 2));
    }

    #[test]
    fn a_tree_is_known_by_its_life_and_number_alone() {
        let tree = Tree { life: 3, node: NodeId::from_raw(0x2800_0000_0000_0001) };
        assert_eq!(Place::of(&tree.path()), Place::Tree(tree, Vec::new()));
        assert_eq!(place(r".pkgfs\3-2800000000000001\x"), Place::Tree(tree, vec![wide("x")]));
        assert_eq!(place(r".pkgfs\03-1"), Place::Nowhere);
        assert_eq!(place(r".pkgfs\x"), Place::Nowhere);
        assert_eq!(place(r"a\\b"), Place::Nowhere);
    }

    #[test]
    fn the_last_name_is_replaced() {
        assert_eq!(with_last(&wide(r"a\b"), &wide("C")), wide(r"a\C"));
        assert_eq!(with_last(&wide("a"), &wide("C")), wide("C"));
    }
}
