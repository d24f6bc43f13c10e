//! The scenarios, by what they are about.

mod life;
mod listing;
mod names;
mod reading;
mod refusing;
mod registering;
mod rez;

use std::fmt::Debug;

use anyhow::{bail, ensure};
use pkgfs_projfs_engine::Code;

use crate::{Driver, Scene, Subject, subject::Running};

/// What came of a scenario that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// It needs what this driver or subject does not have.
    Skipped(&'static str),
    /// It needs what this machine does not have.
    Impossible(&'static str),
}

/// A sentence that must hold, and its proof.
pub struct Scenario {
    /// The sentence.
    pub sentence: &'static str,
    /// Plays it.
    proof: fn(&Scene, &dyn Subject) -> anyhow::Result<Outcome>,
    /// Whether it needs a provider, which protects and has a life.
    provided: bool,
}

impl Scenario {
    /// Plays it.
    pub fn play(&self, scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Outcome> {
        if self.provided && subject.abilities().plain {
            return Ok(Outcome::Skipped("plain copies have no provider"));
        }
        (self.proof)(scene, subject)
    }
}

/// All scenarios.
#[must_use]
pub fn all() -> Vec<Scenario> {
    [
        (listing::SCENARIOS, false),
        (reading::SCENARIOS, false),
        (refusing::SCENARIOS, true),
        (names::SCENARIOS, false),
        (rez::SCENARIOS, false),
        (registering::SCENARIOS, true),
        (life::SCENARIOS, true),
    ]
    .into_iter()
    .flat_map(|(scenarios, provided)| scenarios.iter().map(move |scenario| (scenario, provided)))
    .map(|((sentence, proof), provided)| Scenario { sentence, proof: *proof, provided })
    .collect()
}

/// Scenarios of one file.
type Scenarios = &'static [(&'static str, fn(&Scene, &dyn Subject) -> anyhow::Result<Outcome>)];

/// A scene whose provider runs, and a program in it.
struct Stage {
    program: Box<dyn Driver>,
    running: Box<dyn Running>,
}

impl Stage {
    fn new(scene: &Scene, subject: &dyn Subject) -> anyhow::Result<Self> {
        let running = subject.start(scene)?;
        Ok(Self { program: scene.program(), running })
    }

    fn end(self) -> anyhow::Result<Outcome> {
        drop(self.program);
        self.running.stop()?;
        Ok(Outcome::Passed)
    }
}

/// Bytes that differ from each other all along, and from other `seed`s' bytes.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// Fails unless both are the same.
fn same<T: PartialEq + Debug>(what: &str, is: T, should: T) -> anyhow::Result<()> {
    ensure!(is == should, "{what} is {is:?}, not {should:?}");
    Ok(())
}

/// Fails unless these are the bytes, without printing all of them.
fn same_bytes(what: &str, is: &[u8], should: &[u8]) -> anyhow::Result<()> {
    ensure!(is.len() == should.len(), "{what} has {} bytes, not {}", is.len(), should.len());
    let differs = is.iter().zip(should).position(|(is, should)| is != should);
    ensure!(differs.is_none(), "{what} differs from byte {} on", differs.unwrap_or_default());
    Ok(())
}

/// Fails unless something was refused, with one of `codes`.
fn refused<T>(what: &str, result: Result<T, Code>, codes: &[Code]) -> anyhow::Result<()> {
    match result {
        Ok(_) => bail!("{what} was allowed"),
        Err(code) if codes.contains(&code) => Ok(()),
        Err(code) => bail!("{what} was refused with {code}, not {}", codes[0]),
    }
}

/// Says what was being done where it failed.
fn did<T>(what: &str, result: Result<T, Code>) -> anyhow::Result<T> {
    result.map_err(|code| anyhow::anyhow!("{what}: {code}"))
}
