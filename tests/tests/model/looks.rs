//! Looking at a variant, and what the model says of what was seen.

use std::io;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::io::Errno;

use crate::expected::{Node, is};
use crate::files::{ATTEMPTS, Files, Way};
use crate::run::{Judged, Variant};

/// Something that is looked at.
pub(crate) enum Plan {
    Read(String, String, Range<usize>, Way),
    List(String, String),
    Attempt(String, String, usize),
    Touch(String),
}

impl Plan {
    /// Looks.
    pub(crate) fn perform(self, files: &impl Files) -> Done {
        match self {
            Self::Read(payload, path, part, way) => {
                let read = files.read(&format!("{payload}/{path}"), part.clone(), way);
                Done::Read(path, part, read)
            }
            Self::List(payload, path) => {
                let at = format!("{payload}/{path}");
                let names = files.names(at.trim_end_matches('/'));
                Done::List(path, names)
            }
            Self::Attempt(payload, path, what) => {
                let attempt = ATTEMPTS[what % ATTEMPTS.len()];
                let at = format!("{payload}/{path}");
                let made = files.attempt(attempt, &format!("{payload}/d"), &at);
                Done::Attempt(path, made)
            }
            Self::Touch(payload) => {
                let json = format!("{payload}.json");
                let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
                let touched = files.touch(&json).and_then(|()| files.modified(&json));
                Done::Touch(touched.map(|at| at >= before.cast_signed()))
            }
        }
    }
}

/// What came of it.
pub(crate) enum Done {
    Read(String, Range<usize>, io::Result<Vec<u8>>),
    List(String, io::Result<Vec<String>>),
    Attempt(String, io::Result<()>),
    Touch(io::Result<bool>),
}

impl Done {
    pub(crate) fn judge(&self, variant: &Variant) -> Judged {
        match self {
            Self::Read(path, _, Err(error)) if is(error, Errno::ISDIR) => {
                if variant.tree.get(path) == Some(&Node::Directory) {
                    return Ok(());
                }
                Err("it is a directory".to_owned())
            }
            Self::Read(path, part, read) => variant
                .shown
                .judge_read(path, part, read)
                .map_err(|wrong| format!("{path}: {wrong}")),
            Self::List(path, names) => {
                variant.shown.judge_names(path, names).map_err(|wrong| format!("{path}: {wrong}"))
            }
            Self::Attempt(path, made) => {
                variant.shown.judge_attempt(path, made).map_err(|wrong| format!("{path}: {wrong}"))
            }
            Self::Touch(Ok(true)) => Ok(()),
            Self::Touch(Ok(false)) => Err("its time is before it was touched".to_owned()),
            Self::Touch(Err(error)) => Err(error.to_string()),
        }
    }

    pub(crate) fn is_missing(&self) -> Judged {
        let error = match self {
            Self::Read(_, _, read) => read.as_ref().err(),
            Self::List(_, names) => names.as_ref().err(),
            Self::Attempt(_, made) => made.as_ref().err(),
            Self::Touch(touched) => touched.as_ref().err(),
        };
        match error {
            Some(error) if is(error, Errno::NOENT) => Ok(()),
            Some(error) => Err(format!("{error}, where nothing is registered")),
            None => Err("it is there, and is not registered".to_owned()),
        }
    }
}
