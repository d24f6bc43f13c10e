//! The attributes of a `package.yaml`, read from its events.
//!
//! rez loads it with PyYAML's `FullLoader`, which is YAML 1.1; the parser here is YAML 1.2. The two
//! agree on documents made of plain ASCII-looking block and flow collections, and where they are known
//! to part (tabs outside of blocks of text, directives, tags, anchors, merge keys, other line breaks) only rez can tell. Scalars
//! are typed here by PyYAML's own implicit resolvers: `yes` is a boolean and `1.0` a number there.

use std::collections::BTreeSet;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{
    Obstacle,
    value::{Attributes, Value, Weight, weight},
};

const MAX_DEPTH: u32 = 64;

/// Reads the attributes, or says what stands in the way.
pub(super) fn attributes(text: &[u8]) -> Result<Attributes, Obstacle> {
    let text = std::str::from_utf8(text).map_err(|_| Obstacle::broken("it is not UTF-8", 0))?;
    // Python opens the file in text mode, where \r\n is a newline. PyYAML skips a mark at the start.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let (mut line, mut flow, mut tabs) = (1, 0_u32, BTreeSet::new());
    for character in text.chars() {
        match character {
            '\n' => line += 1,
            // Brackets in scalars count as well: more than this many are not worth telling apart.
            '[' | '{' => flow += 1,
            ' '..='~' => {}
            '\t' => _ = tabs.insert(line),
            '\u{0}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffd}'..='\u{ffff}'
            | '\u{e000}'..='\u{f8ff}' => {
                return Err(Obstacle::not_literal("a special character", line));
            }
            _ => {}
        }
    }
    if flow > 1_000 {
        return Err(Obstacle::not_literal("more than 1,000 brackets", 0));
    }
    let marks = |line: &str| line.starts_with('%') || line.starts_with("...");
    if let Some((line, _)) = (1..).zip(text.lines()).find(|(_, line)| marks(line)) {
        return Err(Obstacle::not_literal("a directive or the end of a document", line));
    }
    let mut document = Document { events: Parser::new_from_str(&text), tabs };
    let attributes = document.read()?;
    match document.tabs.first() {
        None => Ok(attributes),
        Some(line) => Err(Obstacle::not_literal("a tab outside of a block of text", *line)),
    }
}

struct Document<'a, P: Iterator<Item = Result<(Event<'a>, Span), saphyr_parser::ScanError>>> {
    events: P,
    /// Lines with a tab that stands in no block of text so far.
    tabs: BTreeSet<u32>,
}

