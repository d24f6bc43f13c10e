//! What fuzzing reaches of the index of a scan. Not for other use.

use crate::index::Content;

/// Reads bytes as the body of an index whose checksum is right, and checks that what is read
/// survives being kept. Tells whether something was read.
///
/// # Panics
/// Where it does not.
pub fn index(bytes: &[u8]) -> bool {
    let Ok(content) = postcard::from_bytes::<Content>(bytes) else { return false };
    let kept = postcard::to_stdvec(&content).expect("an index has an encoding");
    let again = postcard::from_bytes(&kept).expect("an index that was kept is read");
    assert_eq!(content, again);
    true
}
