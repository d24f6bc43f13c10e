//! The variants of a resolved context, as `rez-env --output` writes it (`.rxt`).
//!
//! A context is a JSON object whose `resolved_packages` are handles (`ResolvedContext.to_dict` in
//! resolved_context.py); the same since serialisation 4.0. Very old ones are YAML and are not read.

use serde_json::Value;

/// Beyond this many bytes nothing is read: a context of hundreds of packages has some hundred KiB.
pub const MAX_BYTES: usize = 64 << 20;

/// Why a text is no resolved context.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// More than [`MAX_BYTES`].
    #[error("{0} bytes are too many for a context; at most {MAX_BYTES} are read")]
    TooLarge(usize),
    /// Not JSON, or not all of it.
    #[error("it is not complete JSON ({0}); `rez-env --output` writes contexts")]
    Json(#[from] serde_json::Error),
    /// Not what rez writes.
    #[error("it holds no resolved packages: the resolve failed, or rez did not write this")]
    NotResolved,
}

/// The handles in the text of a context, as rez wrote them: each is for
/// [`from_dict`](crate::VariantHandle::from_dict) to judge. `absolute` is given the location of a repository inside a bundle, which is relative to the
/// context's own directory.
pub fn handles(
    text: &[u8],
    absolute: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Value>, ContextError> {
    if text.len() > MAX_BYTES {
        return Err(ContextError::TooLarge(text.len()));
    }
    let mut context: Value = serde_json::from_slice(text)?;
    let packages = context.get_mut("resolved_packages").map(Value::take);
    let Some(Value::Array(packages)) = packages else { return Err(ContextError::NotResolved) };
    if packages.is_empty() {
        return Err(ContextError::NotResolved);
    }
    let whole = |mut package: Value| {
        if let Some(Value::String(location)) = package.pointer_mut("/variables/location")
            && is_relative(location)
            && let Some(known) = absolute(location)
        {
            *location = known;
        }
        package
    };
    Ok(packages.into_iter().map(whole).collect())
}

fn is_relative(location: &str) -> bool {
    !location.starts_with(['/', '\\']) && location.as_bytes().get(1) != Some(&b':')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::VariantHandle;

    fn handle(location: &str) -> VariantHandle {
        let (name, version) = ("foo".to_owned(), Some("1.0".to_owned()));
        VariantHandle { location: location.to_owned(), name, version, index: None }
    }

    #[test]
    fn handles_come_in_order_and_a_bundles_are_made_absolute() {
        let foreign = json!({ "key": "memory.variant", "variables": {} });
        let packages = [handle("/sw").to_dict(), foreign, handle("packages").to_dict()];
        let text = json!({ "resolved_packages": packages, "status": "solved" }).to_string();
        let found = handles(text.as_bytes(), |below| Some(format!("/bundle/{below}"))).unwrap();
        assert_eq!(found[0], handle("/sw").to_dict());
        assert_eq!(found[1]["key"], "memory.variant");
        assert_eq!(found[2], handle("/bundle/packages").to_dict());
    }

    #[test]
    fn other_texts_are_no_contexts() {
        for text in ["", "{", "resolved_packages: []", "[1"] {
            assert!(matches!(handles(text.as_bytes(), |_| None), Err(ContextError::Json(_))));
        }
        for text in ["{}", "[]", "{\"resolved_packages\": null}", "{\"resolved_packages\": []}"] {
            let refused = handles(text.as_bytes(), |_| None);
            assert!(matches!(refused, Err(ContextError::NotResolved)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>(), cut in 0..400usize) {
            let text = json!({ "resolved_packages": [handle("/sw").to_dict()] }).to_string();
            let _ = handles(&bytes, |_| None);
            let _ = handles(&text.as_bytes()[..cut.min(text.len())], |_| None);
        }
    }
}
