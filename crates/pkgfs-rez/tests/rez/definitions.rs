//! Definitions: where one is read as literal, rez loads the same from it.

use std::{collections::BTreeMap, fs};

use pkgfs_rez::{
    Definition, Format, Reading, RezSettings, VariantError, is_cachable, is_relocatable, read,
    subpath,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    dice::Dice,
    fixtures::Fixtures,
    oracle::{ask_each, scratch},
    sources,
};

/// A definition, and the settings to ask about it under.
#[derive(Serialize, Deserialize)]
struct Case {
    text: String,
    simple: bool,
    settings: Settings,
}

/// Of the settings by package those for the package itself and for others, likewise by repository.
#[derive(Serialize, Deserialize)]
struct Settings {
    cachable: Option<bool>,
    cachable_per_package: Flags,
    cachable_per_repository: Flags,
    relocatable: bool,
    relocatable_per_package: Flags,
    relocatable_per_repository: Flags,
}

#[derive(Serialize, Deserialize)]
struct Flags {
    own: Option<bool>,
    other: Option<bool>,
}

/// A case as it lies on disk.
struct Placed {
    case: Case,
    name: String,
    settings: RezSettings,
}

const VERSION: &str = "1.0";

impl Flags {
    fn random(dice: &mut Dice) -> Self {
        let mut flag = || dice.once_in(3).then(|| dice.once_in(2));
        Self { own: flag(), other: flag() }
    }

    fn by(&self, own: &str, other: &str) -> BTreeMap<String, bool> {
        let flags = [(own, self.own), (other, self.other)];
        flags.iter().filter_map(|(key, flag)| Some(((*key).to_owned(), (*flag)?))).collect()
    }
}

impl Settings {
    fn random(dice: &mut Dice) -> Self {
        Self {
            cachable: [None, Some(true), Some(false)][dice.roll(3)],
            cachable_per_package: Flags::random(dice),
            cachable_per_repository: Flags::random(dice),
            relocatable: dice.once_in(2),
            relocatable_per_package: Flags::random(dice),
            relocatable_per_repository: Flags::random(dice),
        }
    }

    fn of(&self, name: &str, repository: &str) -> RezSettings {
        RezSettings {
            default_cachable: self.cachable,
            default_cachable_per_package: self.cachable_per_package.by(name, "other"),
            default_cachable_per_repository: self.cachable_per_repository.by(repository, "/other"),
            default_relocatable: self.relocatable,
            default_relocatable_per_package: self.relocatable_per_package.by(name, "other"),
            default_relocatable_per_repository: self
                .relocatable_per_repository
                .by(repository, "/other"),
            ..RezSettings::default()
        }
    }
}

/// What came of a batch, so that a test cannot pass by reading nothing.
#[derive(Default, Debug)]
struct Tally {
    literal: usize,
    simple: usize,
    simple_and_read: usize,
    broken: usize,
    roots: usize,
}

fn compare(
    format: Format,
    count: usize,
    dice: &mut Dice,
    text: fn(&mut Dice) -> (String, bool),
) -> Tally {
    let scratch = scratch();
    let repository = fs::canonicalize(scratch.path()).unwrap();
    let location = repository.to_str().unwrap();
    let file = if format == Format::Python { "package.py" } else { "package.yaml" };
    let fixtures = Fixtures::of(file);
    let generated = (0..count).map(|_| {
        let (text, simple) = text(dice);
        Case { text, simple, settings: Settings::random(dice) }
    });
    let place = |(number, case): (usize, Case)| {
        let name = format!("package{number}");
        let directory = repository.join(&name).join(VERSION);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(file), &case.text).unwrap();
        let settings = case.settings.of(&name, location);
        Placed { case, name, settings }
    };
    let cases: Vec<_> = fixtures.and(generated).into_iter().enumerate().map(place).collect();
    let questions: Vec<_> = cases
        .iter()
        .map(|case| {
            let settings = &case.settings;
            json!({ "name": case.name, "version": VERSION, "repository": location, "settings": {
                "default_cachable": settings.default_cachable,
                "default_cachable_per_package": settings.default_cachable_per_package,
                "default_cachable_per_repository": settings.default_cachable_per_repository,
                "default_relocatable": settings.default_relocatable,
                "default_relocatable_per_package": settings.default_relocatable_per_package,
                "default_relocatable_per_repository": settings.default_relocatable_per_repository,
            }})
        })
        .collect();
    let mut tally = Tally::default();
    for (placed, answer) in cases.iter().zip(ask_each("definitions", json!(questions))) {
        let Case { text, simple, .. } = &placed.case;
        let reading = read(text.as_bytes(), format);
        let told = format!("{text:?}\nread as {reading:?}\nrez: {answer:#}");
        tally.simple += usize::from(*simple);
        tally.simple_and_read +=
            usize::from(*simple && !matches!(reading, Reading::NotLiteral { .. }));
        fixtures.check(&placed.case, || match reading {
            Reading::Literal(definition) => {
                tally.literal += 1;
                tally.roots += same(placed, location, &definition, &answer, &told);
            }
            Reading::Broken { .. } => {
                tally.broken += 1;
                assert!(fails(&answer), "rez has nothing against it\n{told}");
            }
            Reading::NotLiteral { .. } => {
                // `!foo` and the like are text in Python alone: YAML wants them quoted.
                assert!(!simple || format == Format::Yaml, "it is left to rez\n{told}");
            }
        });
    }
    tally
}

