//! Requirements: what is printed here is what rez prints, and what rez refuses is not printed.

use pkgfs_rez::requirement;
use serde_json::json;

use crate::{dice::Dice, fixtures::Fixtures, oracle::ask_each};

fn version(dice: &mut Dice) -> String {
    let tokens = ["0", "1", "2", "10", "007", "alpha", "_", "rc1", "2b", "11"];
    (0..=dice.roll(3))
        .map(|at| {
            let separator = if at == 0 { "" } else { dice.pick(&[".", ".", "-", "..", "+"]) };
            format!("{separator}{}", dice.pick(&tokens))
        })
        .collect()
}

fn range(dice: &mut Dice) -> String {
    let (a, b) = (version(dice), version(dice));
    match dice.roll(26) {
        0 => String::new(),
        1..=5 => a,
        6 => format!("=={a}"),
        7 => format!(">={a}"),
        8 => format!("<={a}"),
        9 => format!(">{a}"),
        10 => format!("<{a}"),
        11 => format!("{a}+"),
        12 | 13 => format!("{a}+<{b}"),
        14 => format!(">={a},<{b}"),
        15 => format!("{a}..{b}"),
        16 => format!("{a}|{b}"),
        17 => format!(">{a}<={b}"),
        18 => format!(">={a}<{b}"),
        19 => format!("{a}+,<{b}"),
        20 => format!("<{b},>={a}"),
        21 => format!("{a}|{b}+|{}", version(dice)),
        22 => format!("{a}+<{b}|{}..{}", version(dice), version(dice)),
        23 => format!("<{a}|>{b}|=={}", version(dice)),
        24 => format!(
            "{}{a}{}{b}",
            dice.pick(&["", "<", "<=", ">", ">="]),
            dice.pick(&[",>", ",>=", ",<", "|<="])
        ),
        _ => dice.text("012.-+<>=,|*~ a", 6),
    }
}

fn spelling(dice: &mut Dice) -> String {
    if dice.once_in(12) {
        return dice.text("ab1._-@#=<>!~+, \n\té/|", 8);
    }
    let prefix = dice.pick(&["", "", "", "", "", "!", "~", ".", "!.", "~.", "."]);
    let name = dice.pick(&["foo", "a.b", "python", "x_1", "0", "Foo", "__pycache__", "a..b", "é"]);
    let separator = dice.pick(&["", "-", "-", "-", "-", "@", "#", "--", "-#"]);
    let trailing = if dice.once_in(20) { dice.pick(&["\n", " ", "\u{a0}"]) } else { "" };
    format!("{prefix}{name}{separator}{}{trailing}", range(dice))
}

#[test]
fn requirements_print_as_in_rez_and_what_it_refuses_is_not_printed() {
    let mut dice = Dice::new(4);
    let fixtures = Fixtures::of("requirements");
    let texts: Vec<String> = fixtures.and((0..30_000).map(|_| spelling(&mut dice)));
    let mut printed = 0;
    for (text, answer) in texts.iter().zip(ask_each("requirements", json!(texts))) {
        let ours = requirement::print(text);
        printed += usize::from(ours.is_some());
        fixtures.check(text, || match ours {
            Some(ours) => assert_eq!(answer["value"], json!([ours, ours]), "{text:?}: {answer}"),
            None => {
                // A part that is nothing but a line break is left to rez.
                let left = ["-\n", "@\n", "#\n", "|\n"].iter().any(|empty| text.contains(empty));
                assert!(left || answer.get("value").is_none(), "{text:?}: {answer}");
            }
        });
    }
    assert!(printed > 5_000, "{printed} printed");
}

#[test]
fn the_spellings_found_in_variants_are_all_printed() {
    let mut dice = Dice::new(5);
    let fixtures = Fixtures::of("common_requirements");
    let texts: Vec<String> = fixtures.and((0..2_000).map(|_| {
        let name = dice.pick(&["python", "platform", "arch", "maya", "usd_core", "vfx.base"]);
        let (major, minor) = (dice.roll(30), dice.roll(12));
        match dice.roll(6) {
            0 => name.to_owned(),
            1 => format!("{name}-{major}"),
            2 => format!("{name}-{major}.{minor}"),
            3 => format!("{name}=={major}.{minor}.1"),
            4 => format!("{name}>={major}.{minor}"),
            _ => format!("{name}-{major}.{minor}+<{}", major + 1),
        }
    }));
    for (text, answer) in texts.iter().zip(ask_each("requirements", json!(texts))) {
        fixtures.check(text, || {
            assert_eq!(answer["value"][0], json!(requirement::print(text)), "{text}");
        });
    }
}
