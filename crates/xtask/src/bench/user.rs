//! Who runs what is measured.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

/// Debian's nobody: owns no file and is in no group.
const NOBODY: u32 = 65534;

/// A user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// Who runs the benchmark: root.
    Own,
    /// One without privileges.
    Ordinary,
}

impl User {
    /// A command that runs a program as this user, without the caller's own settings.
    pub(super) fn command(self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self {
            Self::Own => Command::new(program),
            Self::Ordinary => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]);
                command.args(["--clear-groups", "--"]).arg(program);
                command
            }
        };
        for (name, _) in std::env::vars_os() {
            let shown = name.to_string_lossy();
            if ["REZ_", "PYTHON", "PKGFS_", "XDG_", "RCLONE_"]
                .iter()
                .any(|own| shown.starts_with(own))
            {
                command.env_remove(name);
            }
        }
        command.current_dir("/");
        command
    }

    /// Makes a directory of this user's own.
    pub(super) fn directory(self, path: &Path) -> Result<()> {
        fs::create_dir(path).with_context(|| format!("cannot make {}", path.display()))?;
        if self == Self::Ordinary {
            chown(path, Some(NOBODY), Some(NOBODY))
                .context("run this as root: it changes users")?;
        }
        Ok(())
    }
}