fn fails(answer: &Value) -> bool {
    ["data", "variants", "hashed_variants", "cachable", "relocatable"]
        .iter()
        .any(|part| answer[part].get("error").is_some())
}

/// Asserts that rez loaded the same; the number of roots that were compared.
fn same(
    placed: &Placed,
    location: &str,
    definition: &Definition,
    answer: &Value,
    told: &str,
) -> usize {
    let Placed { case, name, settings } = placed;
    if answer["data"].get("error").is_some() {
        // rez trips over keys that are no text, whatever they are keys of.
        assert!(case.text.contains("table = "), "rez cannot load it\n{told}");
        return 0;
    }
    let cachable = is_cachable(definition, name, location, settings);
    let relocatable = is_relocatable(definition, name, location, settings);
    for (part, ours) in [
        ("hashed_variants", json!(definition.hashed_variants)),
        ("cachable", json!(definition.cachable)),
        ("relocatable", json!(definition.relocatable)),
        ("is_cachable", json!(cachable)),
        ("is_relocatable", json!(relocatable)),
        ("base", json!(format!("{location}/{name}/{VERSION}"))),
    ] {
        assert_eq!(answer[part]["value"], ours, "{part}\n{told}");
    }
    for (part, ours) in [
        ("has_timestamp", json!(definition.has_timestamp)),
        ("requirements", json!(definition.variants)),
    ] {
        assert_eq!(answer[part], ours, "{part}\n{told}");
    }
    for (part, ours) in [("name", &definition.name), ("version", &definition.version)] {
        assert!(ours.is_none() || answer[part] == json!(ours), "{part}\n{told}");
    }
    let indices: Vec<Option<u32>> = if definition.variants.is_empty() {
        vec![None]
    } else {
        (0..).map(Some).take(definition.variants.len()).collect()
    };
    let subpaths: Vec<_> = indices.iter().map(|index| subpath(definition, *index)).collect();
    if answer["variants"].get("error").is_some() {
        let left_to_rez =
            subpaths.iter().any(|path| matches!(path, Err(VariantError::NotPlain(_))));
        assert!(left_to_rez, "rez refuses the variants\n{told}");
        return 0;
    }
    let roots = answer["roots"]["value"].as_array().unwrap();
    assert_eq!(roots.len(), indices.len(), "{told}");
    let mut compared = 0;
    for ((index, subpath), root) in indices.iter().zip(subpaths).zip(roots) {
        match subpath {
            Ok(subpath) => {
                let mut path = format!("{location}/{name}/{VERSION}");
                if !subpath.parts.is_empty() {
                    path = format!("{path}/{subpath}");
                }
                assert_eq!(root["value"], json!([index, path]), "{told}");
                compared += 1;
            }
            Err(VariantError::Empty(_)) => assert!(root.get("error").is_some(), "{told}"),
            Err(VariantError::NotPlain(_)) => {}
            Err(error) => panic!("{error}\n{told}"),
        }
    }
    compared
}

#[test]
fn a_literal_package_py_says_what_rez_loads_from_it() {
    let tally = compare(Format::Python, 1_200, &mut Dice::new(6), sources::python);
    assert!(tally.literal > 400 && tally.broken > 30 && tally.roots > 400, "{tally:?}");
}

#[test]
fn a_plain_package_yaml_says_what_rez_loads_from_it() {
    let tally = compare(Format::Yaml, 800, &mut Dice::new(7), sources::yaml);
    assert!(tally.simple_and_read * 10 > tally.simple * 7, "{tally:?}");
    assert!(tally.literal > 200 && tally.broken > 20 && tally.roots > 200, "{tally:?}");
}
