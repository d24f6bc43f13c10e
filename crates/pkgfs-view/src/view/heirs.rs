//! Going on for a process that has died: what platforms still hold of it.

use std::sync::Arc;

use crate::{
    Caller, Found, HandleId, Lookup, NodeId, Opener, View, ViewError,
    handles::{Handle, Written},
    node::{Node, Part},
};

impl View {
    /// The handle that a platform means: its own, or, where a process before this one gave it, the
    /// same once more, opened by the number of the file.
    ///
    /// # Errors
    /// As for opening the file.
    pub async fn handle_of(
        self: &Arc<Self>,
        handle: HandleId,
        node: NodeId,
        opener: Opener,
    ) -> Result<HandleId, ViewError> {
        if !self.handles.is_inherited(handle) {
            return Ok(handle);
        }
        let again = match node.decode() {
            // Whatever was written through it before is looked at when it is closed.
            Some(Node::Slot(id, part @ (Part::Json | Part::Copying))) => {
                Handle::Mark(id, part, Arc::new(Written::inherited()))
            }
            Some(Node::Writable(id)) => {
                let file = self.writable.open(id, true).or_else(|_| self.writable.open(id, false));
                let open = self.open_writable(id, file?)?;
                if let Handle::Writable(open) = &open {
                    open.written.note();
                }
                open
            }
            _ => {
                let opened = self.open_file(node, false, opener).await?;
                let again = self.handles.get(opened)?;
                self.handles.remove(opened);
                again
            }
        };
        self.handles.adopt(handle, again);
        Ok(handle)
    }

    /// A file that a process before this one made and did not tell of, opened for writing.
    ///
    /// # Errors
    /// [`ViewError::Exists`] for what is no file that is written there.
    pub async fn open_made(
        self: &Arc<Self>,
        parent: NodeId,
        name: &[u8],
        caller: Caller,
        opener: Opener,
    ) -> Result<(Found, HandleId), ViewError> {
        let found = match self.lookup(parent, name, caller).await? {
            // What somebody has written to is somebody's.
            Lookup::Found(found) if found.attributes.size == 0 => found,
            _ => return Err(ViewError::Exists),
        };
        let opened = self.open_file(found.attributes.node, true, opener).await;
        Ok((found, opened.map_err(|_| ViewError::Exists)?))
    }

    /// Tells platforms of what the process before may not have come to tell.
    pub fn tell_what_is_in_doubt(&self) {
        let (levels, names) = self.registry.lock().in_doubt();
        self.notices.listing(NodeId::ROOT);
        levels.into_iter().for_each(|level| self.notices.listing(self.level_node(level)));
        for (level, stem) in names {
            let node = self.level_node(level);
            self.notices.name(node, stem.as_bytes());
            self.notices.name(node, format!("{stem}.json").as_bytes());
        }
    }
}
