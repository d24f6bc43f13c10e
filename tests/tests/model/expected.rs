//! What may be seen of a payload.
//!
//! Every path has the states that it was in at origin since it was last known for certain (when the
//! variant was registered, or flushed), the newest last. One state is what must be seen; of several
//! each may be, whole. A file whose state is in doubt may also be refused as stale: it was listed
//! as it is no more.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use rustix::io::Errno;

/// What stands at a path.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Directory,
    File(Arc<[u8]>),
}

/// A payload, by paths below its root; a directory comes before what is in it.
pub(crate) type Tree = BTreeMap<String, Node>;

/// States of each path; `None` is nothing there.
#[derive(Default)]
pub(crate) struct Shown(BTreeMap<String, Vec<Option<Node>>>);

impl Shown {
    pub(crate) fn of(tree: &Tree) -> Self {
        Self(tree.iter().map(|(path, node)| (path.clone(), vec![Some(node.clone())])).collect())
    }

    /// From now on it may be seen so, too.
    pub(crate) fn changes(&mut self, path: &str, node: Option<Node>) {
        let states = self.0.entry(path.to_owned()).or_insert_with(|| vec![None]);
        states.push(node);
    }

    /// Paths that may be seen, or may have been.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Whether this path can be seen in one way alone, as can all above it.
    pub(crate) fn is_certain(&self, path: &str) -> bool {
        above(path).all(|path| self.0.get(path).is_none_or(|states| states.len() == 1))
    }

    fn is_changing(&self) -> bool {
        self.0.values().any(|states| states.len() > 1)
    }

    fn may_be_missing(&self, path: &str) -> bool {
        above(path).any(|path| self.0.get(path).is_none_or(|states| states.contains(&None)))
    }

    fn is_excused(&self, path: &str, error: &io::Error) -> bool {
        match Errno::from_io_error(error) {
            Some(Errno::NOENT) => self.may_be_missing(path),
            Some(Errno::STALE) => self.is_changing(),
            _ => false,
        }
    }

    /// What a read of some of a file came to.
    pub(crate) fn judge_read(
        &self,
        path: &str,
        part: &Range<usize>,
        read: &io::Result<Vec<u8>>,
    ) -> Result<(), String> {
        let states = self.0.get(path).map_or(&[None][..], |states| states);
        let files = states.iter().filter_map(|state| match state {
            Some(Node::File(bytes)) => Some(bytes),
            _ => None,
        });
        match read {
            Ok(read) => {
                let some = |bytes: &Arc<[u8]>| {
                    let part = part.start.min(bytes.len())..part.end.min(bytes.len());
                    bytes[part] == **read
                };
                let known = files.clone().count();
                if files.clone().any(some) {
                    return Ok(());
                }
                Err(format!("{} bytes that it has in none of its {known} states", read.len()))
            }
            Err(error) if self.is_excused(path, error) => Ok(()),
            // What is a directory by now cannot be read.
            Err(error) => Err(format!("{error} (of {} states)", states.len())),
        }
    }

    /// What a listing of a directory came to; the root is "".
    pub(crate) fn judge_names(
        &self,
        directory: &str,
        names: &io::Result<Vec<String>>,
    ) -> Result<(), String> {
        let names = match names {
            Ok(names) => names,
            Err(error) if !directory.is_empty() && self.is_excused(directory, error) => {
                return Ok(());
            }
            Err(error) if self.is_changing() && is(error, Errno::STALE) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        let below = self.0.iter().filter_map(|(path, states)| {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            (parent == directory).then_some((name, states))
        });
        let below: BTreeMap<&str, &Vec<Option<Node>>> = below.collect();
        let certain = directory.is_empty() || self.is_certain(directory);
        let mut wrong = Vec::new();
        for (name, states) in &below {
            let seen = names.iter().filter(|other| other == name).count();
            let always = states.iter().all(Option::is_some) && certain;
            let never = states.iter().all(Option::is_none);
            if (seen == 0 && always) || (seen > 0 && never) || seen > 1 {
                wrong.push(format!("{name} is listed {seen} times"));
            }
        }
        let unknown = names.iter().filter(|name| !below.contains_key(name.as_str()));
        wrong.extend(unknown.map(|name| format!("{name} is listed, and never was there")));
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join(", ")) }
    }

    /// What an attempt to change something came to.
    pub(crate) fn judge_attempt(&self, path: &str, made: &io::Result<()>) -> Result<(), String> {
        match made {
            Ok(()) => Err("it was allowed".to_owned()),
            Err(error)
                if [Errno::ROFS, Errno::ACCESS, Errno::PERM].iter().any(|e| is(error, *e)) =>
            {
                Ok(())
            }
            Err(error) if self.is_excused(path, error) => Ok(()),
            Err(error) => Err(format!("{error}, where it is read-only")),
        }
    }
}

pub(crate) fn is(error: &io::Error, errno: Errno) -> bool {
    Errno::from_io_error(error) == Some(errno)
}

/// A path and those of the directories above it.
fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(above, _)| above))
}
