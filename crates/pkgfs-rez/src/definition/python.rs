//! The attributes of a `package.py`, read from its syntax tree.
//!
//! rez executes the file and keeps what its global names are bound to (`_load_py` in serialise.py).
//! Where every top-level statement binds names to literals, or defines a function that is not called
//! while loading, the outcome can be read off. One statement of any other kind and it cannot: an import
//! may fail, a call may bind anything. Undecorated functions are dropped by rez or kept as source
//! (`process_python_objects`), and so are those under `@late()` and `@include("…")`; `@early()` runs.

use ruff_python_ast::{
    Decorator, Expr, Number, Parameter, Parameters, Stmt, StmtFunctionDef, UnaryOp,
};
use ruff_python_parser::parse_module;
use ruff_text_size::{Ranged as _, TextSize};

use super::{
    Obstacle, nesting,
    value::{Attributes, Value, Weight, weight},
};

/// Names that rez puts there for the file to use, and does not read back.
const PROVIDED: [&str; 6] =
    ["scope", "early", "late", "include", "ModifyList", "InvalidPackageError"];

/// Functions of these names are code for rez's environment; `@late()` on them raises
/// (`package_rex_keys` in package_resources.py).
const REX: [&str; 5] =
    ["pre_commands", "commands", "post_commands", "pre_build_commands", "pre_test_commands"];

/// Reads the attributes, or says what stands in the way.
pub(super) fn attributes(text: &[u8]) -> Result<Attributes, Obstacle> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    declared_encoding(text)?;
    if text.contains(&0) {
        return Err(Obstacle::broken("it contains a NUL byte", 0));
    }
    let source = std::str::from_utf8(text).map_err(|error| {
        let line = text[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        Obstacle::broken("it is not UTF-8", u32::try_from(line).unwrap_or(0))
    })?;
    if nesting::is_too_deep(source) {
        return Err(Obstacle::not_literal("deeply nested code", 0));
    }
    let mut lines = Lines::of(source);
    // Which Python runs rez is not known, nor does the parser take all that some Python does (a
    // backslash that ends the file, the names in `\N{…}`): what it refuses is not thereby broken.
    let module = parse_module(source).map_err(|error| {
        let line = lines.at(error.location.start());
        Obstacle::not_literal(format!("code that is not understood ({})", error.error), line)
    })?;
    let mut attributes = Attributes::default();
    for statement in module.suite() {
        execute(statement, &mut attributes, lines.at(statement.start()))?;
    }
    Ok(attributes)
}

/// PEP 263: a comment in the first two lines may declare an encoding.
fn declared_encoding(text: &[u8]) -> Result<(), Obstacle> {
    let first_two = text.split(|byte| matches!(byte, b'\n' | b'\r')).take(3);
    for (number, line) in (1..).zip(first_two) {
        let line = String::from_utf8_lossy(line);
        let Some(comment) = line.trim_start_matches([' ', '\t', '\x0c']).strip_prefix('#') else {
            continue;
        };
        let declared = ["coding:", "coding="].iter().find_map(|key| comment.split_once(key));
        let Some((_, encoding)) = declared else { continue };
        let encoding: String = encoding
            .trim_start_matches([' ', '\t'])
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            .map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() })
            .collect();
        if !matches!(encoding.as_str(), "utf-8" | "utf8") {
            return Err(Obstacle::not_literal(
                format!("the declared encoding {encoding:?}"),
                number,
            ));
        }
    }
    Ok(())
}

/// What executing one top-level statement does to the attributes.
fn execute(statement: &Stmt, attributes: &mut Attributes, line: u32) -> Result<(), Obstacle> {
    match statement {
        Stmt::Pass(_) => Ok(()),
        Stmt::Expr(expression) => literal(&expression.value, line).map(drop),
        Stmt::Assign(assign) => {
            let value = literal(&assign.value, line)?;
            for target in &assign.targets {
                let Expr::Name(name) = target else {
                    return Err(Obstacle::not_literal(
                        "an assignment to something other than a name",
                        line,
                    ));
                };
                binds(&name.id, line)?;
                attributes.assign(&name.id, &value, line)?;
            }
            Ok(())
        }
        Stmt::FunctionDef(function) => define(function, line),
        other => Err(Obstacle::not_literal(kind(other), line)),
    }
}

/// Whether binding this name leaves the meaning of the rest of the file alone.
fn binds(name: &str, line: u32) -> Result<(), Obstacle> {
    if PROVIDED.contains(&name) || name.starts_with("__") {
        return Err(Obstacle::not_literal(format!("a new meaning for {name:?}"), line));
    }
    if !name.is_ascii() {
        // Python normalises identifiers (NFKC): `ｎame` binds `name`.
        return Err(Obstacle::not_literal("a name that is not ASCII", line));
    }
    Ok(())
}

fn define(function: &StmtFunctionDef, line: u32) -> Result<(), Obstacle> {
    let name = function.name.as_str();
    binds(name, line)?;
    if weight(name) != Weight::Nothing {
        return Err(Obstacle::not_literal(format!("a function {name:?}"), line));
    }
    if function.is_async {
        return Err(Obstacle::not_literal("an async function", line));
    }
    if function.decorator_list.iter().any(|decorator| !only_marks(decorator, name)) {
        return Err(Obstacle::not_literal(format!("a decorator on {name:?} that runs code"), line));
    }
    let unannotated =
        function.returns.as_deref().is_none_or(|returns| returns.is_none_literal_expr())
            && function.type_params.is_none()
            && is_plain(&function.parameters);
    if !unannotated {
        return Err(Obstacle::not_literal(format!("a default or an annotation on {name:?}"), line));
    }
    Ok(())
}

