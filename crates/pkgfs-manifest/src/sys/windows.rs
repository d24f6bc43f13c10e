//! Names are 16-bit units, which should be UTF-16 and need not be.

use std::{
    ffi::{OsStr, OsString},
    os::windows::ffi::OsStringExt,
};

/// The standard library's own form of such names is WTF-8 (`OsStr::as_encoded_bytes`).
pub(crate) fn bytes_of(name: &OsStr) -> &[u8] {
    name.as_encoded_bytes()
}

pub(crate) fn name_from(bytes: Vec<u8>) -> Option<OsString> {
    match String::from_utf8(bytes) {
        Ok(text) => Some(text.into()),
        Err(error) => {
            let units = units_of(error.as_bytes())?;
            let name = OsString::from_wide(&units);
            // A pair of surrogates that was written as two halves is no form of any name.
            (bytes_of(&name) == error.as_bytes()).then_some(name)
        }
    }
}

/// The 16-bit units of WTF-8.
fn units_of(mut bytes: &[u8]) -> Option<Vec<u16>> {
    let mut units = Vec::with_capacity(bytes.len());
    while !bytes.is_empty() {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
        };
        units.extend(text.encode_utf16());
        bytes = &bytes[text.len()..];
        // What UTF-8 refuses here is a half of a pair, U+D800 to U+DFFF.
        if let [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, rest @ ..] = bytes {
            units.push(0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f));
            bytes = rest;
        } else if !bytes.is_empty() {
            return None;
        }
    }
    Some(units)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_half_of_a_pair_comes_back() {
        let name = OsString::from_wide(&[0x61, 0xd83e, 0x62, 0xdc00]);
        assert_eq!(name_from(bytes_of(&name).to_vec()).unwrap(), name);
    }

    #[test]
    fn what_is_no_form_of_a_name_is_refused() {
        for bytes in [&b"\xff"[..], b"a\xed\xa0", b"\xed\xa0\xbe\xed\xb6\x80", b"\xc0\x80"] {
            assert_eq!(name_from(bytes.to_vec()), None, "{bytes:?}");
        }
    }
}
