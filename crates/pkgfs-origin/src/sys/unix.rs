//! Linux.

pub(crate) mod channel;
pub(crate) mod children;
pub(crate) mod mounts;
pub(crate) mod names;
pub(crate) mod storage;
