//! The users that tests act as.

use std::process::Command;
use std::thread;

use rustix::process::{Gid, Uid};

/// Debian's nobody: owns no file and is in no group.
const NOBODY: u32 = 65534;

/// A user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum User {
    /// Who runs the tests; in CI that is root.
    #[default]
    Own,
    /// One without privileges, who owns nothing: not who runs the tests.
    Ordinary,
}

impl User {
    /// The user's number.
    #[must_use]
    pub fn id(self) -> u32 {
        match self {
            Self::Own => rustix::process::geteuid().as_raw(),
            Self::Ordinary => NOBODY,
        }
    }

    /// A command that runs a program as this user.
    pub fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        match self {
            Self::Own => Command::new(program),
            Self::Ordinary => {
                needs_root();
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]);
                command.args(["--clear-groups", "--"]).arg(program);
                command
            }
        }
    }

    /// Runs something as this user, on a thread of its own: Linux keeps a user for each thread.
    pub fn run<T: Send>(self, action: impl FnOnce() -> T + Send) -> T {
        let as_user = || {
            if self == Self::Ordinary {
                needs_root();
                let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
                rustix::thread::set_thread_groups(&[]).unwrap();
                rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
                rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
            }
            action()
        };
        let ended = thread::scope(|scope| scope.spawn(as_user).join());
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn needs_root() {
    assert!(rustix::process::geteuid().is_root(), "run this test as root: it changes users");
}
