//! What a run of a program came to.

use std::process::{Command, Output};

/// An ended program: its exit code and what it said.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Runs a command to its end.
    pub fn new(command: &mut Command) -> Self {
        let output = command.output();
        output.unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}")).into()
    }

    /// It must have succeeded.
    #[must_use]
    pub fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "it failed: {}{}", self.out, self.err);
        self
    }

    /// It must have failed.
    #[must_use]
    pub fn bad(self) -> Self {
        assert!(self.code.is_some_and(|code| code != 0), "it did not fail: {self:?}");
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}
