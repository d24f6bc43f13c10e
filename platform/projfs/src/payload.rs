//! Directories of payloads as Windows sees them, and where links in them lead.

use std::{num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use parking_lot::Mutex;
use pkgfs_view::{Caller, Lookup, NodeAttributes, NodeId, NodeKind, Place, View, ViewError};

use crate::{
    names::{Order, Shown, Wide, shown, wide},
    placeholder::{ARCHIVE, Basic, DIRECTORY, Kind, READONLY, REPARSE_POINT},
};

/// Directories kept in memory with their names in order.
const KEPT: usize = 1024;
/// How many links may lead to links.
const DEEPEST: usize = 40;

/// A directory of a payload: its names as they are shown, each with what it is.
pub(crate) struct Directory {
    shown: Shown,
    entries: Vec<(Box<[u8]>, NodeAttributes)>,
}

/// A node with those above it, up to the root of its tree.
pub(crate) type Trail = Vec<NodeId>;

/// An entry of a payload as it is projected.
#[derive(Debug, Clone)]
pub(crate) struct Projected {
    pub(crate) name: Wide,
    /// Whose bytes or names it has: where a link cannot be shown, those of what it leads to.
    pub(crate) node: NodeId,
    pub(crate) basic: Basic,
}

/// The payloads of a view.
pub(crate) struct Payloads {
    view: Arc<View>,
    rules: Order,
    caller: Caller,
    has_links: bool,
    kept: Mutex<LruCache<NodeId, Arc<Directory>>>,
}

impl Payloads {
    pub(crate) fn new(view: Arc<View>, rules: Order, caller: Caller, has_links: bool) -> Self {
        let most = NonZeroUsize::new(KEPT).unwrap_or(NonZeroUsize::MIN);
        Self { view, rules, caller, has_links, kept: Mutex::new(LruCache::new(most)) }
    }

    /// Trees have changed: what is kept may be of another.
    pub(crate) fn forget(&self) {
        self.kept.lock().clear();
    }

    async fn directory(&self, node: NodeId) -> Result<Arc<Directory>, ViewError> {
        if let Some(known) = self.kept.lock().get(&node) {
            return Ok(Arc::clone(known));
        }
        let listed = self.view.list_directory(node, None).await?;
        let mut entries = Vec::new();
        for place in 0.. {
            match listed.place(place) {
                Place::Entry(entry, Some(found)) if is_shown(entry.kind) => {
                    entries.push((entry.name, found.attributes));
                }
                Place::Entry(..) | Place::Gone => {}
                Place::End => break,
            }
        }
        let shown = Shown::new(entries.iter().map(|(name, _)| &**name), &*self.rules);
        for told in shown.told() {
            self.view.tell(format!("in a payload: {told}"));
        }
        let directory = Arc::new(Directory { shown, entries });
        self.kept.lock().put(node, Arc::clone(&directory));
        Ok(directory)
    }

    /// What a name in a directory is; `None` if there is none.
    pub(crate) async fn child(
        &self,
        trail: &Trail,
        name: &[u16],
    ) -> Result<Option<Projected>, ViewError> {
        let Some(node) = trail.last() else { return Ok(None) };
        let directory = self.directory(*node).await?;
        let Some((name, place)) = directory.shown.find(name, &*self.rules) else { return Ok(None) };
        self.projected(trail, name.into(), &directory.entries[place].1).await
    }

    /// All that is in a directory, in the order of Windows.
    pub(crate) async fn children(&self, trail: &Trail) -> Result<Vec<Projected>, ViewError> {
        let Some(node) = trail.last() else { return Ok(Vec::new()) };
        let directory = self.directory(*node).await?;
        let mut all = Vec::with_capacity(directory.shown.len());
        for at in 0..directory.shown.len() {
            let Some((name, place)) = directory.shown.at(at) else { break };
            all.extend(self.projected(trail, name.into(), &directory.entries[place].1).await?);
        }
        Ok(all)
    }

    /// The way to what lies so far below a directory, or how far it leads.
    pub(crate) async fn walk(
        &self,
        mut trail: Trail,
        below: &[Wide],
    ) -> Result<Option<Trail>, ViewError> {
        for name in below {
            let Some(node) = trail.last() else { return Ok(None) };
            let directory = self.directory(*node).await?;
            let Some((_, place)) = directory.shown.find(name, &*self.rules) else {
                return Ok(None);
            };
            let attributes = directory.entries[place].1;
            match attributes.kind {
                NodeKind::Link if self.has_links => return Ok(None),
                NodeKind::Link => match self.followed(&trail, attributes.node, 0).await? {
                    Some((led, _)) => trail = led,
                    None => return Ok(None),
                },
                _ => trail.push(attributes.node),
            }
        }
        Ok(Some(trail))
    }

    async fn projected(
        &self,
        trail: &Trail,
        name: Wide,
        attributes: &NodeAttributes,
    ) -> Result<Option<Projected>, ViewError> {
        let plain = |attributes: &NodeAttributes| {
            let directory = attributes.kind == NodeKind::Directory;
            Basic {
                kind: if directory { Kind::Directory } else { Kind::File },
                size: if directory { 0 } else { attributes.size },
                mtime: attributes.mtime,
                attributes: if directory { DIRECTORY } else { READONLY | ARCHIVE },
            }
        };
        if attributes.kind != NodeKind::Link {
            let basic = plain(attributes);
            return Ok(Some(Projected { name, node: attributes.node, basic }));
        }
        let led = self.followed(trail, attributes.node, 0).await?;
        if self.has_links {
            let target = windows_target(&self.view.read_link(attributes.node).await?);
            let directory = led.is_some_and(|(_, led)| led.kind == NodeKind::Directory);
            let kind = Kind::Link { target, directory };
            let bits = if directory { REPARSE_POINT | DIRECTORY } else { REPARSE_POINT };
            let basic = Basic { kind, size: 0, mtime: attributes.mtime, attributes: bits };
            return Ok(Some(Projected { name, node: attributes.node, basic }));
        }
        // A directory in itself would have no end.
        Ok(led.and_then(|(_, led)| {
            let endless = trail.contains(&led.node);
            (!endless).then(|| Projected { name, node: led.node, basic: plain(&led) })
        }))
    }

    /// The way to where a link in the directory at the end of this way leads, while that lies in the
    /// same tree.
    async fn followed(
        &self,
        trail: &Trail,
        link: NodeId,
        depth: usize,
    ) -> Result<Option<(Trail, NodeAttributes)>, ViewError> {
        if depth > DEEPEST {
            return Ok(None);
        }
        let target = self.view.read_link(link).await?;
        if target.starts_with(b"/") || target.starts_with(b"\\") || target.get(1) == Some(&b':') {
            return Ok(None);
        }
        let mut way = trail.clone();
        let mut last = None;
        for part in target.split(|byte| matches!(byte, b'/' | b'\\')) {
            match part {
                b"" | b"." => {}
                b".." => {
                    way.pop();
                    last = None;
                }
                name => {
                    let Some(node) = way.last().copied() else { return Ok(None) };
                    let found = match self.view.lookup(node, name, self.caller).await {
                        Ok(Lookup::Found(found)) => found.attributes,
                        Ok(Lookup::Absent(_)) | Err(ViewError::NotADirectory) => return Ok(None),
                        Err(error) => return Err(error),
                    };
                    if found.kind == NodeKind::Link {
                        let further = Box::pin(self.followed(&way, found.node, depth + 1)).await?;
                        let Some((led, attributes)) = further else { return Ok(None) };
                        way = led;
                        last = Some(attributes);
                    } else {
                        way.push(found.node);
                        last = Some(found);
                    }
                }
            }
            if way.is_empty() {
                return Ok(None);
            }
        }
        match (last, way.last().copied()) {
            (Some(attributes), _) => Ok(Some((way, attributes))),
            (None, Some(node)) => {
                let attributes = self.view.attributes(node).await?.attributes;
                Ok(Some((way, attributes)))
            }
            (None, None) => Ok(None),
        }
    }
}

/// Pipes, sockets and devices have no counterpart.
fn is_shown(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::File | NodeKind::Directory | NodeKind::Link)
}

/// A link's target with each of its names as it is shown.
fn windows_target(target: &[u8]) -> Wide {
    let separates = |byte: &u8| matches!(byte, b'/' | b'\\');
    let drive = target.get(1) == Some(&b':');
    let mut units = Vec::new();
    for (at, part) in target.split(separates).enumerate() {
        if at > 0 {
            units.push(u16::from(b'\\'));
        }
        match part {
            b"." | b".." => units.extend(wide(&String::from_utf8_lossy(part))),
            _ if at == 0 && drive => units.extend(wide(&String::from_utf8_lossy(part))),
            _ => units.extend(shown(part)),
        }
    }
    units.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_spelled_as_windows_does() {
        assert_eq!(windows_target(b"../lib/libx.so.1"), wide(r"..\lib\libx.so.1"));
        assert_eq!(windows_target(b"./a:b"), wide(".\\a\u{F03A}b"));
        assert_eq!(windows_target(br"C:\x"), wide(r"C:\x"));
    }
}
