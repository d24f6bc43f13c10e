//! The view once more with its repository on a real network file system: sshfs to an sshd of our
//! own. It keeps the stand-in honest, which the other tests use because it can count.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../view/comparison.rs"]
mod comparison;
mod outage;
mod process_tree;
mod share;
#[allow(dead_code, reason = "the payload that the tests of the view use, not all of it here")]
#[path = "../view/tree.rs"]
mod tree;
mod view;
