//! Which names rez takes for packages and versions.
//!
//! A name outside these rules is never looked up by rez, so it never has to be answered. Both rules
//! also keep path separators, `.` and `..` out, which makes a valid name safe as one path component.

/// What stands for the version of an unversioned package in the cache (`PackageCache._get_hash_path`).
pub const NO_VERSION: &str = "_NO_VERSION";

/// rez's `is_valid_package_name` (utils/formatting.py): `[a-zA-Z_0-9](\.?[a-zA-Z0-9_]+)*`, and not
/// `__pycache__`.
pub fn is_valid_package_name(name: &str) -> bool {
    name != "__pycache__" && !name.is_empty() && name.split('.').all(is_token)
}

/// Whether `Version(name)` parses and prints as `name` again (version/_version.py): tokens of
/// `[a-zA-Z0-9_]`, one character of anything else between two of them. The separators `/`, `\` and
/// NUL are left out, since such a version cannot be a directory.
pub fn is_valid_version(name: &str) -> bool {
    let mut separated = true;
    for character in name.chars() {
        if is_token_char(character) {
            separated = false;
        } else if separated || matches!(character, '/' | '\\' | '\0') {
            return false;
        } else {
            separated = true;
        }
    }
    !separated
}

/// Whether rez takes a directory of this name in a package family for a version
/// (`FileSystemPackageRepository._get_version_dirs`) and can parse it.
pub fn is_valid_version_dir(name: &str) -> bool {
    !name.starts_with('.') && is_valid_version(name)
}

pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_char)
}

fn is_token_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names_follow_rez() {
        for name in ["numpy", "a", "_x", "0", "a.b_c", "9lives"] {
            assert!(is_valid_package_name(name), "{name}");
        }
        for name in ["", ".", "..", "a.", ".a", "a..b", "a-b", "a/b", "é", "__pycache__", "a\n"] {
            assert!(!is_valid_package_name(name), "{name:?}");
        }
    }

    #[test]
    fn versions_are_tokens_with_one_separator_between() {
        for version in ["1", "1.0-beta_2", "2.2.6", "1+2", "1é2", "_NO_VERSION"] {
            assert!(is_valid_version(version), "{version}");
        }
        for version in ["", ".", "..", "1.", ".1", "1..2", "1/2", "1\u{0}2"] {
            assert!(!is_valid_version(version), "{version:?}");
        }
    }
}
