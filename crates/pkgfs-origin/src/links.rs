//! How a symbolic link at origin is shown in the view.
//!
//! The view shows the tree under an *anchor* in one piece: a variant's root, or the
//! directory that a link out of a variant led to and that is shown in its place. A
//! link that stays under the anchor works in the view as it does at origin and is
//! kept. One that leads from there into a configured repository is replaced by what
//! it points to, so that it reads with origin down. Any other leads out of the view:
//! an absolute link to origin's target, so that the caller's own rights decide. A
//! dangling link is kept.
//!
//! The judgement is pure and made in two steps, since the first needs no I/O and is
//! enough for nearly every link: by the text alone ([`by_text`]), then by the
//! canonical path that the text leads to ([`by_target`]). `..` is only ever taken
//! away from a text where no link can stand before it.
//!
//! Invariant: what is shown as a relative link never climbs above the anchor, where
//! the view's names are not origin's; and a directory never holds itself.

use std::{
    ffi::OsStr,
    path::{Component, Path, PathBuf},
};

use pkgfs_manifest::os_name;
use serde::{Deserialize, Serialize};

use crate::{
    protocol::{path_bytes, paths_bytes},
    sys::paths,
};

/// What decides how a symbolic link is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkBounds {
    /// Root of the variant whose tree is read.
    #[serde(with = "path_bytes")]
    pub variant_root: PathBuf,
    /// Root at origin of the tree that the view shows in one piece and that holds the
    /// directories listed: the variant's root, or the `source` of the entry shown in
    /// a link's place.
    #[serde(with = "path_bytes")]
    pub anchor: PathBuf,
    /// Canonical roots of the configured repositories.
    #[serde(with = "paths_bytes")]
    pub repositories: Vec<PathBuf>,
    /// Canonical directories that hold the links passed on the way to this anchor:
    /// leading back to one of them, or above, is a loop.
    #[serde(with = "paths_bytes")]
    pub passed: Vec<PathBuf>,
}

impl LinkBounds {
    /// Bounds for the tree of a variant.
    #[must_use]
    pub fn of_variant(root: PathBuf, repositories: Vec<PathBuf>) -> Self {
        Self { anchor: root.clone(), variant_root: root, repositories, passed: Vec::new() }
    }

    /// Bounds for the tree under an entry of the directory `holder` that is shown in
    /// a link's place and has this `source`.
    #[must_use]
    pub fn beyond_link(&self, holder: &Path, source: PathBuf) -> Self {
        let mut beyond = self.clone();
        beyond.passed.push(holder.to_owned());
        beyond.anchor = source;
        beyond
    }
}

/// What the text of a link tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ByText {
    /// Shown as it is.
    Keep,
    /// Shown as this link.
    Link(Box<[u8]>),
    /// The target's canonical path must be known: see [`by_target`].
    Ask,
}

/// Where the directory that holds a link stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The anchor as it was given.
    pub(crate) anchor: &'a Path,
    /// The directory's path below it.
    pub(crate) below: &'a Path,
}

/// Judges a link by its text.
pub(crate) fn by_text(place: Place<'_>, target: &Path) -> ByText {
    if !is_plain(target) {
        return ByText::Ask;
    }
    if target.is_absolute() {
        return match paths::below(target, place.anchor) {
            Some(inside) => ByText::Link(relative(place.below, inside)),
            None => ByText::Ask,
        };
    }
    let climbs = target.components().filter(|part| *part == Component::ParentDir).count();
    if climbs <= place.below.components().count() { ByText::Keep } else { ByText::Ask }
}

/// How a link is shown whose target is there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ByTarget {
    /// As this link.
    Link(Box<[u8]>),
    /// As what it points to.
    InPlace,
    /// Repositories hold it, but it holds the link itself: as this absolute link.
    Loop(Box<[u8]>),
}

/// Judges a link by the canonical path that it leads to. `anchor` is the anchor's
/// canonical path.
pub(crate) fn by_target(
    bounds: &LinkBounds,
    anchor: &Path,
    below: &Path,
    text: &Path,
    target: &Path,
    is_dir: bool,
) -> ByTarget {
    if let Some(inside) = paths::below(target, anchor) {
        return ByTarget::Link(relative(below, inside));
    }
    let outside = || bytes(&outside(anchor, below, text, Some(target)));
    let mut served = bounds.repositories.iter().chain([&bounds.variant_root]);
    if !served.any(|root| paths::below(target, root).is_some()) {
        return ByTarget::Link(outside());
    }
    let holds = |dir: &Path| paths::below(dir, target).is_some();
    if is_dir && (holds(&anchor.join(below)) || bounds.passed.iter().any(|dir| holds(dir))) {
        return ByTarget::Loop(outside());
    }
    ByTarget::InPlace
}

/// The absolute path for a link that leads out of the view: what the text says, since
/// what lies behind further links may move with them. Where the text alone does not
/// say, it is the canonical `target` if that is known.
pub(crate) fn outside(anchor: &Path, below: &Path, text: &Path, target: Option<&Path>) -> PathBuf {
    if text.is_absolute() {
        return text.to_owned();
    }
    if !is_plain(text) {
        // The kernel resolves a `..` that follows a link; we must not.
        return target.map_or_else(|| anchor.join(below).join(text), Path::to_owned);
    }
    let mut path = anchor.join(below);
    for part in text.components() {
        match part {
            Component::ParentDir => _ = path.pop(),
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

/// Whether `..` stands nowhere but before every name (and not in an absolute path),
/// so that it can be resolved without knowing which names are links. What begins at a
/// directory that the text does not name (`\\dir`, `c:dir` on Windows) is not plain either.
fn is_plain(text: &Path) -> bool {
    let begins = text.components().next();
    if !text.is_absolute() && matches!(begins, Some(Component::Prefix(_) | Component::RootDir)) {
        return false;
    }
    let names = text.components().skip_while(|part| {
        !text.is_absolute() && matches!(part, Component::ParentDir | Component::CurDir)
    });
    !names.into_iter().any(|part| part == Component::ParentDir)
}

/// The relative link in `from` to `to`, both below one root.
fn relative(from: &Path, to: &Path) -> Box<[u8]> {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| OsStr::new(".."));
    let down = to.components().skip(shared).map(|part| part.as_os_str());
    let path: PathBuf = up.chain(down).collect();
    if path.as_os_str().is_empty() { Box::from(*b".") } else { bytes(&path) }
}

fn bytes(path: &Path) -> Box<[u8]> {
    os_name::path_bytes(path).into()
}

#[cfg(test)]
mod tests;
