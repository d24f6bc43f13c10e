//! Names, versions and requirements, as hostile as rez allows.

use fastrand::Rng;

pub(super) fn pick<'a>(dice: &mut Rng, from: &[&'a str]) -> &'a str {
    from[dice.usize(..from.len())]
}

/// A family's name; the number makes it the only one.
pub(super) fn name(dice: &mut Rng, number: usize) -> String {
    match dice.u8(..8) {
        0 => format!("P{number}.x"),
        1 => format!("_p{number}"),
        2 => format!("{number}p"),
        3 => format!("p_{number}__"),
        4 => format!("a.b.c{number}"),
        5 => format!("p{number}.py"),
        _ => format!("p{number}"),
    }
}

/// The name of a version's directory.
pub(super) fn version(dice: &mut Rng) -> String {
    const PLAIN: [&str; 16] = [
        "1",
        "1.0",
        "2.2.6",
        "1.0-beta",
        "1_0",
        "v1",
        "2024.01.05",
        "007",
        "latest",
        "0",
        "1.0.0-rc.1",
        "1.10",
        "1a2b3c",
        "master",
        "_",
        "_NO_VERSION",
    ];
    if dice.u8(..3) != 0 {
        return pick(dice, &PLAIN).to_owned();
    }
    let mut text = token(dice);
    for _ in 0..dice.u8(..5) {
        text += pick(
            dice,
            &[".", "-", "+", " ", "'", "\"", "é", "$", "%", "[", ":", "雪", "\u{a0}", "\u{1f980}"],
        );
        text += &token(dice);
    }
    if dice.u8(..20) == 0 {
        text += &format!(".{}", "9".repeat(150));
    }
    text
}

fn token(dice: &mut Rng) -> String {
    pick(dice, &["0", "1", "2", "10", "07", "a", "B", "rc1", "x_y", "_"]).to_owned()
}

/// A requirement that rez takes, nearly always.
pub(super) fn requirement(dice: &mut Rng) -> String {
    if dice.u8(..80) == 0 {
        return pick(dice, &["a b", "", "foo-2+<1", "föö", "foo--", "foo-1\n", "foo/bar", "!"])
            .to_owned();
    }
    let name = pick(
        dice,
        &[
            "python", "platform", "os", "arch", "maya", "usd_core", "vfx.base", "_x", "9lives",
            "Foo",
        ],
    );
    let mark = pick(dice, &["", "", "", "", "", "!", "~"]);
    if dice.u8(..10) == 0 {
        return format!(".{name}-{}", dice.u8(..9));
    }
    let at = |dice: &mut Rng| {
        let more = pick(dice, &["", ".0", ".1.2", "-beta", "_x", ".07", ".rc1"]);
        format!("{}{more}", dice.u8(1..20))
    };
    let (low, high) = (at(dice), format!("{}", dice.u8(20..40)));
    let range = match dice.u8(..18) {
        0 => String::new(),
        1..=6 => format!("-{low}"),
        7 => format!("=={low}"),
        8 => format!(">={low}"),
        9 => format!("-{low}+<{high}"),
        10 => format!("-{low}..{high}"),
        11 => format!("-{low}|{high}"),
        12 => format!(">={low},<={high}"),
        13 => format!("<{high}"),
        14 => format!("@{low}"),
        15 => format!("#{low}"),
        16 => format!("-{low}+|{high}|=={}", at(dice)),
        _ => format!("<{high},>{low}"),
    };
    format!("{mark}{name}{range}")
}

/// Lists of requirements, one for each variant; two of a package are never the same.
pub(super) fn variants(dice: &mut Rng) -> Vec<Vec<String>> {
    let mut variants: Vec<Vec<String>> = Vec::new();
    for _ in 0..dice.usize(..5) {
        let fewest = usize::from(dice.u8(..30) != 0);
        let variant = (0..dice.usize(fewest..4)).map(|_| requirement(dice)).collect();
        if !variants.contains(&variant) {
            variants.push(variant);
        }
    }
    variants
}
