//! rez's URIs of variants, read back into handles.
//!
//! A URI does not say where its repository ends: `/sw/foo/1.0.0/package.py[]` is version 1.0.0 of
//! `foo` in `/sw`, or the unversioned package `1.0.0` in `/sw/foo`. Both are given, in the order in
//! which rez tries them (`get_variant_from_uri` in packages.py).

use crate::{VariantHandle, handle, names};

/// Why a text is no URI of a variant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// It does not end in a definition file and an index.
    #[error("{0:?} is no URI of a variant, such as /sw/packages/foo/1.0.0/package.py[0]")]
    Shape(String),
    /// A file that defines several versions.
    #[error("{0:?} is of a combined package, which has no payload of its own")]
    Combined(String),
}

/// Whether a text looks like a URI rather than like a path or a request.
pub fn is_uri(text: &str) -> bool {
    let path = text.strip_suffix(']').and_then(|text| text.rsplit_once('[')).map(|(path, _)| path);
    let path = path.unwrap_or(text);
    let file = path.rsplit(separator(path)).next().unwrap_or_default();
    path.contains(separator(path)) && (path != text || is_definition(file))
}

/// The handles that a URI can mean, at least one.
pub fn read(text: &str) -> Result<Vec<VariantHandle>, UriError> {
    let shape = || UriError::Shape(text.to_owned());
    let (path, index) = match text.strip_suffix(']') {
        None => (text, None),
        Some(text) => {
            let (path, index) = text.rsplit_once('[').ok_or_else(shape)?;
            let number =
                if index.is_empty() { None } else { Some(index.parse().map_err(|_| shape())?) };
            (path, number)
        }
    };
    let separator = separator(path);
    let (above, file) = path.rsplit_once(separator).ok_or_else(shape)?;
    if file.contains('<') {
        return Err(UriError::Combined(text.to_owned()));
    }
    if !is_definition(file) {
        return Err(shape());
    }
    let (rest, last) = above.rsplit_once(separator).ok_or_else(shape)?;
    let handle = |location: &str, name: &str, version: Option<&str>| {
        let location = if location.is_empty() { "/" } else { location };
        let valid = handle::is_normalised(location)
            && names::is_valid_package_name(name)
            && version.is_none_or(names::is_valid_version_dir);
        valid.then(|| VariantHandle {
            location: location.to_owned(),
            name: name.to_owned(),
            version: version.map(str::to_owned),
            index,
        })
    };
    let versioned =
        rest.rsplit_once(separator).and_then(|(location, name)| handle(location, name, Some(last)));
    let found: Vec<_> = versioned.into_iter().chain(handle(rest, last, None)).collect();
    if found.is_empty() { Err(shape()) } else { Ok(found) }
}

fn is_definition(file: &str) -> bool {
    let extension = file.split('<').next().and_then(|file| file.rsplit_once('.'));
    matches!(extension, Some((stem, "py" | "yaml")) if !stem.is_empty())
}

/// Windows spells a share's paths with backslashes, or with slashes alone.
fn separator(path: &str) -> char {
    if path.contains('/') || !path.contains('\\') { '/' } else { '\\' }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn handle(
        location: &str,
        name: &str,
        version: Option<&str>,
        index: Option<u32>,
    ) -> VariantHandle {
        let version = version.map(str::to_owned);
        VariantHandle { location: location.into(), name: name.into(), version, index }
    }

    #[test]
    fn a_uri_gives_its_handle_first() {
        for expected in [
            handle("/sw/pkg", "foo", Some("1.0.0"), Some(3)),
            handle("/sw/pkg", "foo", Some("1-a"), None),
            handle("/", "foo", Some("1"), None),
        ] {
            assert_eq!(read(&expected.uri()).unwrap()[0], expected);
            assert!(is_uri(&expected.uri()));
        }
        let unversioned = handle("/sw/pkg", "foo", None, Some(0));
        assert!(read(&unversioned.uri()).unwrap().contains(&unversioned));
        let bare = read("/sw/pkg/foo/1.0.0/package.yaml").unwrap();
        assert_eq!(bare[0], handle("/sw/pkg", "foo", Some("1.0.0"), None));
        let share = read(r"\\server\sw\foo\1.0\package.py[1]").unwrap();
        assert_eq!(share[0], handle(r"\\server\sw", "foo", Some("1.0"), Some(1)));
        let share = read("//server/sw/foo/1.0/package.py[]").unwrap();
        assert_eq!(share[0], handle("//server/sw", "foo", Some("1.0"), None));
    }

    #[test]
    fn other_texts_are_no_uris() {
        for text in ["", "foo", "foo-1", "/sw/foo/1.0", "/sw/foo/1.0/a", "foo[1]", "numpy-2.2.6"] {
            assert!(!is_uri(text), "{text}");
        }
        for text in [
            "",
            "foo/package.py[0]x",
            "sw/foo/1/package.py[]",
            "/a/../foo/1/package.py[0]",
            "/a/b/c/package.py[x]",
        ] {
            assert!(matches!(read(text), Err(UriError::Shape(_))), "{text}");
        }
        let combined = "/sw/foo/package.py<1.0>[0]";
        assert!(is_uri(combined));
        assert!(matches!(read(combined), Err(UriError::Combined(_))));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), path in r"[/\\a-z0-9.\[\]<:]{0,30}") {
            for text in [text, path] {
                is_uri(&text);
                for handle in read(&text).unwrap_or_default() {
                    prop_assert_eq!(VariantHandle::from_dict(&handle.to_dict()), Ok(handle));
                }
            }
        }
    }
}
