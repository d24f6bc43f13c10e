//! Access lists, the read-only attribute, and handles that keep names.

mod disk;
mod network;
mod opening;
mod protection;
mod way;

pub(crate) use disk::*;
pub(crate) use network::network_file_system;
pub(crate) use opening::*;
pub(crate) use protection::*;
pub(crate) use way::turnable;
