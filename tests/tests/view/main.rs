//! The view of a payload, through the real mount: is it what origin has, does it run, is origin
//! asked once and no more, and what becomes of a file that origin changes.
#![allow(clippy::unwrap_used, missing_docs)]

mod change;
mod comparison;
mod economy;
mod fidelity;
mod flush;
mod foresight;
mod large;
mod links;
mod listings;
mod modes;
mod programs;
mod rest;
mod room;
mod tree;
mod users;
