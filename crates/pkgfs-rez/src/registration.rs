//! The text of a registration (`<stem>.json`) and of a pending request (`.sys/pending/*.json`).
//!
//! rez reads both with `json.loads` and compares the handle alone; it writes them with `json.dumps`,
//! whose spelling is kept so that a file of ours is what rez itself would have written. Both files
//! are writable by every permitted user: what is too large, cut short or not a handle is an error.

use serde_json::Value;

use crate::handle::{HandleError, VariantHandle};

/// Beyond this many bytes nothing is read: rez's own files have a few hundred.
pub const MAX_BYTES: usize = 1 << 20;

/// Why a text is not a registration or a pending request.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// More than [`MAX_BYTES`].
    #[error("{0} bytes are too many for a variant's handle; at most {MAX_BYTES} are read")]
    TooLarge(usize),
    /// Not JSON, or not all of it.
    #[error("not complete JSON: {0}; it may still be being written")]
    Json(#[from] serde_json::Error),
    /// The object has no `handle`.
    #[error("the registration has no \"handle\"; rez did not write this")]
    NoHandle,
    /// The handle is not one of a variant.
    #[error(transparent)]
    Handle(#[from] HandleError),
}

/// The registration of a handle, as `json.dumps({"handle": handle.to_dict()})` gives it.
pub fn encode(handle: &VariantHandle) -> String {
    format!("{{\"handle\": {}}}", handle.to_json())
}

/// The handle in the text of a `<stem>.json`. Other entries (rez adds `data` for debugging) are
/// ignored, as rez ignores them.
pub fn parse(text: &[u8]) -> Result<VariantHandle, RegistrationError> {
    let value = json(text)?;
    let handle = value
        .as_object()
        .and_then(|object| object.get("handle"))
        .ok_or(RegistrationError::NoHandle)?;
    Ok(VariantHandle::from_dict(handle)?)
}

/// The handle in the text of a pending request, which is the bare handle.
pub fn parse_pending(text: &[u8]) -> Result<VariantHandle, RegistrationError> {
    Ok(VariantHandle::from_dict(&json(text)?)?)
}

fn json(text: &[u8]) -> Result<Value, RegistrationError> {
    if text.len() > MAX_BYTES {
        return Err(RegistrationError::TooLarge(text.len()));
    }
    Ok(serde_json::from_slice(text)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn handle() -> VariantHandle {
        VariantHandle {
            location: "/sw/pkg".into(),
            name: "foo".into(),
            version: Some("1.0.0".into()),
            index: None,
        }
    }

    #[test]
    fn a_registration_is_spelled_as_rez_spells_it() {
        assert_eq!(
            encode(&handle()),
            "{\"handle\": {\"key\": \"filesystem.variant\", \"variables\": {\"location\": \"/sw/pkg\", \"name\": \
             \"foo\", \"version\": \"1.0.0\", \"index\": null, \"repository_type\": \"filesystem\"}}}"
        );
        assert_eq!(parse(encode(&handle()).as_bytes()).unwrap(), handle());
        assert_eq!(parse_pending(handle().to_json().as_bytes()).unwrap(), handle());
    }

    #[test]
    fn debugging_data_of_rez_is_ignored() {
        let text = format!("{{\"handle\": {}, \"data\": [\"python-3\"]}}", handle().to_json());
        assert_eq!(parse(text.as_bytes()).unwrap(), handle());
    }

    #[test]
    fn every_truncation_is_an_error() {
        let text = encode(&handle());
        for end in 0..text.len() {
            assert!(
                matches!(parse(&text.as_bytes()[..end]), Err(RegistrationError::Json(_))),
                "{end}"
            );
        }
    }

    #[test]
    fn hostile_texts_are_errors() {
        let huge = vec![b' '; MAX_BYTES + 1];
        assert!(matches!(parse(&huge), Err(RegistrationError::TooLarge(_))));
        let deep = "[".repeat(100_000);
        assert!(matches!(parse(deep.as_bytes()), Err(RegistrationError::Json(_))));
        assert!(matches!(parse(b"{\"a\": 1}"), Err(RegistrationError::NoHandle)));
        assert!(matches!(parse(b"[]"), Err(RegistrationError::NoHandle)));
        assert!(matches!(parse(b"\xff\xfe"), Err(RegistrationError::Json(_))));
        let surrogate = encode(&handle()).replace("sw", "\\udc80");
        assert!(matches!(parse(surrogate.as_bytes()), Err(RegistrationError::Json(_))));
    }
}
