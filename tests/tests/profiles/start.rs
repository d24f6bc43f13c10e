//! A program that starts in a context.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use pkgfs_tests::{Mounted, User, built};

/// A process that reads what it is told. It ends when it is dropped.
pub(crate) struct Start {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Start {
    pub(crate) fn new(context: impl Into<Option<&'static str>>) -> Self {
        Self::of(User::Own, context)
    }

    pub(crate) fn of(user: User, context: impl Into<Option<&'static str>>) -> Self {
        let mut command = user.command(built("pkgfs-starter"));
        command.env_remove("REZ_USED_RESOLVE");
        command.envs(context.into().map(|context| ("REZ_USED_RESOLVE", context)));
        Self::run(command)
    }

    /// The same of a program somewhere else, by a shell that sets up the context, as rez has it.
    pub(crate) fn in_shell(program: &Path, context: &str) -> Self {
        let mut command = std::process::Command::new("sh");
        command.env_remove("REZ_USED_RESOLVE");
        let script = format!("export REZ_USED_RESOLVE='{context}'; exec \"$0\"");
        command.args(["-c", &script]).arg(program);
        Self::run(command)
    }

    fn run(mut command: std::process::Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (orders, answers) = (process.stdin.take(), process.stdout.take().unwrap());
        Self { process, orders, answers: BufReader::new(answers) }
    }

    /// Reads a file; its content must be this.
    pub(crate) fn reads(&mut self, path: &Path, content: &[u8]) {
        self.order(&[path.as_os_str().as_bytes()], content);
    }

    /// The same for a part of it.
    pub(crate) fn reads_part(&mut self, path: &Path, offset: usize, part: &[u8]) {
        let order = format!("{offset} {} ", part.len());
        self.order(&[order.as_bytes(), path.as_os_str().as_bytes()], part);
    }

    fn order(&mut self, order: &[&[u8]], content: &[u8]) {
        let orders = self.orders.as_mut().unwrap();
        orders.write_all(&[&order.concat(), &b"\n"[..]].concat()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim_end(), blake3::hash(content).to_hex().as_str(), "{order:?}");
    }

    /// Has what it touched written, which the end of a daemon does, and ends only then: a process
    /// that ends too soon cannot be looked at.
    pub(crate) fn remount_after(self, mounted: &Mounted) {
        mounted.remount();
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        self.orders = None;
        let ended = self.process.wait();
        if !std::thread::panicking() {
            assert!(ended.unwrap().success());
        }
    }
}
