//! What happened below `.sys`, done to the store's own copy of it.

use std::sync::Arc;

use pkgfs_view::{Caller, Lookup, NodeId, View, ViewError};

use crate::{path::SYS, provider::Provider};

/// The longest file of `.sys` that is carried over: logs may grow, and nobody reads them here.
const LONGEST_SYS_FILE: u64 = 16 << 20;

/// A directory or file below `.sys`, known to the view for as long as this lives.
pub(crate) struct Looked {
    view: Arc<View>,
    nodes: Vec<NodeId>,
    node: NodeId,
}

impl Looked {
    pub(crate) fn node(&self) -> NodeId {
        self.node
    }
}

impl Drop for Looked {
    fn drop(&mut self) {
        self.nodes.iter().for_each(|node| self.view.forget(*node, 1));
    }
}

impl Provider {
    /// What lies so far below `.sys`.
    pub(crate) async fn sys_node(self: &Arc<Self>, names: &[String]) -> Result<Looked, ViewError> {
        let found = self.view.lookup(NodeId::ROOT, SYS.as_bytes(), self.caller).await?;
        let Lookup::Found(found) = found else { return Err(ViewError::NotFound) };
        let mut looked =
            Looked { view: Arc::clone(&self.view), nodes: Vec::new(), node: found.attributes.node };
        for name in names {
            match self.view.lookup(looked.node, name.as_bytes(), self.caller).await? {
                Lookup::Found(found) => {
                    looked.node = found.attributes.node;
                    looked.nodes.push(looked.node);
                }
                Lookup::Absent(_) => return Err(ViewError::NotFound),
            }
        }
        Ok(looked)
    }

    pub(crate) async fn sys_created(
        self: &Arc<Self>,
        names: &[String],
        directory: bool,
        caller: Caller,
    ) -> Result<(), ViewError> {
        let Some((name, above)) = names.split_last() else { return Ok(()) };
        let above = self.sys_node(above).await?;
        let made = if directory {
            self.view.make_directory(above.node, name.as_bytes(), 0o777, caller).await
        } else {
            let made =
                self.view.create_file(above.node, name.as_bytes(), 0o666, false, caller).await;
            made.map(|(found, handle)| {
                self.view.release(handle);
                found
            })
        };
        match made {
            Ok(found) => {
                self.view.forget(found.attributes.node, 1);
                Ok(())
            }
            Err(ViewError::Exists) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn sys_written(
        self: &Arc<Self>,
        names: &[String],
        caller: Caller,
    ) -> Result<(), ViewError> {
        let place: Vec<String> = std::iter::once(SYS.to_owned()).chain(names.to_vec()).collect();
        let Some(bytes) = self.read_disk(place, LONGEST_SYS_FILE).await? else { return Ok(()) };
        let file = match self.sys_node(names).await {
            // Its creation was not told of: it was moved there from outside.
            Err(ViewError::NotFound) => {
                self.sys_created(names, false, caller).await?;
                self.sys_node(names).await?
            }
            file => file?,
        };
        self.overwrite(file.node, &bytes, caller).await
    }

    pub(super) async fn sys_removed(
        self: &Arc<Self>,
        names: &[String],
        directory: bool,
    ) -> Result<(), ViewError> {
        let Some((name, above)) = names.split_last() else { return Ok(()) };
        let above = match self.sys_node(above).await {
            Err(ViewError::NotFound) => return Ok(()),
            above => above?,
        };
        let removed = if directory {
            self.view.remove_directory(above.node, name.as_bytes()).await
        } else {
            self.view.unlink(above.node, name.as_bytes()).await
        };
        match removed {
            // What lay in a copy that was moved away was never the view's.
            Err(ViewError::NotFound) => Ok(()),
            removed => removed,
        }
    }

    pub(super) async fn sys_linked(
        self: &Arc<Self>,
        from: &[String],
        to: &[String],
    ) -> Result<(), ViewError> {
        let Some((name, above)) = to.split_last() else { return Ok(()) };
        let (file, above) = (self.sys_node(from).await?, self.sys_node(above).await?);
        let found = self.view.link(file.node, above.node, name.as_bytes()).await?;
        self.view.forget(found.attributes.node, 1);
        Ok(())
    }
}
