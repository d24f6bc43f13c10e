//! How rez prints a requirement, and which packages it takes.
//!
//! A variant's directory is made of `str(Requirement(text))` (`VariantResourceHelper._subpath`), and
//! rez parses the text into bounds, merges them and prints those (version/_requirement.py,
//! version/_version.py): `foo>=1` becomes `foo-1+`, `foo-1|2` stays, `foo-1+|3` becomes `foo-1+`.

mod range;
mod version;

use range::Range;
use version::Version;

use crate::names;

/// What rez prints for a requirement, or `None` where it refuses the text.
pub fn print(text: &str) -> Option<String> {
    let (mark, rest) = match text.as_bytes().first()? {
        b'!' | b'~' => text.split_at(1),
        _ => ("", text),
    };
    let end = rest.find(['-', '@', '#', '=', '<', '>']).unwrap_or(rest.len());
    let (name, range) = rest.split_at(end);
    // An ephemeral's dot is looked for in the text, before the mark is taken off.
    let bare = if text.starts_with('.') { name.strip_prefix('.')? } else { name };
    if !names::is_valid_package_name(bare) {
        return None;
    }
    let range = if range.is_empty() { String::new() } else { print_range(mark, range)? };
    Some(format!("{mark}{name}{range}"))
}

/// A request for a package: a name, and the versions it takes.
///
/// ```
/// let request = pkgfs_rez::requirement::Request::parse("numpy-2.1+<3").unwrap();
/// assert!(request.takes("numpy", Some("2.2.6")) && !request.takes("numpy", Some("3.0")));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    name: String,
    range: Range,
}

impl Request {
    /// Reads a request; `None` where rez refuses it, and for a conflict (`!`, `~`) or an ephemeral
    /// (`.`), which are no requests for a package.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(['-', '@', '#', '=', '<', '>']).unwrap_or(text.len());
        let (name, range) = text.split_at(end);
        if text.contains('\n') || !names::is_valid_package_name(name) {
            return None;
        }
        let range = Range::parse(range.strip_prefix(['-', '@', '#']).unwrap_or(range))?;
        Some(Self { name: name.to_owned(), range })
    }

    /// The name of the package.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it takes this package; one without a version has the least.
    pub fn takes(&self, name: &str, version: Option<&str>) -> bool {
        name == self.name && self.range.holds(&Version::read(version.unwrap_or_default()))
    }
}

/// A range along with its separator, which is dropped before `=`, `<` and `>` and is `-` where the
/// text had none. A weak requirement is kept as what it excludes, and printed as the inverse of that.
fn print_range(mark: &str, text: &str) -> Option<String> {
    let separator = text.chars().next().filter(|first| matches!(first, '-' | '@' | '#'));
    let mut range = Range::parse(text.strip_prefix(['-', '@', '#']).unwrap_or(text))?;
    if mark == "~" && !range.is_any() {
        range = range.inverse()?.inverse()?;
    }
    if range.is_any() {
        return Some(String::new());
    }
    let range = range.to_string();
    match range.chars().next()? {
        '=' | '<' | '>' => Some(range),
        _ => Some(format!("{}{range}", separator.unwrap_or('-'))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_print_as_rez_prints_them() {
        for (text, printed) in [
            ("python-3.11", "python-3.11"),
            ("platform", "platform"),
            ("foo@1", "foo@1"),
            ("foo==1.2", "foo==1.2"),
            ("foo-==1.2", "foo==1.2"),
            ("foo>=1.2", "foo-1.2+"),
            ("foo#1.2+", "foo#1.2+"),
            ("foo-1+<2.1", "foo-1+<2.1"),
            ("foo>=1,<2", "foo-1+<2"),
            ("!foo-1", "!foo-1"),
            (".variant-cuda", ".variant-cuda"),
            ("foo-", "foo"),
            ("~foo", "~foo"),
            ("~foo-1", "~foo-1"),
            ("foo-1|2", "foo-1|2"),
            ("foo-2|1", "foo-1|2"),
            ("foo-3+<6|4+<8", "foo-3+<8"),
            ("foo-1..3", "foo-1..3"),
            ("foo-a+<b", "foo-a+<b"),
            ("foo<4,>=2", "foo-2+<4"),
            ("foo-1|", "foo"),
            ("foo-1\n", "foo-1"),
        ] {
            assert_eq!(print(text).as_deref(), Some(printed), "{text}");
        }
    }

    #[test]
    fn requests_take_what_rez_documents() {
        for (request, inside, outside) in [
            ("foo", &["", "1", "a"][..], &[][..]),
            ("foo-1.2", &["1.2", "1.2.6", "1-2", "1+2"], &["1.20", "1.2a", "1", "", "2"]),
            ("foo==1.2", &["1.2"], &["1.2.0", "1"]),
            ("foo-1.2+<3", &["1.2", "2", "2.9.9"], &["3", "1.1", "3.0"]),
            ("foo-1|3", &["1.0", "3.2"], &["2", "4"]),
            ("foo<2", &["1", ""], &["2"]),
        ] {
            let parsed = Request::parse(request).expect(request);
            let takes = |version: &&str| parsed.takes("foo", Some(version));
            assert!(inside.iter().all(takes), "{request}");
            assert!(!outside.iter().any(takes), "{request}");
            assert!(!parsed.takes("bar", Some("1.2")));
        }
        for text in ["", "!foo-1", "~foo", ".foo-1", "foo-2+<1", "foo-*", "a/b", "foo\n"] {
            assert_eq!(Request::parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_request_or_none(text in ".*", version in ".*") {
            if let Some(request) = Request::parse(&text) {
                request.takes(request.name(), Some(&version));
            }
        }
    }

    #[test]
    fn what_rez_refuses_is_not_printed() {
        for text in [
            "",
            "!",
            "foo-2+<1",
            "foo-1+<1",
            "foo/bar",
            "foo-*",
            "!.foo",
            "a b",
            "../x",
            "/x",
            "foo-1 ",
            "foo-1\n\n",
            "foo\n",
            "foo- 1",
            "foo<>1",
        ] {
            assert_eq!(print(text), None, "{text}");
        }
    }
}
