//! The programs that take part, built as users run them: optimised.

use std::path::PathBuf;
use std::rc::Rc;

use anyhow::Result;

use super::graveyard::Graveyard;
use crate::demo::strays::Strays;
use crate::process::{self, cargo};
use crate::workspace;

/// The built programs.
#[derive(Clone)]
pub(super) struct Programs {
    /// The product.
    pub(super) pkgfs: PathBuf,
    /// The stand-in for shared storage.
    pub(super) standin: PathBuf,
    /// What reads.
    pub(super) reader: PathBuf,
    /// Daemons that unmounting fails to end: ended when the last of these is dropped.
    pub(super) strays: Rc<Strays>,
    /// What is done with.
    pub(super) graveyard: Rc<Graveyard>,
}

impl Programs {
    /// Builds them; in the development profile where nothing is to be timed.
    pub(super) fn build(quick: bool) -> Result<Self> {
        // All of them where the tests have built all: the same dependencies with other features
        // would be built once more.
        let what = if quick {
            &["build", "--bins", "--workspace"][..]
        } else {
            &["build", "--bins", "--release", "-p", "pkgfs", "-p", "pkgfs-standin", "-p", "xtask"]
        };
        process::run(&mut cargo(what))?;
        let directory = workspace::target_dir().join(if quick { "debug" } else { "release" });
        let program = |name| directory.join(name);
        Ok(Self {
            pkgfs: program("pkgfs"),
            standin: program("pkgfs-standin"),
            reader: program("pkgfs-bench-reader"),
            strays: Rc::new(Strays::new("BENCH_MOUNT")),
            graveyard: Rc::new(Graveyard::new()?),
        })
    }
}
