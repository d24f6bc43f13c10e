//! A process that reads a payload and compares it with its original, without pause.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};

use pkgfs_tests::User;

/// The running process; ended with the test.
pub(crate) struct Witness(Child);

impl Witness {
    /// Starts it as a user, and returns when it has read everything once.
    pub(crate) fn of(user: User, original: &Path, payload: &Path) -> Self {
        let mut command = user.command(env!("CARGO_BIN_EXE_pkgfs-witness"));
        command.arg(original).arg(payload);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut witness = Self(command.spawn().unwrap());
        let mut ready = String::new();
        let said = witness.0.stdout.as_mut().unwrap();
        BufReader::with_capacity(1, said).read_line(&mut ready).unwrap();
        if ready != "ready\n" {
            witness.end();
        }
        witness
    }

    /// It must have seen nothing but the original, and look once more.
    pub(crate) fn saw_nothing(mut self) {
        let rounds = self.end();
        assert!(rounds > 1, "the witness looked {rounds} times");
    }

    /// How many rounds it made; fails with what it saw.
    fn end(&mut self) -> u64 {
        drop(self.0.stdin.take());
        let (mut said, mut complaint) = (String::new(), String::new());
        self.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        self.0.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        let status = self.0.wait().unwrap();
        assert!(status.success(), "{complaint}");
        said.trim().parse().unwrap()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
