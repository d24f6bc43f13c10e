//! Handles: the hash directory, the dictionary and its JSON, byte for byte as rez has them.

use std::fs;

use pkgfs_rez::{VariantHandle, layout, names, pyrepr, registration};
use serde_json::{Value, json};

use crate::{
    dice::Dice,
    fixtures::Fixtures,
    oracle::{ask, ask_each, scratch},
};

/// Characters that every escaping rule has an opinion on: quotes, backslashes, controls, separators,
/// formats, combining, private, beyond the BMP.
const HOSTILE: &str = "'\"\\ab/ .%{}$`\n\r\t\0\u{1}\u{8}\u{b}\u{c}\u{1b}\u{7f}\u{80}\u{85}\u{a0}\u{ad}é\
    ßµ\u{300}Ωя\u{600}عא\u{200b}\u{200e}\u{2028}\u{2029}\u{202e}\u{2060}€\u{3000}漢字한\u{d7ff}\
    \u{e000}\u{fdd0}\u{feff}\u{fffd}\u{ffff}\u{10000}\u{1d11e}\u{1f600}\u{e0001}\u{f0000}\u{10ffff}";

fn hostile_path(dice: &mut Dice) -> String {
    let mut path = String::new();
    for _ in 0..=dice.roll(4) {
        let part = dice.text(HOSTILE, 8).replace(['/', '\0'], "");
        if !matches!(part.as_str(), "" | "." | "..") {
            path.push('/');
            path.push_str(&part);
        }
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

fn valid(dice: &mut Dice, alphabet: &str, is_valid: fn(&str) -> bool) -> String {
    loop {
        let text = dice.text(alphabet, 9);
        if is_valid(&text) {
            return text;
        }
    }
}

fn hostile_handle(dice: &mut Dice) -> VariantHandle {
    let version = |dice: &mut Dice| {
        valid(dice, "0123aZ_.-+é'\"\\\u{1f600}\n \u{ad}", names::is_valid_version_dir)
    };
    VariantHandle {
        location: hostile_path(dice),
        name: valid(dice, "abZ09_.", names::is_valid_package_name),
        version: (!dice.once_in(4)).then(|| version(dice)).filter(|v| v != names::NO_VERSION),
        index: (!dice.once_in(3)).then(|| u32::try_from(dice.roll(300)).unwrap()),
    }
}

#[test]
fn hostile_handles_hash_and_compare_as_in_rez() {
    let mut dice = Dice::new(1);
    let fixtures = Fixtures::of("handles");
    let cases: Vec<Value> = fixtures.and((0..6_000).map(|_| hostile_handle(&mut dice).to_dict()));
    let handles: Vec<_> =
        cases.iter().map(|case| VariantHandle::from_dict(case).unwrap()).collect();
    // What rez gets is the text of a registration, parsed by Python.
    let texts: Vec<Value> = handles
        .iter()
        .map(|handle| serde_json::from_str(&registration::encode(handle)).unwrap())
        .collect();
    let answers = ask_each("handles", json!(texts));
    for ((case, handle), answer) in cases.iter().zip(&handles).zip(answers) {
        fixtures.check(case, || same(handle, &answer));
    }
}

/// Asserts that rez puts a handle where we do, and reads what we write.
fn same(handle: &VariantHandle, answer: &Value) {
    let path = ["/cache", &handle.name, handle.version_dir(), &handle.h4()].join("/");
    assert_eq!(answer["path"], json!(path), "{handle:?}");
    assert_eq!(answer["equal"], json!(true), "{handle:?}");
    let dumped: Value = serde_json::from_str(answer["dumped"].as_str().unwrap()).unwrap();
    assert_eq!(dumped, handle.to_dict());
    assert_eq!(VariantHandle::from_dict(&dumped).unwrap(), *handle);
}

#[test]
fn hostile_texts_are_spelled_as_python_spells_them() {
    let mut dice = Dice::new(2);
    let fixtures = Fixtures::of("texts");
    let texts: Vec<String> = fixtures.and((0..5_000).map(|_| dice.text(HOSTILE, 12)));
    for (text, answer) in texts.iter().zip(ask_each("texts", json!(texts))) {
        fixtures.check(text, || {
            assert_eq!(answer["repr"], json!(pyrepr::string(text)));
            assert_eq!(answer["list"], json!(pyrepr::list(&[text, text])));
            assert_eq!(answer["json"], json!(pyrepr::json_string(text)));
        });
    }
}

#[test]
fn every_character_is_escaped_as_in_python_unless_it_is_newer_than_that_python() {
    let answer = ask("characters", json!(null));
    let kinds = answer.as_str().unwrap().as_bytes();
    assert_eq!(kinds.len(), 0x11_0000);
    for character in '\0'..=char::MAX {
        let shown = pyrepr::string(character.encode_utf8(&mut [0; 4]));
        let escaped = shown[1..].starts_with('\\') && character != '\\';
        let kind = kinds[usize::try_from(u32::from(character)).unwrap()];
        assert!(kind == b'u' || escaped == (kind == b'e'), "{character:?} gives {shown}");
    }
}

#[test]
fn what_rez_writes_about_real_packages_is_what_is_written_here() {
    let scratch = scratch();
    let repository =
        fs::canonicalize(scratch.path()).unwrap().join("it's a \"r\u{e9}po\" \u{1f600}");
    let mut cases = Vec::new();
    for (name, version, format, text) in [
        ("plain", Some("1.0"), "py", "name = 'plain'\nversion = '1.0'\n"),
        ("plain", Some("2-beta"), "yaml", "name: plain\nversion: 2-beta\n"),
        ("bare", None, "py", "name = 'bare'\n"),
        ("a.b_c", Some("1"), "py", "variants = [['x-1'], ['y']]\n"),
        ("some", None, "yaml", "variants: [[x-1]]\n"),
    ] {
        let mut directory = repository.join(name);
        directory.extend(version);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("package.{format}")), text).unwrap();
        cases.push(json!({ "name": name, "version": version, "repository": repository }));
    }
    let Value::Array(found) = ask("written", json!(cases)) else { panic!("no list") };
    assert_eq!(found.len(), 6);
    for variant in found {
        let text = variant["text"].as_str().unwrap();
        let handle = registration::parse(text.as_bytes()).unwrap();
        assert_eq!(registration::encode(&handle), text);
        assert_eq!(handle.to_dict(), variant["handle"]);
        let path = ["/cache", &handle.name, handle.version_dir(), &handle.h4()].join("/");
        assert_eq!(variant["path"], json!(path));
        let uri = variant["uri"].as_str().unwrap();
        let definition = if uri.contains(".yaml[") { "package.yaml" } else { "package.py" };
        assert_eq!(handle.uri_with(definition), uri);
        assert_eq!(variant["qualified_name"], json!(handle.qualified_name()));
        assert_eq!(variant["package_name"], json!(handle.package_name()));
        assert_eq!(variant["base"], json!(handle.package_dir()));
    }
}

