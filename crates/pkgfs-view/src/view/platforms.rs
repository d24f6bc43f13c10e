//! What only platforms ask that keep what they were shown by themselves.

use pkgfs_manifest::BlobDigest;

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

    /// Something is shown otherwise than it is, or could not be: for the log and `status`.
    pub fn tell(&self, problem: String) {
        self.problems.tell(problem);
    }
}
