//! Texts of `package.yaml`.

use super::requirement;
use crate::dice::Dice;

fn yaml_string(dice: &mut Dice, text: &str) -> String {
    match dice.roll(5) {
        0 => format!("\"{text}\""),
        1 => format!("'{text}'"),
        2 => format!("\"{}\"", text.replace('o', "\\x6f")),
        _ => text.to_owned(),
    }
}

fn yaml_variants(dice: &mut Dice) -> String {
    let mut text = "variants:".to_owned();
    let block = dice.once_in(2);
    let variants: Vec<Vec<String>> = (0..dice.roll(4))
        .map(|_| {
            (0..dice.roll(4))
                .map(|_| {
                    let text = requirement(dice);
                    yaml_string(dice, text)
                })
                .collect()
        })
        .collect();
    if !block {
        let flow: Vec<_> = variants.iter().map(|items| format!("[{}]", items.join(", "))).collect();
        return format!("{text} [{}]", flow.join(dice.pick(&[",", ", ", ",\n  "])));
    }
    let indent = dice.pick(&["", "  "]);
    for variant in variants {
        if variant.is_empty() || dice.once_in(3) {
            text.push_str(&format!("\n{indent}- [{}]", variant.join(",")));
        } else {
            text.push_str(&format!("\n{indent}- - {}", variant.join(&format!("\n{indent}  - "))));
        }
    }
    text
}

const YAML_SCALARS: [&str; 62] = [
    "yes",
    "Yes",
    "YES",
    "yEs",
    "no",
    "No",
    "on",
    "off",
    "OFF",
    "true",
    "True",
    "TRUE",
    "tRue",
    "false",
    "y",
    "n",
    "Y",
    "N",
    "~",
    "null",
    "Null",
    "NULL",
    "nUll",
    "",
    "1",
    "0",
    "-1",
    "1.0",
    "1.",
    ".5",
    "1e3",
    "1.0e+3",
    "0x1f",
    "0o17",
    "017",
    "0b1",
    "1_000",
    "1:30",
    "190:20:30.15",
    ".inf",
    "-.INF",
    ".nan",
    "2001-01-01",
    "2001-1-1",
    "2001-12-14t21:59:43.10-05:00",
    "=",
    "<",
    "1.2.3",
    "1.2-beta",
    "1..2",
    "0x1g",
    "12e",
    "a b",
    "a: b",
    "a #b",
    "a#b",
    "'yes'",
    "\"no\"",
    "'it''s'",
    "\"a\\/b\\e\"",
    "!!bool yes",
    "&x true",
];

const YAML_NOISE: [&str; 33] = [
    "commands: |\n  if x:\n  \ty = 1\n  z\t= 2",
    "commands: |\n  \ty = 1\n\n  \tz",
    "commands: >\n  a\tb\n  \t\n  c",
    "commands: |\n\ty = 1",
    "description: '\u{1f980} \u{96ea}'",
    "name: \"\u{96ea}\u{e9} \u{1f980}\"",
    "version: 2001-1-1",
    "# a comment",
    "",
    "description: |\n  Several lines\n  cachable: true\n",
    "description: >-\n  folded\n  lines",
    "description: plain over\n  two lines",
    "description: \"double \\\n  quoted\"",
    "authors: [Jos\u{e9}, \"O'Neill\"]",
    "authors:\n- one\n- two",
    "tools: [a, b,]",
    "help: [[one, two], [three, 'four']]",
    "tests: {unit: {command: pytest, requires: [pytest-7]}}",
    "tests: {unit: \"x\", \"b\":c}",
    "tests:\n  unit:\n    command: pytest -v {root}\n    requires:\n    - pytest-7",
    "build_command: false",
    "uuid: 0d5b2b2c",
    "uuid: a:b",
    "release_message: 'x: y'",
    "revision: {1: a, 2.5: b, yes: c}",
    "revision:\n  url: null\n  date: 2001-01-01",
    "commands: |\n  env.PATH.append('{root}/bin')",
    "commands:\n- export PATH=$PATH:!ROOT!",
    "timestamp: 1500000000",
    "base: /elsewhere",
    "vcs: git # yes",
    "url: http://x/y#z",
    "'requires': []",
];

const YAML_ODD: [&str; 20] = [
    "--- # a start",
    "...",
    "%YAML 1.1",
    "cachable: &flag true\nrelocatable: *flag",
    "base_: &base {cachable: true}\n<<: *base",
    "<<: {cachable: true}",
    "tests: {<<: {a: b}}",
    "? cachable\n: true",
    "? [a, b]\n: c",
    "1: one",
    "yes: cachable",
    "cachable : true",
    "\"cach\\x61ble\": true",
    "'cachable': false",
    "tab:\tx",
    "config: {local_packages_path: /elsewhere}",
    "_redirected_base: /elsewhere",
    "variants: !!python/tuple [[foo-1]]",
    "cachable: !!bool 'yes'",
    "  cachable: true",
];

/// The text of a `package.yaml`, and whether it is free of what YAML's versions may read apart.
pub(crate) fn yaml(dice: &mut Dice) -> (String, bool) {
    let mut plain = true;
    let mut lines = Vec::new();
    for _ in 0..=dice.roll(5) {
        lines.push(match dice.roll(8) {
            0..=2 => yaml_variants(dice),
            3 => format!("hashed_variants: {}", dice.pick(&["true", "no", "yes", "False"])),
            4 => format!("cachable: {}", dice.pick(&["true", "no", "yes", "null", "~", "off"])),
            5 => format!("relocatable: {}", dice.pick(&["on", "False", ""])),
            6 => "name: a_name\nversion: '1.0'".to_owned(),
            _ => {
                plain = false;
                let key =
                    dice.pick(&["cachable", "relocatable", "hashed_variants", "name", "version"]);
                format!("{key}: {}", dice.pick(&YAML_SCALARS))
            }
        });
    }
    lines.extend((0..dice.roll(4)).map(|_| dice.pick(&YAML_NOISE).to_owned()));
    if dice.once_in(12) {
        plain = false;
        let scalar = dice.pick(&YAML_SCALARS);
        lines.push(format!("variants: [[{scalar}]]"));
    }
    if dice.once_in(5) {
        plain = false;
        lines.push(dice.pick(&YAML_ODD).to_owned());
    }
    dice.shuffle(&mut lines);
    let mut text = lines.join("\n");
    text.push_str(dice.pick(&["\n", "\n", "", "\n\n# end\n"]));
    match dice.roll(14) {
        0 => text = text.replace('\n', "\r\n"),
        1 => text.insert(0, '\u{feff}'),
        2 => text.insert_str(0, "---\n"),
        3 => {
            text.insert_str(0, "%YAML 1.1\n---\n");
            plain = false;
        }
        4 => {
            text.push_str("\n...\n");
            plain = false;
        }
        _ => {}
    }
    (text, plain)
}
