//! Handles, the read-only attribute, and processes without threads of their own number.

mod files;
mod processes;
mod writable;

pub(crate) use files::*;
pub(crate) use processes::*;
pub(crate) use writable::*;