#[test]
fn stems_follow_one_another_as_in_rez() {
    let mut previous = vec!["a".to_owned()];
    while previous.len() < 20_000 {
        previous.push(layout::next_stem(previous.last().map(String::as_str)));
    }
    for (stem, next) in previous.iter().zip(ask_each("stems", json!(previous))) {
        assert_eq!(json!(layout::next_stem(Some(stem))), next);
    }
}

#[test]
fn names_are_valid_where_rez_says_so() {
    let mut dice = Dice::new(3);
    let mut texts: Vec<_> = (0..8_000)
        .map(|_| dice.text("aZ09_..--+é\u{660}Ａ \n\t'\\\u{1f600}", 5))
        .filter(|text| !text.contains('\\'))
        .collect();
    texts.extend(
        ["__pycache__", "_NO_VERSION", "a\n", "1\n", "", ".", "..", "a..b", ".sys"]
            .map(str::to_owned),
    );
    let answers = ask_each("names", json!(texts));
    for (text, answer) in texts.iter().zip(&answers) {
        assert_eq!(answer["package"], json!(names::is_valid_package_name(text)), "{text:?}");
        // rez takes the empty version for none, which is no directory's name.
        let version = names::is_valid_version(text) || text.is_empty();
        assert_eq!(answer["version"], json!(version), "{text:?}");
    }
}
