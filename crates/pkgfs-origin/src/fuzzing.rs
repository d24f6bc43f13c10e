//! What fuzzing reaches of the language of client and worker. Not for other use.

use serde::{Serialize, de::DeserializeOwned};

use crate::protocol::{Envelope, Message, frame, frame_length};

/// Reads bytes as either side reads a frame, and checks that what is read survives being sent.
/// Tells whether something was read.
///
/// # Panics
/// Where it does not.
pub fn frames(bytes: &[u8]) -> bool {
    let Some((prefix, body)) = bytes.split_first_chunk::<4>() else { return false };
    // Whoever reads a frame has that many bytes; here there may be more or fewer.
    let body = frame_length(*prefix).and_then(|length| body.get(..length)).unwrap_or(body);
    // The worker's side, as its `receive` reads a batch.
    let batch = postcard::from_bytes::<Vec<Envelope>>(body);
    if let Ok(batch) = &batch {
        assert_survives(batch, b"");
    }
    // The client's, as its `hear` reads a message.
    let message = postcard::take_from_bytes::<Message>(body);
    if let Ok((message, raw)) = &message {
        assert_survives(message, raw);
    }
    batch.is_ok() || message.is_ok()
}

fn assert_survives<T: Serialize + DeserializeOwned>(said: &T, raw: &[u8]) {
    let sent = frame(said, raw);
    let (prefix, body) = sent.split_first_chunk::<4>().expect("a frame begins with its length");
    assert_eq!(frame_length(*prefix), Some(body.len()));
    let heard = postcard::take_from_bytes::<T>(body);
    let (heard, rest) = heard.expect("what was sent is heard");
    assert_eq!(rest, raw);
    assert_eq!(frame(&heard, rest), sent);
}
