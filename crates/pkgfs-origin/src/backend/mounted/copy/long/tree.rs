//! The digest of a file whose parts arrive in any order.
//!
//! BLAKE3 is a tree over the input, so each chunk of the copy (a power of two of BLAKE3's
//! own chunks, at a multiple of its length) is a subtree that can be hashed by itself.

use blake3::{
    Hasher,
    hazmat::{
        ChainingValue, HasherExt, Mode, left_subtree_len, merge_subtrees_non_root,
        merge_subtrees_root,
    },
};
use pkgfs_manifest::BlobDigest;

use crate::CHUNK;

/// The subtrees of a file of more than one chunk.
pub(super) struct Tree {
    size: u64,
    chunks: Vec<Option<ChainingValue>>,
}

/// The subtrees of `bytes`, which lie at `start`, a multiple of the chunk.
pub(super) fn parts(start: u64, bytes: &[u8]) -> Vec<ChainingValue> {
    let offsets = (start..).step_by(CHUNK as usize);
    let chunks = bytes.chunks(CHUNK as usize).zip(offsets);
    chunks
        .map(|(chunk, offset)| {
            Hasher::new().set_input_offset(offset).update(chunk).finalize_non_root()
        })
        .collect()
}

impl Tree {
    pub(super) fn new(size: u64) -> Self {
        Self { size, chunks: vec![None; size.div_ceil(CHUNK) as usize] }
    }

    pub(super) fn add(&mut self, start: u64, parts: &[ChainingValue]) {
        let first = (start / CHUNK) as usize;
        for (place, part) in self.chunks[first..].iter_mut().zip(parts) {
            *place = Some(*part);
        }
    }

    /// The digest, once every chunk is there.
    pub(super) fn digest(&self) -> Option<BlobDigest> {
        let left = left_subtree_len(self.size);
        let halves = self.chunks.split_at((left / CHUNK) as usize);
        let (left, right) = (merged(halves.0, left)?, merged(halves.1, self.size - left)?);
        let root = merge_subtrees_root(&left, &right, Mode::Hash);
        Some(BlobDigest::from_bytes(*root.as_bytes()))
    }
}

/// The subtree that these chunks make up.
fn merged(chunks: &[Option<ChainingValue>], length: u64) -> Option<ChainingValue> {
    if let [chunk] = chunks {
        return *chunk;
    }
    let left = left_subtree_len(length);
    let halves = chunks.split_at((left / CHUNK) as usize);
    let (left, right) = (merged(halves.0, left)?, merged(halves.1, length - left)?);
    Some(merge_subtrees_non_root(&left, &right, Mode::Hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_in_any_order_give_the_digest_of_the_whole() {
        let sizes = [CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7, 5 * CHUNK - 1, 8 * CHUNK, 13 * CHUNK + 3];
        for size in sizes {
            let bytes: Vec<u8> = (0..size).map(|at| ((at * at) >> 7) as u8).collect();
            let mut tree = Tree::new(size);
            let runs: Vec<_> = bytes.chunks(3 * CHUNK as usize).enumerate().collect();
            for (run, bytes) in runs.into_iter().rev() {
                assert_eq!(tree.digest(), None);
                let start = run as u64 * 3 * CHUNK;
                tree.add(start, &parts(start, bytes));
            }
            let whole = BlobDigest::from_bytes(*blake3::hash(&bytes).as_bytes());
            assert_eq!(tree.digest(), Some(whole), "{size}");
        }
    }
}
