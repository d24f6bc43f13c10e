//! The layout of rez's package cache, as names.
//!
//! `<cache>/<name>/<version or _NO_VERSION>/<h4>/<stem>` is a payload, `<stem>.json` beside it its
//! registration, `.copying-<stem>` the sign that it is being copied; `.sys` is rez's working area
//! (`PackageCache` in package_cache.py). Stems are rez's own sequence `a, b, … z, aa, …`:
//! `add_variant` feeds the greatest name to `get_next_base26`, which raises on anything else.

/// rez's working area at the top of the cache.
pub const SYS: &str = ".sys";
/// Below [`SYS`]: one log per day.
pub const SYS_LOG: &str = "log";
/// Below [`SYS`]: handles of variants to be cached.
pub const SYS_PENDING: &str = "pending";
/// Below [`SYS`]: removed payloads, to be deleted by `clean`.
pub const SYS_TO_DELETE: &str = "to_delete";
/// Below [`SYS`]: the lock, a hard link to the name of its owner (see [`crate::lock`]).
pub const SYS_LOCK: &str = ".lock.lock";
/// Prefix of the file that marks a copy under way.
pub const COPYING_PREFIX: &str = ".copying-";
/// Suffix of a registration.
pub const JSON_SUFFIX: &str = ".json";

/// A name in the hash directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// `<stem>.json`: the registration.
    Registration(&'a str),
    /// `.copying-<stem>`: the payload is being copied.
    Copying(&'a str),
    /// `<stem>`: the payload.
    Payload(&'a str),
}

impl<'a> Entry<'a> {
    /// What a name in a hash directory stands for; `None` if rez never uses such a name there.
    pub fn classify(name: &'a str) -> Option<Self> {
        if let Some(stem) = name.strip_prefix(COPYING_PREFIX) {
            return is_stem(stem).then_some(Self::Copying(stem));
        }
        if let Some(stem) = name.strip_suffix(JSON_SUFFIX) {
            return is_stem(stem).then_some(Self::Registration(stem));
        }
        is_stem(name).then_some(Self::Payload(name))
    }

    /// The stem all three names of a registration share.
    pub fn stem(self) -> &'a str {
        let (Self::Registration(stem) | Self::Copying(stem) | Self::Payload(stem)) = self;
        stem
    }
}

/// `<stem>.json`
pub fn registration_name(stem: &str) -> String {
    format!("{stem}{JSON_SUFFIX}")
}

/// `.copying-<stem>`
pub fn copying_name(stem: &str) -> String {
    format!("{COPYING_PREFIX}{stem}")
}

/// Whether a name is a hash directory's: four lower-case hex digits.
pub fn is_h4(name: &str) -> bool {
    name.len() == 4 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a name is one of rez's sequence `a, b, … z, aa, …`. A stem longer than a directory of
/// registrations could ever need is not.
pub fn is_stem(name: &str) -> bool {
    (1..=8).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// The stem after `prev`: rez's `get_next_base26` (utils/base26.py). `prev` must be a stem; what is
/// not starts the sequence anew, as `None` does.
pub fn next_stem(prev: Option<&str>) -> String {
    let mut letters = match prev {
        Some(prev) if is_stem(prev) => prev.as_bytes().to_vec(),
        _ => return "a".to_owned(),
    };
    for letter in letters.iter_mut().rev() {
        if *letter != b'z' {
            *letter += 1;
            return String::from_utf8_lossy(&letters).into_owned();
        }
        *letter = b'a';
    }
    letters.insert(0, b'a');
    String::from_utf8_lossy(&letters).into_owned()
}

/// The stem rez would give next in a directory that holds `names`: after the greatest `.json` *by
/// string order* (`add_variant` takes `max(names)` of the file names). Past `z` that order repeats
/// itself: with `a…z, aa` present the greatest is still `z` and rez gives `aa` again.
pub fn next_stem_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    next_stem(
        names
            .into_iter()
            .filter(|name| name.ends_with(JSON_SUFFIX))
            .max()
            .map(|name| name.strip_suffix(JSON_SUFFIX).unwrap_or(name)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_hash_directory_are_told_apart() {
        assert_eq!(Entry::classify("a.json"), Some(Entry::Registration("a")));
        assert_eq!(Entry::classify(".copying-ab"), Some(Entry::Copying("ab")));
        assert_eq!(Entry::classify("zz"), Some(Entry::Payload("zz")));
        for name in
            ["", ".json", ".copying-", "A", "a1", "a.jsonx", "a.json.json", ".copying-a.json", "é"]
        {
            assert_eq!(Entry::classify(name), None, "{name}");
        }
    }

    #[test]
    fn stems_follow_rez() {
        let cases = [
            (None, "a"),
            (Some("a"), "b"),
            (Some("z"), "aa"),
            (Some("az"), "ba"),
            (Some("zz"), "aaa"),
        ];
        for (prev, next) in cases {
            assert_eq!(next_stem(prev), next);
        }
        assert_eq!(next_stem_of(["a.json", "b", "b.json", ".copying-b"]), "c");
        assert_eq!(next_stem_of([]), "a");
    }

    #[test]
    fn hash_directories_are_four_lower_case_hex_digits() {
        assert!(is_h4("8418") && is_h4("daa4"));
        assert!(!is_h4("841") && !is_h4("DAA4") && !is_h4("84188") && !is_h4("841g"));
    }
}
