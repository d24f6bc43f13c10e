//! Python's `repr` of strings and lists of strings, and `json.dumps` of a string.
//!
//! rez hashes such texts (the `<h4>` of a handle, the directory of a hashed variant) and compares
//! what it reads back from JSON, so both must come out byte for byte as CPython writes them.
//!
//! `repr` leaves a character as it is when `str.isprintable` holds, which goes by the Unicode version
//! of the Python at hand. A character assigned after that version is escaped there and not here; that
//! can only show in a repository path made of such characters.

use std::fmt::Write as _;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// `repr(text)`: single quotes unless the text has single and no double ones.
pub fn string(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == quote => {
                out.push('\\');
                out.push(quote);
            }
            ' '..='~' => out.push(character),
            _ if is_printable(character) => out.push(character),
            _ => {
                let code = u32::from(character);
                // Writing to a String cannot fail.
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
    out
}

/// `str(list_of_strings)`.
pub fn list<S: AsRef<str>>(texts: &[S]) -> String {
    let items: Vec<String> = texts.iter().map(|text| string(text.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// `json.dumps(text)`: ASCII only, surrogate pairs beyond the BMP.
pub fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
    out
}

/// CPython's `_PyUnicode_IsPrintable`: not a control, format, surrogate, private or unassigned
/// character, nor a separator other than the space.
fn is_printable(character: char) -> bool {
    use GeneralCategory as C;
    character == ' '
        || !matches!(
            character.general_category(),
            C::Control
                | C::Format
                | C::Surrogate
                | C::PrivateUse
                | C::Unassigned
                | C::LineSeparator
                | C::ParagraphSeparator
                | C::SpaceSeparator
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_chosen_as_python_chooses_them() {
        assert_eq!(string("a'b"), "\"a'b\"");
        assert_eq!(string("a\"b"), "'a\"b'");
        assert_eq!(string("a'\"b"), "'a\\'\"b'");
    }

    #[test]
    fn what_does_not_print_is_escaped() {
        assert_eq!(
            string("\u{0}\u{7f}\u{a0}\u{2028}\u{e000}\u{f0000}"),
            "'\\x00\\x7f\\xa0\\u2028\\ue000\\U000f0000'"
        );
        assert_eq!(string("é\u{1f600}"), "'é\u{1f600}'");
    }

    #[test]
    fn json_is_ascii_with_surrogate_pairs() {
        assert_eq!(json_string("\u{1f600}é\u{7f}\u{1}"), "\"\\ud83d\\ude00\\u00e9\\u007f\\u0001\"");
    }
}
