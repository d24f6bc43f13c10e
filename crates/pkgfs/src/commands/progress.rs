//! Progress on standard error: a bar on a terminal, now and then a line elsewhere.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{bytes, note};

/// How often a line is written where no bar can be shown.
const LINE_EVERY: Duration = Duration::from_secs(2);

pub(super) enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines(Instant),
}

impl Shown {
    pub(super) fn new(quiet: bool) -> Self {
        if quiet {
            return Self::Nothing;
        }
        if !io::stderr().is_terminal() {
            return Self::Lines(Instant::now());
        }
        let bar = ProgressBar::new(0);
        let style = "{bar:30} {bytes} of {total_bytes}  {msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    /// So many bytes are done of those known, and what else is to be said.
    pub(super) fn progress(&mut self, done: u64, known: u64, told: impl FnOnce() -> String) {
        match self {
            Self::Nothing => {}
            Self::Bar(bar) => {
                bar.set_length(known);
                bar.set_position(done);
                bar.set_message(told());
            }
            Self::Lines(last) => {
                if last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    note(&format!("{} of {}, {}", bytes(done), bytes(known), told()));
                }
            }
        }
    }

    pub(super) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
