//! A bound on how deep a Python text can nest, checked before it is parsed.
//!
//! The parser and the dropping of its tree recurse with the depth of expressions and blocks, and a
//! definition is anybody's text. The tokens of the parser's own lexer are counted instead of the
//! tree: brackets open at once, blocks open at once, and on one logical line everything else that can
//! deepen an expression (operators, keywords, calls upon calls). CPython itself refuses 200 brackets
//! and 100 blocks, so nothing rez could load is lost by the first two.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer::lex};

const MAX_BRACKETS: u32 = 100;
const MAX_BLOCKS: u32 = 50;
const MAX_DEEPENING: u32 = 1_000;

/// Whether the text nests too deeply to be parsed.
pub(super) fn is_too_deep(source: &str) -> bool {
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
