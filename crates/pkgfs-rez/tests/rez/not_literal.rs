//! What has to be run to be known is never guessed at.

use pkgfs_rez::{Format, Reading, definition::MAX_BYTES, read};

use crate::sources::CODE;

fn is_left_to_rez(text: &str, format: Format) -> bool {
    matches!(read(text.as_bytes(), format), Reading::NotLiteral { .. })
}

#[test]
fn code_in_a_package_py_is_left_to_rez_wherever_it_stands() {
    for code in CODE {
        for text in [
            code.to_owned(),
            format!("name = 'foo'\n{code}\n"),
            format!("{code}\ncachable = True\nvariants = [['python-3']]\n"),
            format!("def commands():\n    pass\n\n{code}\n\ndef tools():\n    pass\n"),
            format!("\u{feff}{code}\r\nname = 'foo'\r\n"),
        ] {
            assert!(is_left_to_rez(&text, Format::Python), "{text:?}");
        }
    }
}

#[test]
fn what_stands_in_the_way_is_told_with_its_line() {
    for (text, said, at) in [
        ("import os\n", "an import", 1),
        ("name = 'x'\n\nif 1:\n  pass\n", "a condition", 3),
        ("'''\n\n'''\n@early()\ndef requires():\n  return []\n", "\"requires\"", 4),
        ("variants = [\n  [f()],\n]\n", "computed", 1),
        ("# coding: latin-1\n", "encoding", 1),
    ] {
        let Reading::NotLiteral { what, line } = read(text.as_bytes(), Format::Python) else {
            panic!("{text:?} is not left to rez")
        };
        assert!(what.contains(said) && line == at, "{text:?}: line {line}: {what}");
    }
}

#[test]
fn what_yaml_versions_read_apart_is_left_to_rez() {
    for text in [
        "",
        "- a\n",
        "text\n",
        "<<: {cachable: true}\n",
        "tests: {<<: {a: b}}\n",
        "cachable: &a true\n",
        "cachable: !!bool yes\n",
        "%YAML 1.1\n---\na: b\n",
        "a: b\n---\nc: d\n",
        "a:\tb\n",
        "1: a\n",
        "cachable: 0o1\n",
        "variants: [[1.0e3]]\n",
        "config: {a: b}\n",
        "_redirected_base: /x\n",
        "cachable: 1:30\n",
        "hashed_variants: 2001-01-01\n",
        "a: \u{85}b\n",
        "a: \u{2028}b\n",
    ] {
        assert!(is_left_to_rez(text, Format::Yaml), "{text:?}");
    }
}

#[test]
fn hostile_sizes_and_depths_are_refused_at_once() {
    let deep = 200_000;
    for text in [
        "x".repeat(MAX_BYTES + 1),
        format!("a = {}", "[".repeat(deep)),
        format!("a = {}1{}", "(".repeat(deep), ")".repeat(deep)),
        format!("a = {}1", "-".repeat(deep)),
        format!("a = {}1", "not ".repeat(deep)),
        format!("a = {}1", "1+".repeat(deep)),
        format!("a = x{}", "()".repeat(deep)),
        format!("a = x{}", ".y".repeat(deep)),
        format!("a = {}1", "lambda:".repeat(deep / 2)),
        format!("a = {}", "1 if 1 else ".repeat(deep / 10)),
        (0..2_000).map(|depth| format!("{}if 1:\n", " ".repeat(depth / 4))).collect::<String>(),
        (0..900).map(|depth| format!("{}if 1:\n", " ".repeat(depth))).collect::<String>(),
    ] {
        let start: String = text.chars().take(20).collect();
        let reading = read(text.as_bytes(), Format::Python);
        assert!(!matches!(reading, Reading::Literal(_)), "{start}: {reading:?}");
    }
    for text in [
        "x".repeat(MAX_BYTES + 1),
        format!("a: {}", "[".repeat(deep)),
        format!("a: {}", "{a: ".repeat(deep)),
        "a: {\n".repeat(5_000),
        "- ".repeat(deep),
        "? ".repeat(deep),
        format!("a: {}", "- ".repeat(deep)),
        (0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>(),
    ] {
        let start: String = text.chars().take(20).collect();
        let reading = read(text.as_bytes(), Format::Yaml);
        assert!(!matches!(reading, Reading::Literal(_)), "{start}: {reading:?}");
    }
}
