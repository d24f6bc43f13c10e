//! Makes texts of definitions: mostly what rez's users write, some of it wrong, some of it code.

mod python;
mod yaml;

pub(crate) use python::{CODE, python};
pub(crate) use yaml::yaml;

use crate::dice::Dice;

const REQUIREMENTS: [&str; 16] = [
    "python-3.11",
    "platform-linux",
    "foo",
    "foo==1.2",
    "foo>=1.2",
    "foo-1+<2.1",
    "foo@1",
    "foo#2",
    "foo<3",
    "!foo-1",
    "~foo-1",
    ".variant-cuda",
    "foo-1|2",
    "foo-1..3",
    "foo-2+<1",
    "not a requirement",
];

fn requirement(dice: &mut Dice) -> &'static str {
    // The last ones are refused by rez, or printed by rez alone.
    let known = if dice.once_in(12) { REQUIREMENTS.len() } else { 10 };
    REQUIREMENTS[dice.roll(known)]
}
