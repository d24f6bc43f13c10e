//! The program that rez's Python runs.
//!
//! It keeps questions apart: what a definition does to its process ends with the answer.

use std::time::Duration;

/// In which manner it does that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    /// It answers by itself, or
    pub(crate) program: &'static str,
    /// has processes made ready that run this,
    pub(crate) argument: Option<&'static str>,
    /// which may take so long until they have loaded rez.
    pub(crate) readiness: Duration,
}

/// Answers one question.
const ONCE: &str = concat!(include_str!("program/answers.py"), include_str!("program/once.py"));

impl Manner {
    /// This program has a process made ready for each question, which may take as long as that
    /// takes to load rez.
    pub(crate) const fn by_processes(program: &'static str) -> Self {
        Self { program, argument: Some(ONCE), readiness: Duration::from_secs(10) }
    }

    /// What Python is told to run.
    pub(crate) fn arguments<'a>(self) -> impl Iterator<Item = &'a str> {
        ["-c", self.program].into_iter().chain(self.argument)
    }

    /// How much longer than its definition an answer may take.
    pub(crate) fn readiness(self) -> Duration {
        self.readiness
    }
}
