//! How names of a payload are shown on Windows.
//!
//! A payload's names are bytes, and nearly all of them are shown as they are. Windows cannot have some:
//! its reserved characters and device names, a dot or blank at the end, bytes that are no UTF-8, and two
//! names in a directory that differ only in case. These are shown *escaped*, by a rule that does not
//! depend on what else there is and can be read back:
//!
//! | in the payload | shown as |
//! | --- | --- |
//! | one of `<>:"\|?*\`, U+0001 to U+001F, a dot or blank at the end | U+F000 + the character |
//! | a byte that belongs to no character (half a surrogate pair included) | U+F000 + the byte |
//! | the first letter of a device name (`CON`, `nul.txt`, `COM1.log`) | U+F000 + the letter |
//! | U+F000 to U+F0FF themselves | U+F000, then the character |
//! | a name that differs from another only in case | U+F000 before each letter that is a capital |
//!
//! The range is the one by which Windows' services for Macintosh and Cygwin show the same characters
//! (MS-FSCC names it nowhere; it is private use in Unicode), so that most programs that know any escape
//! know this one. Of names that differ only in case one keeps its own: the one without capitals, or else
//! the first in the order of bytes.

mod clashes;
mod order;

use std::sync::Arc;

pub(crate) use clashes::Shown;
#[cfg(test)]
pub(crate) use order::Portable;
pub(crate) use order::Rules;

/// Escaped characters are shown from here on; by itself it marks the next one as literal.
const BASE: u32 = 0xF000;

/// The longest name of NTFS, in units of UTF-16.
const LONGEST: usize = 255;

/// A name in units of UTF-16.
pub(crate) type Wide = Box<[u16]>;

/// How a name of a payload is shown, others in its directory aside.
pub(crate) fn shown(name: &[u8]) -> Vec<u16> {
    escaped(name, |_| false)
}

/// The same with those characters marked that `marks` says.
fn escaped(name: &[u8], marks: impl Fn(char) -> bool) -> Vec<u16> {
    let mut units = Vec::with_capacity(name.len());
    let mut put = |code: u32| {
        let mut room = [0; 2];
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        units.extend_from_slice(character.encode_utf16(&mut room));
    };
    let device = is_device(name);
    let mut at = 0;
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            let code = u32::from(character);
            let last = at + character.len_utf8() == name.len();
            let reserved = matches!(character, '<' | '>' | ':' | '"' | '|' | '?' | '*' | '\\')
                || (1..0x20).contains(&code)
                || (last && matches!(character, '.' | ' '))
                || (device && at == 0);
            if reserved {
                put(BASE + code);
            } else {
                if (BASE..=BASE + 0xFF).contains(&code) || marks(character) {
                    put(BASE);
                }
                put(code);
            }
            at += character.len_utf8();
        }
        for byte in chunk.invalid() {
            put(BASE + u32::from(*byte));
            at += 1;
        }
    }
    units
}

/// The name that is shown so; `None` for what this rule never shows.
pub(crate) fn read_back(units: &[u16]) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(units.len());
    let mut characters = char::decode_utf16(units.iter().copied());
    let put = |name: &mut Vec<u8>, character: char| {
        let mut room = [0; 4];
        name.extend_from_slice(character.encode_utf8(&mut room).as_bytes());
    };
    while let Some(character) = characters.next() {
        let character = character.ok()?;
        match u32::from(character).checked_sub(BASE) {
            Some(0) => put(&mut name, characters.next()?.ok()?),
            Some(code @ 1..0x80) => put(&mut name, char::from_u32(code)?),
            Some(byte @ 0x80..=0xFF) => name.push(byte as u8),
            _ => put(&mut name, character),
        }
    }
    Some(name)
}

/// Whether Windows takes this for a device, whatever comes after a dot ("Naming Files, Paths, and
/// Namespaces").
fn is_device(name: &[u8]) -> bool {
    let stem = name.split(|byte| matches!(byte, b'.' | b':')).next().unwrap_or_default();
    let stem = stem.trim_ascii_end().to_ascii_uppercase();
    match stem.as_slice() {
        b"CON" | b"PRN" | b"AUX" | b"NUL" | b"CONIN$" | b"CONOUT$" => true,
        [b'C', b'O', b'M', number @ ..] | [b'L', b'P', b'T', number @ ..] => {
            // The superscript digits 1, 2 and 3 count as well.
            matches!(number, [b'0'..=b'9'] | [0xC2, 0xB9 | 0xB2 | 0xB3])
        }
        _ => false,
    }
}

/// How the names of directories in the registry, and of `.sys`, are read: these are plain UTF-8.
pub(crate) fn plain(units: &[u16]) -> Option<Vec<u8>> {
    String::from_utf16(units).ok().map(String::into_bytes)
}

/// Text as Windows takes it.
pub(crate) fn wide(text: &str) -> Wide {
    text.encode_utf16().collect()
}

/// A name for people to read.
pub(crate) fn readable(units: &[u16]) -> String {
    String::from_utf16_lossy(units)
}

/// How names are ordered and compared, for whoever shows a directory.
pub(crate) type Order = Arc<dyn Rules>;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(name: &[u8]) -> String {
        String::from_utf16(&shown(name)).unwrap()
    }

    #[test]
    fn a_name_that_windows_can_have_is_shown_as_it_is() {
        for name in
            ["numpy", "a b.txt", "ünï-cödé", "100%25", "con1", "comet", "a.con", ".sys", "😀"]
        {
            assert_eq!(text(name.as_bytes()), name);
        }
    }

    #[test]
    fn what_windows_cannot_have_is_escaped() {
        assert_eq!(text(b"a:b"), "a\u{F03A}b");
        assert_eq!(text(b"what?"), "what\u{F03F}");
        assert_eq!(text(b"end."), "end\u{F02E}");
        assert_eq!(text(b"end "), "end\u{F020}");
        assert_eq!(text(b"con"), "\u{F063}on");
        assert_eq!(text(b"NUL.tar.gz"), "\u{F04E}UL.tar.gz");
        assert_eq!(text("com¹".as_bytes()), "\u{F063}om¹");
        assert_eq!(text(b"a\\b"), "a\u{F05C}b");
        assert_eq!(text(b"\xFF"), "\u{F0FF}");
        // Half a surrogate pair, as WTF-8 has it.
        assert_eq!(text(b"\xED\xA0\x80"), "\u{F0ED}\u{F0A0}\u{F080}");
        assert_eq!(text("\u{F03A}".as_bytes()), "\u{F000}\u{F03A}");
    }

    proptest! {
        #[test]
        fn every_name_is_read_back(name in proptest::collection::vec(1_u8.., 0..40)) {
            prop_assert_eq!(read_back(&shown(&name)), Some(name));
        }

        #[test]
        fn every_text_is_read_back(name in "[\\x01-\u{2FFFF}]{0,40}") {
            let name = name.into_bytes();
            prop_assert_eq!(read_back(&shown(&name)), Some(name));
        }

        #[test]
        fn what_is_shown_is_a_name_of_windows(name in proptest::collection::vec(1_u8.., 1..40)) {
            let text = text(&name);
            prop_assert!(!text.ends_with(['.', ' ']));
            prop_assert!(!text.contains(['<', '>', ':', '"', '|', '?', '*', '\\']));
            prop_assert!(text.chars().all(|character| character >= ' '));
            prop_assert!(!is_device(text.as_bytes()));
        }
    }
}
