//! The control protocol: one JSON request a line, one JSON answer a line, over a Unix socket.
//!
//! ```text
//! {"cmd":"stats"}                              → {"stats":{…}}
//! {"cmd":"set","delay_us":500,"slots":16}      → "done"
//! {"cmd":"fault","kind":"hang","ops":["read"]} → "done"
//! {"cmd":"release"}                            → {"released":1}
//! {"cmd":"fault","kind":"what"}                → {"refused":"unknown variant …"}
//! ```
//!
//! Each connection has a thread, because `forget` can wait for a hung operation that only a
//! `release` on another connection ends.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Weak;
use std::thread;

use serde::{Deserialize, Serialize};

use crate::counts::{Stats, Trace};
use crate::faults::Fault;
use crate::standin::Steering;

/// What a stand-in can be asked. Paths are relative to the mount and must be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The counts and settings.
    Stats,
    /// Zero the counts and empty the trace.
    Reset,
    /// Change the cost; what is not given stays.
    Set {
        /// Microseconds an operation spends in service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delay_us: Option<u64>,
        /// Operations in service at a time, at least 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slots: Option<usize>,
        /// Bytes a second; 0 lifts the limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bandwidth: Option<u64>,
    },
    /// Count apart what happens at and below these paths; replaces the ones before.
    Watch {
        /// The paths.
        paths: Vec<PathBuf>,
    },
    /// Begin a trace afresh, end it, or (without `on`) answer it.
    Trace {
        /// Whether to trace from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<bool>,
    },
    /// Add a rule.
    Fault(Fault),
    /// Remove every rule. What hangs already goes on hanging until `release`.
    ClearFaults,
    /// Remove the rules that hang and let go on what hangs.
    Release,
    /// Make the kernel drop all it keeps of a path and what is below it (`""`: everything), so
    /// that a change of the source is seen at once. A kept miss is dropped by its own path or
    /// that of a directory above it, except `""`.
    Forget {
        /// The path.
        path: PathBuf,
    },
}

/// What a stand-in answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Done, with nothing to tell.
    Done,
    /// The counts and settings.
    Stats(Box<Stats>),
    /// The trace.
    Trace(Trace),
    /// How many operations hung.
    Released(usize),
    /// Not understood, or refused by the kernel.
    Refused(String),
}

/// Accepts connections until the stand-in is gone.
pub(crate) fn serve(listener: &UnixListener, steering: &Weak<Steering>) {
    for connection in listener.incoming() {
        let Ok(connection) = connection else { return };
        let steering = Weak::clone(steering);
        let answer = move || answer_lines(&connection, &steering).ok();
        thread::Builder::new().name("standin-client".to_owned()).spawn(answer).ok();
    }
}

fn answer_lines(connection: &UnixStream, steering: &Weak<Steering>) -> io::Result<()> {
    for line in BufReader::new(connection).lines() {
        let Some(steering) = steering.upgrade() else {
            return Ok(());
        };
        let answer = match serde_json::from_str(&line?) {
            Ok(request) => {
                let refused = |error: io::Error| Answer::Refused(error.to_string());
                steering.handle(request).unwrap_or_else(refused)
            }
            Err(error) => Answer::Refused(error.to_string()),
        };
        drop(steering);
        let mut text = serde_json::to_string(&answer)?;
        text.push('\n');
        (&mut &*connection).write_all(text.as_bytes())?;
    }
    Ok(())
}