impl<'a, P: Iterator<Item = Result<(Event<'a>, Span), saphyr_parser::ScanError>>> Document<'a, P> {
    fn read(&mut self) -> Result<Attributes, Obstacle> {
        let mut attributes = Attributes::default();
        self.expect_start()?;
        loop {
            let (event, line) = self.next()?;
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, style, 0, None) => scalar(&text, style, line)?,
                _ => return Err(Obstacle::not_literal("an unusual key", line)),
            };
            let Value::Str(key) = key else {
                return Err(Obstacle::not_literal("a key that is no text", line));
            };
            let (event, line) = self.next()?;
            if weight(&key) == Weight::Nothing {
                self.value(event, line, 0, false)?;
            } else if matches!(&*key, "name" | "version") {
                // Nothing hangs on them, whatever type YAML gives them.
                let named = match &event {
                    Event::Scalar(text, style, 0, None) => scalar(text, *style, line).ok(),
                    _ => None,
                };
                let other = self.value(event, line, 0, false)?;
                attributes.assign(&key, &named.unwrap_or(other), line)?;
            } else {
                let value = self.value(event, line, 0, true)?;
                attributes.assign(&key, &value, line)?;
            }
        }
        match self.next()?.0 {
            Event::DocumentEnd => {}
            _ => return Err(Obstacle::not_literal("something after its mapping", 0)),
        }
        match self.next()?.0 {
            Event::StreamEnd => Ok(attributes),
            _ => Err(Obstacle::not_literal("a second document", 0)),
        }
    }

    fn expect_start(&mut self) -> Result<(), Obstacle> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_), _) => {}
                (Event::MappingStart(0, None), _) => return Ok(()),
                (_, line) => return Err(Obstacle::not_literal("no mapping at its top", line)),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, u32), Obstacle> {
        match self.events.next() {
            Some(Ok((Event::Nothing, _))) => self.next(),
            Some(Ok((event, span))) => {
                let [start, end] =
                    [span.start, span.end].map(|at| u32::try_from(at.line()).unwrap_or(0));
                if matches!(event, Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..))
                {
                    self.tabs.retain(|tab| !(start + 1..end).contains(tab));
                }
                Ok((event, start))
            }
            Some(Err(error)) => {
                let line = u32::try_from(error.marker().line()).unwrap_or(0);
                Err(Obstacle::not_literal(
                    format!("something that is not YAML 1.2 ({})", error.info()),
                    line,
                ))
            }
            None => Err(Obstacle::not_literal("no end", 0)),
        }
    }

    /// The value that begins with `event`. Where it does not matter (`typed` false) only its extent is
    /// followed.
    fn value(
        &mut self,
        event: Event<'a>,
        line: u32,
        depth: u32,
        typed: bool,
    ) -> Result<Value, Obstacle> {
        if depth > MAX_DEPTH {
            return Err(Obstacle::not_literal("deeply nested collections", line));
        }
        match event {
            Event::Scalar(text, style, 0, None) if typed => scalar(&text, style, line),
            Event::Scalar(text, ScalarStyle::Plain, 0, None) if text == "<<" => {
                Err(Obstacle::not_literal("a merge key", line))
            }
            Event::Scalar(_, _, 0, None) => Ok(Value::Other("a scalar")),
            Event::SequenceStart(0, None) => {
                let mut items = Vec::new();
                loop {
                    let (event, line) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        return Ok(Value::List(items));
                    }
                    let item = self.value(event, line, depth + 1, typed)?;
                    if typed {
                        items.push(item);
                    }
                }
            }
            Event::MappingStart(0, None) => loop {
                let (event, line) = self.next()?;
                match event {
                    Event::MappingEnd => return Ok(Value::Other("a mapping")),
                    Event::Scalar(..) => self.value(event, line, depth + 1, false)?,
                    _ => return Err(Obstacle::not_literal("an unusual key", line)),
                };
                let (event, line) = self.next()?;
                self.value(event, line, depth + 1, false)?;
            },
            Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::MappingStart(..) => {
                Err(Obstacle::not_literal("an anchor, an alias or a tag", line))
            }
            _ => Err(Obstacle::not_literal("an unexpected end", line)),
        }
    }
}

/// The type PyYAML gives a scalar.
fn scalar(text: &str, style: ScalarStyle, line: u32) -> Result<Value, Obstacle> {
    let unusual = || {
        Obstacle::not_literal(
            format!("a value {text:?} whose type depends on the YAML version"),
            line,
        )
    };
    match style {
        ScalarStyle::Plain => plain(text).ok_or_else(unusual),
        // Folding and escapes differ between versions; a single line of printable text does not.
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted
            if text.chars().all(|c| !c.is_control() && !"\u{2028}\u{2029}\u{feff}".contains(c)) =>
        {
            Ok(Value::Str(text.to_owned()))
        }
        _ => Err(unusual()),
    }
}

/// The type of a plain scalar by PyYAML's `Resolver.add_implicit_resolver` table, or `None` where its
/// regular expressions would have to be run to know.
fn plain(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::None),
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Some(Value::Bool(true));
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Some(Value::Bool(false));
        }
        _ => {}
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.+-<>=~!@".contains(&b)) {
        return None;
    }
    let first = text.as_bytes()[0];
    if first.is_ascii_alphabetic() || first == b'_' {
        return Some(Value::Str(text.to_owned()));
    }
    // Numbers and dates begin with one of these, and have no letter but e, x, o, b, T and Z (or hex
    // digits, `inf`, `nan`). Two dots between digits are no number either.
    let is_text = first.is_ascii_digit()
        && (text.bytes().any(|b| b.is_ascii_alphabetic() && !b"abcdefABCDEFxXoOtTzZ".contains(&b))
            || (text.bytes().filter(|b| *b == b'.').count() > 1
                && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')));
    if is_text {
        return Some(Value::Str(text.to_owned()));
    }
    text.bytes().all(|b| b.is_ascii_digit()).then_some(Value::Other("a number"))
}
