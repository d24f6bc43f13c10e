//! A request takes the versions that rez says it takes.

use pkgfs_rez::requirement::Request;
use serde_json::{Value, json};

use crate::{dice::Dice, fixtures::Fixtures, oracle::ask_each};

fn version(dice: &mut Dice) -> String {
    let tokens = [
        "0",
        "1",
        "2",
        "3",
        "10",
        "007",
        "01",
        "alpha",
        "_",
        "rc1",
        "2b",
        "b2",
        "A",
        "a_",
        "1_",
        "_1",
        "20",
        "99999999999999999999999",
    ];
    let token = |dice: &mut Dice| {
        if dice.once_in(8) { dice.text("01aB_", 3) + "9" } else { dice.pick(&tokens).to_owned() }
    };
    (0..=dice.roll(3))
        .map(|at| {
            let separator = if at == 0 { "" } else { dice.pick(&[".", ".", ".", "-"]) };
            format!("{separator}{}", token(dice))
        })
        .collect()
}

fn bound(dice: &mut Dice) -> String {
    let (a, b) = (version(dice), version(dice));
    match dice.roll(22) {
        0 => String::new(),
        1..=4 => a,
        5 => format!("=={a}"),
        6 => format!(">={a}"),
        7 => format!("<={a}"),
        8 => format!(">{a}"),
        9 => format!("<{a}"),
        10 => format!("{a}+"),
        11 | 12 => format!("{a}+<{b}"),
        13 => format!(">={a},<{b}"),
        14 => format!("{a}..{b}"),
        15 => format!(">{a}<={b}"),
        16 => format!(">={a}<{b}"),
        17 => format!("{a}+,<{b}"),
        18 => format!("<{b},>={a}"),
        19 => format!("{a}+<={b}"),
        20 => format!(">{a},<={a}.1"),
        _ => dice.text("012.-+<>=,|*~ a", 6),
    }
}

fn request(dice: &mut Dice) -> String {
    let prefix = if dice.once_in(30) { dice.pick(&["!", "~", "."]) } else { "" };
    let name = dice.pick(&["foo", "a.b", "python", "x_1", "0"]);
    let bounds: Vec<_> = (0..=dice.roll(8) / 6).map(|_| bound(dice)).collect();
    let range = bounds.join("|");
    // rez takes exponential time to find that a long text is no name.
    let bare = range.is_empty() || range.starts_with(['=', '<', '>']);
    let separator =
        dice.pick(if bare { &["-", "@", "#", "", "", ""] } else { &["-", "-", "@", "#"] });
    format!("{prefix}{name}{separator}{range}")
}

/// Asserts that a request takes what rez says; how many versions that are.
fn same(text: &str, versions: &[String], answer: &Value) -> usize {
    let Some(request) = Request::parse(text) else {
        assert!(answer.get("error").is_some(), "{text:?}: {answer}");
        return 0;
    };
    let takes = versions.iter().map(|version| request.takes(request.name(), Some(version)));
    let takes: Vec<_> = takes.collect();
    let ours: Vec<_> =
        [json!(request.name())].into_iter().chain(takes.iter().map(|t| json!(t))).collect();
    assert_eq!(answer["value"], json!(ours), "{text:?} {versions:?}: {answer}");
    takes.iter().filter(|takes| **takes).count()
}

#[test]
fn a_request_takes_what_rez_says() {
    let mut dice = Dice::new(12);
    let fixtures = Fixtures::of("versions");
    let cases: Vec<(String, Vec<String>)> = fixtures.and((0..12_000).map(|_| {
        let mut versions: Vec<_> = (0..10).map(|_| version(&mut dice)).collect();
        versions.push(String::new());
        (request(&mut dice), versions)
    }));
    let mut taken = 0;
    for (case, answer) in cases.iter().zip(ask_each("taken", json!(cases))) {
        taken += fixtures.check(case, || same(&case.0, &case.1, &answer));
    }
    // Taking nothing would agree for most.
    assert!(taken > 10_000, "{taken}");
}
