//! Texts of definitions: literal, or programs.

use fastrand::Rng;
use serde_json::json;

use super::spelling::{pick, variants};

/// A definition.
pub(super) struct Definition {
    pub(super) file: &'static str,
    pub(super) text: String,
    /// Whether it can be read without running it.
    pub(super) literal: bool,
    /// Whether what a `release.yaml` beside it says counts for nothing.
    pub(super) dated: bool,
}

/// Python's spelling of a text that JSON's differs from in nothing.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

fn listed(variants: &[Vec<String>]) -> String {
    json!(variants).to_string()
}

const COMMON: [&str; 18] = [
    "description = 'it''s \"quoted\"'",
    "description = \"\"\"several\nlines, 'quoted' \\\"too\\\"\n\"\"\"",
    "description = r'raw \\\\server\\share'",
    "authors = ['José', \"O'Neill\", '雪']",
    "requires = ['python-3+', '!foo-1', '~bar']",
    "build_command = False",
    "uuid = '0d5b2b2c'",
    "tools = []",
    "tests = {'unit': {'command': 'pytest', 'requires': ['pytest']}}",
    "def commands():\n    import os\n    env.PATH.append('{root}/bin')\n    if building:\n        env.X = os.sep",
    "def pre_build_commands():\n    raise ValueError('never called')",
    "def preprocess(this, data):\n    data['variants'] = [['never']]",
    "@late()\ndef tools():\n    return ['x']",
    "@include('studio')\ndef post_commands():\n    studio.go()",
    "_private = {1: (2, 3.5, None, b'x'), 'a': {1, 2}}",
    "help = [['a', 'b'], ['c', 'd']]",
    "format_version = 2",
    "changelog = '''\n- a\n- b\n'''",
];

/// Programs; `V` stands for the variants, or an empty list.
const PROGRAMS: [&str; 18] = [
    "import os",
    "from os import path as p\ndel p",
    "try:\n    import nonsuch\nexcept ImportError:\n    nonsuch = None",
    "variants = [list(v) for v in V]",
    "variants = []\nfor v in V:\n    variants.append(v)",
    "variants = V\nvariants += [['added']]",
    "@early()\ndef variants():\n    return V",
    "@late()\ndef cachable():\n    return not this.name.endswith('3')",
    "@late()\ndef relocatable():\n    return False",
    "@early()\ndef cachable():\n    return False",
    "with scope('config') as c:\n    c.release_packages_path = '/x'",
    "config = {'local_packages_path': '/nowhere/else'}",
    "if True:\n    cachable = False\nelse:\n    cachable = True",
    "def yes():\n    return True\ncachable = yes()\ndel yes",
    "hashed_variants = 1 > 0",
    "cachable = 'no' == 'yes'",
    "class X:\n    pass\ndel X",
    "raise ValueError('unusable')",
];

fn flag(dice: &mut Rng, attribute: &str) -> String {
    format!("{attribute} = {}", pick(dice, &["True", "False", "None"]))
}

pub(super) fn python(dice: &mut Rng, name: &str, version: Option<&str>) -> Definition {
    let variants = variants(dice);
    let mut statements = Vec::new();
    if dice.u8(..8) != 0 {
        statements.push(format!("name = {}", quoted(name)));
    }
    match version {
        Some(version) if dice.u8(..8) != 0 && !version.contains('\u{1f980}') => {
            statements.push(format!("version = {}", quoted(version)));
        }
        _ => {}
    }
    if !variants.is_empty() {
        statements.push(format!("variants = {}", listed(&variants)));
        if dice.u8(..3) == 0 {
            let hashed = pick(dice, &["True", "True", "False"]);
            statements.push(format!("hashed_variants = {hashed}"));
        }
    }
    if dice.u8(..3) == 0 {
        statements.push(flag(dice, "cachable"));
    }
    if dice.u8(..4) == 0 {
        statements.push(flag(dice, "relocatable"));
    }
    let dated = dice.bool();
    if dated {
        statements.push(format!("timestamp = {}", dice.u32(..)));
    }
    for _ in 0..dice.u8(..6) {
        statements.push(pick(dice, &COMMON).to_owned());
    }
    dice.shuffle(&mut statements);
    let literal = dice.u8(..5) != 0;
    if !literal {
        // Whatever it is, the last word is its own.
        statements.push(pick(dice, &PROGRAMS).replace('V', &listed(&variants)));
    }
    let mut text = statements.join(pick(dice, &["\n", "\n\n", "\n# a comment\n"])) + "\n";
    match dice.u8(..12) {
        0 => text = text.replace('\n', "\r\n"),
        1 => text.insert_str(0, "# -*- coding: utf-8 -*-\n"),
        2 => text.insert(0, '\u{feff}'),
        _ => {}
    }
    Definition { file: "package.py", text, literal, dated }
}

const YAML_COMMON: [&str; 12] = [
    "description: |\n  Several lines: here\n\n  cachable: true\n",
    "description: >-\n  folded\n  lines",
    "description: plain over\n  two lines",
    "authors: [José, \"O'Neill\", 雪]",
    "tools:\n- one\n- two",
    "help: [[one, two], [three, 'four']]",
    "tests: {unit: {command: pytest, requires: [pytest-7]}}",
    "commands: |\n  env.PATH.append('{root}/bin')\n  if x:\n  \ty = 1\n",
    "commands:\n- export PATH=$PATH:!ROOT!",
    "uuid: 0d5b2b2c",
    "requires: ['python-3+', \"!foo-1\"]",
    "changelog: 'it''s'",
];

const YAML_PROGRAMS: [&str; 4] = [
    "x_: &base {cachable: true}\n<<: *base",
    "cachable: !!bool 'yes'",
    "y_: &yes true\ncachable: *yes",
    "config: {local_packages_path: /nowhere/else}",
];

pub(super) fn yaml(dice: &mut Rng, name: &str, version: Option<&str>) -> Definition {
    let variants = variants(dice);
    let mut lines = vec![format!("name: {}", quoted(name))];
    if let Some(version) = version {
        lines.push(format!("version: {}", quoted(version)));
    }
    if !variants.is_empty() {
        lines.push(if dice.bool() {
            format!("variants: {}", listed(&variants))
        } else {
            let block = |variant: &Vec<String>| format!("\n- {}", json!(variant));
            format!("variants:{}", variants.iter().map(block).collect::<String>())
        });
        if dice.u8(..3) == 0 {
            lines.push(format!("hashed_variants: {}", pick(dice, &["true", "yes", "no", "On"])));
        }
    }
    for attribute in ["cachable", "relocatable"] {
        if dice.u8(..3) == 0 {
            let said = pick(dice, &["true", "no", "yes", "null", "~", "OFF", "False", ""]);
            lines.push(format!("{attribute}: {said}"));
        }
    }
    let dated = dice.bool();
    if dated {
        lines.push(format!("timestamp: {}", dice.u32(..)));
    }
    for _ in 0..dice.u8(..4) {
        let line = pick(dice, &YAML_COMMON);
        let key = line.split(':').next();
        if lines.iter().all(|other| other.split(':').next() != key) {
            lines.push(line.to_owned());
        }
    }
    dice.shuffle(&mut lines);
    let literal = dice.u8(..6) != 0;
    if !literal {
        lines.retain(|line| !line.starts_with("cachable"));
        lines.push(pick(dice, &YAML_PROGRAMS).to_owned());
    }
    let text = lines.join("\n") + "\n";
    // How an escaped line break is read depends on the version of YAML.
    let literal = literal && !text.contains("\\n");
    Definition { file: "package.yaml", text, literal, dated }
}
