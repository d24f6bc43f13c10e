//! How a process of rez is started and ended on each system.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{Answers, Child, MANNER, Questions, WITHOUT_FORK, start};
#[cfg(windows)]
pub(crate) use windows::{Answers, Child, MANNER, Questions, WITHOUT_FORK, start};

/// A process that was just started, and our ends of its input and output.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) questions: Questions,
    pub(crate) answers: Answers,
}
