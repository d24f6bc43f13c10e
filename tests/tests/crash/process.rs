//! Processes by their number.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use pkgfs_tests::Mounted;

/// Whether a process is there, dead ones that nobody has waited for apart.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.starts_with(" Z"))
}

/// The process that reads shared storage for a mount; `None` between two.
pub(crate) fn worker(mounted: &Mounted) -> Option<u32> {
    mounted.view()["origin"]["pid"].as_u64().map(|pid| pid.try_into().unwrap())
}

/// A counter of what the mount did on shared storage.
pub(crate) fn origin(mounted: &Mounted, counter: &str) -> u64 {
    mounted.view()["origin"][counter].as_u64().unwrap()
}

/// A process that reads a file to its end; ready to read when this returns.
pub(crate) fn reader(path: &Path) -> Child {
    let script = "echo ready; exec cat \"$1\" > /dev/null";
    let mut child = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    child.stdout.take().unwrap().read_exact(&mut ready).unwrap();
    child
}
