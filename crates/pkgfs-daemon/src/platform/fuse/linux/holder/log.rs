//! The log of a holder: its daemon's.

use std::{
    io::{self, Write},
    path::Path,
};

use crate::log_file;

/// Sends what `tracing` collects to a log that another process writes, and begins anew: it is opened
/// for each line, of which there are few.
pub(super) fn join(path: &Path) {
    let path = path.to_owned();
    let writer = move || -> Box<dyn Write> {
        match log_file::open(&path) {
            Ok(file) => Box::new(file),
            Err(_) => Box::new(io::stderr()),
        }
    };
    let subscriber = tracing_subscriber::fmt().with_target(false).with_ansi(false);
    // Only the first of a process counts.
    let _ = subscriber.with_writer(writer).try_init();
}
