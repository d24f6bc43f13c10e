//! Kills and faults: of the daemon, of the process that reads shared storage, of shared storage
//! itself, and of the disk that holds the store.

#![allow(clippy::unwrap_used, missing_docs)]

mod disk_full;
mod hand_over;
mod killed;
mod load;
mod packages;
mod process;
mod restart;
mod restless;
mod silent;
mod soak;
mod storage_fails;
mod storage_gone;
mod store;
mod store_lost;
mod store_refuses;
mod wedged;
mod worker_killed;
