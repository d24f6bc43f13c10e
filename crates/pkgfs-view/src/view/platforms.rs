//! What only platforms ask that keep what they were shown by themselves.

use std::sync::Arc;

use pkgfs_manifest::BlobDigest;
use pkgfs_origin::ACL_XATTR;

use crate::{NodeId, View, ViewError, node::Node};

impl View {
    /// The digest of a payload file's bytes, where it is known; `None` for anything else.
    ///
    /// # Errors
    /// When the store fails.
    pub fn content(&self, node: NodeId) -> Result<Option<BlobDigest>, ViewError> {
        match node.decode() {
            Some(Node::Entry(key)) => self.digest_of(key),
            _ => Ok(None),
        }
    }

    /// The security descriptor that a payload's file or directory has at origin, where these are kept.
    ///
    /// # Errors
    /// As for [`xattr`](Self::xattr).
    pub async fn access_list(self: &Arc<Self>, node: NodeId) -> Result<Option<Vec<u8>>, ViewError> {
        if !self.origin.keeps_acls() {
            return Ok(None);
        }
        let all = self.xattrs(node).await?;
        let found = all.into_iter().find(|(name, _)| **name == *ACL_XATTR.as_bytes());
        Ok(found.map(|(_, value)| value.into_vec()))
    }

    /// Something is shown otherwise than it is, or could not be: for the log and `status`.
    pub fn tell(&self, problem: String) {
        self.problems.tell(problem);
    }
}
