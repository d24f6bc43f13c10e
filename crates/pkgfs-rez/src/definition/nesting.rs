//! A bound on how deep a Python text can nest, checked before it is parsed.
//!
//! The parser and the dropping of its tree recurse with the depth of expressions and blocks, and a
//! definition is anybody's text. What can deepen the tree is counted instead: brackets open at once,
//! blocks open at once, and on one logical line everything else that can deepen an expression
//! (operators, keywords, calls upon calls). CPython itself refuses 200 brackets and 100 blocks, so
//! nothing rez could load is lost by the first two.
//!
//! Most texts are so flat that a look at their bytes shows it ([`is_flat`]); what it cannot tell is
//! counted in the tokens of the parser's own lexer, which takes as long as half of the parsing.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer::lex};

const MAX_BRACKETS: u32 = 100;
const MAX_BLOCKS: u32 = 50;
const MAX_DEEPENING: u32 = 1_000;

/// Whether the text nests too deeply to be parsed.
pub(super) fn is_too_deep(source: &str) -> bool {
    !is_flat(source.as_bytes()) && are_tokens_too_deep(source)
}

/// Whether the bytes alone show that nothing nests too deeply. They do not where a string may hold
/// code (f-strings) or has no end: what follows might be taken for the wrong thing.
fn is_flat(source: &[u8]) -> bool {
    let mut rest = source;
    let mut line = Line::default();
    while let [first, after @ ..] = rest {
        let taken = match *first {
            b'\n' | b'\r' if line.brackets == 0 => {
                line = Line::default();
                1
            }
            b' ' | b'\t' | b'\x0c' if !line.begun => {
                line.indent += 1;
                1
            }
            b'\n' | b'\r' | b' ' | b'\t' | b'\x0c' => 1,
            b'#' => 1 + memchr::memchr2(b'\n', b'\r', after).unwrap_or(after.len()),
            b'\\' if after.starts_with(b"\r\n") => 3,
            b'\\' if matches!(after, [b'\n' | b'\r', ..]) => 2,
            quote @ (b'\'' | b'"') => match string(rest, quote) {
                Some(length) => length,
                None => return false,
            },
            b'(' | b'[' | b'{' => {
                line.brackets += 1;
                line.deepening += 1;
                1
            }
            b')' | b']' | b'}' => {
                line.brackets = line.brackets.saturating_sub(1);
                1
            }
            b',' => 1,
            byte if is_of_word(byte) => {
                let length = rest.iter().position(|byte| !is_of_word(*byte)).unwrap_or(rest.len());
                let opens_string = matches!(rest.get(length), Some(b'\'' | b'"'));
                if opens_string && rest[..length].iter().any(|byte| b"fFtT".contains(byte)) {
                    return false;
                }
                // Any word may be a keyword.
                line.deepening += 1;
                length
            }
            _ => {
                line.deepening += 1;
                1
            }
        };
        line.begun |= !matches!(*first, b'\n' | b'\r' | b' ' | b'\t' | b'\x0c');
        if line.is_too_deep() {
            return false;
        }
        rest = &rest[taken..];
    }
    true
}

/// A logical line, as far as it was looked at.
#[derive(Default)]
struct Line {
    begun: bool,
    /// White space before it: a block takes at least one more than the one around it.
    indent: u32,
    brackets: u32,
    deepening: u32,
}

impl Line {
    fn is_too_deep(&self) -> bool {
        self.brackets > MAX_BRACKETS
            || self.deepening > MAX_DEEPENING
            || self.begun && self.indent > MAX_BLOCKS
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// The length of the string, without a prefix, that a text begins with; `None` if it has no end.
fn string(text: &[u8], quote: u8) -> Option<usize> {
    let is_triple = text.get(..3).is_some_and(|start| start.iter().all(|byte| *byte == quote));
    let mut at = if is_triple { 3 } else { 1 };
    loop {
        let rest = &text[at..];
        at += match is_triple {
            true => memchr::memchr2(quote, b'\\', rest)?,
            false => rest.iter().position(|byte| [quote, b'\\', b'\n', b'\r'].contains(byte))?,
        };
        match text[at] {
            b'\\' => at += 2,
            b'\n' | b'\r' => return None,
            _ if !is_triple => return Some(at + 1),
            _ if text[at..].starts_with(&[quote; 3]) => return Some(at + 3),
            _ => at += 1,
        }
        if at > text.len() {
            return None;
        }
    }
}

fn are_tokens_too_deep(source: &str) -> bool {
    let mut lexer = lex(source, Mode::Module);
    let (mut brackets, mut blocks, mut deepening) = (0_u32, 0_u32, 0_u32);
    let mut after_bracket = false;
    loop {
        let kind = lexer.next_token();
        let mut closes = false;
        match kind {
            TokenKind::EndOfFile => return false,
            TokenKind::Newline => deepening = 0,
            TokenKind::Indent => blocks += 1,
            TokenKind::Dedent => blocks = blocks.saturating_sub(1),
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => {
                brackets += 1;
                deepening += u32::from(after_bracket);
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                brackets = brackets.saturating_sub(1);
                closes = true;
            }
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::Comma
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline
            | TokenKind::True
            | TokenKind::False
            | TokenKind::None
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle => {}
            // A colon separates what a dictionary holds; on its own it deepens nothing.
            TokenKind::Colon => {}
            _ => deepening += 1,
        }
        after_bracket = closes;
        if brackets > MAX_BRACKETS || blocks > MAX_BLOCKS || deepening > MAX_DEEPENING {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_definition_as_rez_releases_it_is_flat() {
        let text = "name = 'a'\nvariants = [\n    ['x', \"y-1\"],\n]\n\ndef commands():\n    \
                    env.PATH.append(\"{root}/bin\")  # it's here\n\nchangelog = \\\n    '''\n    \
                    an \"odd\" one's ((((\n    '''\n";
        assert!(is_flat(text.as_bytes()));
    }

    #[test]
    fn what_a_bracket_in_a_string_hides_is_counted() {
        let hidden = "x = ".to_owned() + &"(')', ".repeat(200);
        assert!(!is_flat(hidden.as_bytes()) && are_tokens_too_deep(&hidden));
    }

    #[test]
    fn what_is_no_python_is_counted() {
        assert!(!is_flat("\\".repeat(1_100).as_bytes()));
    }

    #[test]
    fn what_bytes_do_not_tell_is_left_to_the_tokens() {
        for text in ["x = f'{1}'", "x = rT'a'", "x = 'a\n", "x = '''a", "x = \"a\\"] {
            assert!(!is_flat(text.as_bytes()), "{text:?}");
        }
    }

    const PIECES: &[&str] = &[
        "(", "[", "{", ")", "]", "}", "'", "\"", "'''", "\"\"\"", "\\", "\n", "\r", "\r\n", " ",
        "#", "f'", "rb'", "not ", "a", "-", ",", ":", "\n ", "if x:\n", "\\\n", "()", "lambda:",
    ];

    /// Texts of what matters to either count, long enough to reach its bounds.
    fn text() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(PIECES);
        let run =
            (piece, prop_oneof![Just(1_usize), Just(1), 2..4_usize, 40..120_usize, Just(1_100)]);
        prop::collection::vec(run, 0..24).prop_map(|runs| {
            runs.into_iter().map(|(piece, count)| piece.repeat(count)).collect::<String>()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn what_is_flat_by_its_bytes_is_not_too_deep_by_its_tokens(text in text()) {
            prop_assert!(!is_flat(text.as_bytes()) || !are_tokens_too_deep(&text));
        }
    }
}
