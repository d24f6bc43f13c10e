//! What a Windows program sees of a package cache, as scenarios that run anywhere.
//!
//! A scenario is a function over a [`Driver`], which does what programs do with files, and a
//! [`Subject`], which starts whoever provides the cache. The drivers are the stand-in for ProjFS, for
//! machines without, and Windows itself. So what the stand-in promises is checked by Windows wherever
//! both run the same scenarios, and the subject is checked where only the stand-in is at hand.

pub mod copied;
pub mod driver;
pub mod mutations;
pub mod pkgfs;
pub mod reference;
pub mod scenarios;
pub mod scene;
pub mod standin;
pub mod subject;
#[cfg(windows)]
pub mod win32;

pub use driver::Driver;
pub use scenarios::{Outcome, Scenario};
pub use scene::Scene;
pub use subject::Subject;