/// `@include("module", …)` and, on what is not rex code, `@late()` only mark the function.
fn only_marks(decorator: &Decorator, function: &str) -> bool {
    let Expr::Call(call) = &decorator.expression else { return false };
    let Expr::Name(name) = &*call.func else { return false };
    if !call.arguments.keywords.is_empty() {
        return false;
    }
    let arguments = &call.arguments.args;
    match name.id.as_str() {
        "include" => !arguments.is_empty() && arguments.iter().all(Expr::is_string_literal_expr),
        "late" => arguments.is_empty() && !REX.contains(&function),
        _ => false,
    }
}

/// Defaults and annotations are evaluated where the function is defined.
fn is_plain(parameters: &Parameters) -> bool {
    let bare = |parameter: &Parameter| parameter.annotation.is_none();
    parameters
        .iter_non_variadic_params()
        .all(|named| named.default.is_none() && bare(&named.parameter))
        && parameters.vararg.iter().chain(&parameters.kwarg).all(|variadic| bare(variadic))
}

/// The value of an expression that is a literal through and through, and that Python can build.
fn literal(expression: &Expr, line: u32) -> Result<Value, Obstacle> {
    Ok(match expression {
        Expr::StringLiteral(string) => {
            let text = string.value.to_str();
            // The parser puts U+FFFD for a surrogate and leaves \r\n as it is; Python does neither.
            if text.contains(['\u{fffd}', '\r']) {
                Value::Other("text of unusual characters")
            } else {
                Value::Str(text.to_owned())
            }
        }
        Expr::BooleanLiteral(boolean) => Value::Bool(boolean.value),
        Expr::NoneLiteral(_) => Value::None,
        Expr::BytesLiteral(_) => Value::Other("bytes"),
        Expr::EllipsisLiteral(_) => Value::Other("an ellipsis"),
        Expr::NumberLiteral(number) => number_literal(&number.value, line)?,
        Expr::UnaryOp(unary) if matches!(unary.op, UnaryOp::USub | UnaryOp::UAdd) => {
            match &*unary.operand {
                Expr::NumberLiteral(number) => number_literal(&number.value, line)?,
                _ => return Err(Obstacle::not_literal("an expression that is computed", line)),
            }
        }
        Expr::List(list) => {
            Value::List(list.elts.iter().map(|item| literal(item, line)).collect::<Result<_, _>>()?)
        }
        Expr::Tuple(tuple) => {
            for item in &tuple.elts {
                literal(item, line)?;
            }
            Value::Other("a tuple")
        }
        Expr::Set(set) => {
            for item in &set.elts {
                key(item, line)?;
            }
            Value::Other("a set")
        }
        Expr::Dict(dict) => {
            for item in &dict.items {
                let Some(item_key) = &item.key else {
                    return Err(Obstacle::not_literal("a dictionary that is unpacked", line));
                };
                key(item_key, line)?;
                literal(&item.value, line)?;
            }
            Value::Other("a dictionary")
        }
        _ => return Err(Obstacle::not_literal("an expression that is computed", line)),
    })
}

/// A member of a set or a key of a dictionary: a literal that can be hashed.
fn key(expression: &Expr, line: u32) -> Result<(), Obstacle> {
    match expression {
        Expr::List(_) | Expr::Dict(_) | Expr::Set(_) => Err(Obstacle::broken(
            "a list, set or dictionary is used as a key, which Python refuses",
            line,
        )),
        Expr::Tuple(tuple) => tuple.elts.iter().try_for_each(|item| key(item, line)),
        other => literal(other, line).map(drop),
    }
}

fn number_literal(number: &Number, line: u32) -> Result<Value, Obstacle> {
    match number {
        // Python refuses integers of more than 4,300 digits, by a limit that can be set.
        Number::Int(int) if int.as_u64().is_none() => {
            Err(Obstacle::not_literal("an enormous number", line))
        }
        Number::Int(_) => Ok(Value::Other("a number")),
        Number::Float(_) => Ok(Value::Other("a float")),
        Number::Complex { .. } => Ok(Value::Other("a complex number")),
    }
}

fn kind(statement: &Stmt) -> &'static str {
    match statement {
        Stmt::Import(_) | Stmt::ImportFrom(_) => "an import",
        Stmt::If(_) | Stmt::Match(_) => "a condition",
        Stmt::For(_) | Stmt::While(_) => "a loop",
        Stmt::With(_) => "a with block",
        Stmt::Try(_) => "a try block",
        Stmt::ClassDef(_) => "a class",
        Stmt::AugAssign(_) => "an assignment that changes a value",
        Stmt::AnnAssign(_) => "an annotated assignment",
        Stmt::Delete(_) => "a deletion",
        Stmt::Assert(_) => "an assertion",
        Stmt::Raise(_) => "a raise",
        _ => "code to run",
    }
}

/// The lines of a text, asked for from its start onwards, so that it is counted through once.
struct Lines<'a> {
    rest: &'a [u8],
    passed: usize,
    line: u32,
}

impl<'a> Lines<'a> {
    fn of(source: &'a str) -> Self {
        Self { rest: source.as_bytes(), passed: 0, line: 1 }
    }

    /// The line an offset is on, from 1.
    fn at(&mut self, offset: TextSize) -> u32 {
        let further = offset.to_usize().saturating_sub(self.passed).min(self.rest.len());
        let (before, rest) = self.rest.split_at(further);
        self.line +=
            u32::try_from(before.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(0);
        self.passed += further;
        self.rest = rest;
        self.line
    }
}
