//! Where things lie: the workspace, and `.work` inside it for all that is made by tasks.

use std::path::{Path, PathBuf};

/// The workspace's root. xtask is run by cargo, so the place it was built from is the workspace.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_path_buf()
}

/// The directory for what tasks install and build: git-ignored, made anew when deleted.
pub(crate) fn work_dir() -> PathBuf {
    root().join(".work")
}

/// The directory of cargo's output, `CARGO_TARGET_DIR` respected.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => root().join(target),
        None => root().join("target"),
    }
}
