//! How rez prints a requirement, for the spellings whose printing is proven.
//!
//! A variant's directory is made of `str(Requirement(text))` (`VariantResourceHelper._subpath`), and
//! rez parses the text into bounds and prints those (version/_requirement.py, version/_version.py):
//! `foo>=1` becomes `foo-1+`. Spellings whose bounds have to be merged or inverted are not printed
//! here: `None` leaves them to rez.

use std::cmp::Ordering;

use crate::names;

/// What rez prints for a requirement, or `None` where that is not proven here (or rez refuses it).
pub fn print(text: &str) -> Option<String> {
    let (conflict, rest) = match text.strip_prefix('!') {
        Some(rest) => ("!", rest),
        None => ("", text),
    };
    let end = rest.find(['-', '@', '#', '=', '<', '>']).unwrap_or(rest.len());
    let (name, range) = rest.split_at(end);
    // An ephemeral's dot is looked for in the text, before the `!` is taken off.
    let bare = if text.starts_with('.') { name.strip_prefix('.')? } else { name };
    if !names::is_valid_package_name(bare) {
        return None;
    }
    let range = if range.is_empty() { String::new() } else { print_range(range)? };
    Some(format!("{conflict}{name}{range}"))
}

/// Prints a range along with its separator, which is dropped before `=`, `<` and `>` and is `-` where
/// the text had none.
fn print_range(range: &str) -> Option<String> {
    let separator = range.chars().next().filter(|first| matches!(first, '-' | '@' | '#'));
    let range = range.strip_prefix(['-', '@', '#']).unwrap_or(range);
    let shown = separator.unwrap_or('-');
    if range.is_empty() {
        // `foo-` asks for any version, and prints without its separator.
        return Some(String::new());
    }
    if is_version(range) {
        return separator.map(|_| format!("{shown}{range}"));
    }
    for operator in ["==", "<=", ">=", "<", ">"] {
        let Some(version) = range.strip_prefix(operator) else { continue };
        if is_version(version) {
            return Some(if operator == ">=" {
                format!("{shown}{version}+")
            } else {
                range.to_owned()
            });
        }
        if operator == ">=" {
            return between(version, "", shown);
        }
        return None;
    }
    if let Some(version) = range.strip_suffix('+')
        && is_version(version)
    {
        return Some(format!("{shown}{version}+"));
    }
    between(range, "+", shown)
}

/// `A+<B`, `A+,<B`, `>=A<B` and `>=A,<B`: printed as `A+<B` if A is provably less than B.
fn between(range: &str, after_lower: &str, shown: char) -> Option<String> {
    let (lower, upper) = range.split_once('<')?;
    let lower = lower.strip_suffix(',').unwrap_or(lower).strip_suffix(after_lower)?;
    (compare_numeric(lower, upper)? == Ordering::Less).then(|| format!("{shown}{lower}+<{upper}"))
}

/// `[0-9a-zA-Z_]+([.-][0-9a-zA-Z_]+)*`, the version of `_VersionRangeParser`.
fn is_version(text: &str) -> bool {
    text.split(['.', '-']).all(names::is_token)
}

/// Compares versions of numbers alone; tokens with letters follow rules not proven here.
fn compare_numeric(left: &str, right: &str) -> Option<Ordering> {
    Some(numbers(left)?.cmp(&numbers(right)?))
}

fn numbers(version: &str) -> Option<Vec<u64>> {
    version
        .split(['.', '-'])
        .map(|token| {
            let plain = token == "0" || !token.starts_with('0');
            (plain && token.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| token.parse().ok())
                .flatten()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proven_spellings_print_as_rez_prints_them() {
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
        ] {
            assert_eq!(print(text).as_deref(), Some(printed), "{text}");
        }
    }

    #[test]
    fn what_is_not_proven_is_left_to_rez() {
        for text in [
            "", "~foo-1", "foo-1|2", "foo-2+<1", "foo-1+<1", "foo-a+<b", "foo-1..2", "foo/bar",
            "foo-*", "!.foo", "a b", "../x", "/x",
        ] {
            assert_eq!(print(text), None, "{text}");
        }
    }
}
