//! Whole-system tests: a repository, the real `pkgfs`, a mount, and the proof that nothing is left.
//!
//! A [`Scene`] is a directory with a rez repository in it, plain or behind a stand-in for shared
//! storage that costs, counts and fails. [`Scene::mount`] runs the real program on it as one user
//! with a home, a configuration and a store of its own, and gives a [`Mounted`]. Dropping that
//! unmounts, and fails the test if a mount, a process or the mountpoint is left.
//!
//! No rez is asked: its settings are given ([`MountOptions::rez_settings`]), and packages say
//! themselves that they may be cached.
//!
//! Everything here ends the test, with what happened, when a step fails.
//!
//! ```no_run
//! use pkgfs_tests::{MountOptions, Scene};
//!
//! let scene = Scene::new();
//! scene.repository().release("numpy", "2.2.6", |root| {
//!     std::fs::write(root.join("numpy.py"), "print('hello')").unwrap();
//! });
//! let mounted = scene.mount(&MountOptions::default());
//! let root = mounted.payload("numpy", "2.2.6", None);
//! assert_eq!(std::fs::read(root.join("numpy.py")).unwrap(), b"print('hello')");
//! ```

#![allow(clippy::unwrap_used, reason = "in a test's support, a failed step fails the test")]

mod mapping;
mod mounted;
mod options;
mod processes;
mod programs;
mod ran;
mod repository;
mod scene;
mod tree;
mod user;

pub use mapping::Mapping;
pub use mounted::{Mounted, Serving};
pub use options::MountOptions;
pub use pkgfs_rez::VariantHandle;
pub use pkgfs_standin as standin;
pub use processes::{ends, eventually};
pub use programs::built;
pub use ran::Ran;
pub use repository::Repository;
pub use scene::Scene;
pub use tree::{Seen, Tree};
pub use user::User;
