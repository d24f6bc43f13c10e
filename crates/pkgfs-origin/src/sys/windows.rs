//! Windows.

pub(crate) mod channel;
pub(crate) mod children;
pub(crate) mod mounts;
pub(crate) mod paths;
pub(crate) mod storage;
