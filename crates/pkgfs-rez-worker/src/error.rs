//! Why rez gave no answer.

use std::time::Duration;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RezError {
    /// The process could not be started, or is no rez.
    #[error("`{command}` cannot be asked ({reason}); put rez on PATH or set rez.python_command")]
    Start {
        /// The command, as it was given.
        command: String,
        /// What went wrong.
        reason: String,
    },
    /// rez raised an exception: it cannot use this package, or the question made no sense to it.
    #[error("rez says {0}")]
    Raised(String),
    /// No answer within the deadline.
    #[error("rez did not answer within {} s", after.as_secs())]
    TimedOut {
        /// The deadline.
        after: Duration,
    },
    /// Other questions took all of the deadline.
    #[error("rez was busy with other packages for {} s", after.as_secs())]
    Busy {
        /// The deadline.
        after: Duration,
    },
    /// The process that read the definition ended in the midst of it.
    #[error("the definition ended the process of rez that read it")]
    Died,
    /// The process said something else than an answer.
    #[error("the process of rez answered what is not understood: {0}")]
    Answer(String),
    /// Processes before it hang in the kernel.
    #[error("{0} processes of rez hang in the kernel; none is started until one ends")]
    LeftBehind(usize),
}
