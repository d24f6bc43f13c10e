//! Modes, descriptors, and `/proc`.

mod files;
mod processes;
mod writable;

pub(crate) use files::*;
pub(crate) use processes::*;
pub(crate) use writable::*;
