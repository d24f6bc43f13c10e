//! Words in a file.

/// The words in a file, of text or of compiled form, in their order.
///
/// Compiled forms write the length of a name before it, and what follows the name may look
/// like more of it; so where a run of letters is at least as long as the byte before it
/// says, it is read both ways. The length itself may look like a letter, too.
pub(super) fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let of_run = |byte: &u8| OF_RUN[usize::from(*byte)];
    let mut at = 0;
    let runs = std::iter::from_fn(move || {
        let start = at + bytes[at..].iter().position(of_run)?;
        let length = bytes[start..].iter().position(|byte| !of_run(byte));
        at = length.map_or(bytes.len(), |length| start + length);
        let run = &bytes[start..at];
        let told = start.checked_sub(1).map_or(0, |before| usize::from(bytes[before]));
        let named = run.get(..told).unwrap_or_default();
        let (length, rest) = (usize::from(run[0]), &run[1..]);
        Some([run, named, rest.get(..length).unwrap_or_default()])
    });
    runs.flatten().flat_map(|run| run.split(|byte| *byte == b'.')).filter(|word| !word.is_empty())
}

/// Bytes that names are made of, and the dot between them.
const OF_RUN: [bool; 256] = {
    let mut of_run = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        of_run[byte] = matches!(byte as u8, b'.' | b'_') || (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    of_run
};

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::any, prop_assert, proptest};

    use super::*;

    fn found(bytes: &[u8]) -> Vec<&str> {
        words(bytes).map(|word| std::str::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn text_is_read_by_its_names_and_dotted_names_by_their_parts() {
        let text = b"from . import linalg, fft as f\nimport a.b_c.d2\n";
        let expected = ["from", "import", "linalg", "fft", "as", "f", "import", "a", "b_c", "d2"];
        assert_eq!(found(text), expected);
        assert_eq!(found(b"..relative.name."), ["relative", "name"]);
    }

    #[test]
    fn a_marshalled_name_ends_where_its_length_says() {
        // Python writes a type, a length, the name, and then the next object's type: `r` is
        // that of a reference.
        assert!(found(b"\xda\x05numpyr\x01\0\0\0").contains(&"numpy"));
        assert!(found(b"\xda\x08core.fftr").contains(&"fft"));
        // Also where no reference follows.
        assert_eq!(found(b"\xda\x05numpy\xda"), ["numpy", "numpy"]);
    }

    #[test]
    fn a_length_that_looks_like_a_letter_belongs_to_no_name() {
        let name = "n".repeat(usize::from(b'0'));
        let marshalled = [b"\xda0", name.as_bytes(), b"r"].concat();
        assert!(found(&marshalled).contains(&name.as_str()));
        let dots = "d".repeat(usize::from(b'.'));
        let marshalled = [b"\xda.", dots.as_bytes(), b"\xda"].concat();
        assert!(found(&marshalled).contains(&dots.as_str()));
    }

    #[test]
    fn what_holds_no_letters_holds_no_words() {
        assert_eq!(found(b""), [""; 0]);
        assert_eq!(found(b"..\0\xff \n."), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_bytes_hold_words_of_letters_that_stand_in_them(bytes in vec(any::<u8>(), 0..300)) {
            for word in words(&bytes) {
                prop_assert!(!word.is_empty());
                prop_assert!(word.iter().all(|byte| *byte == b'_' || byte.is_ascii_alphanumeric()));
                prop_assert!(bytes.windows(word.len()).any(|window| window == word));
            }
        }
    }
}
