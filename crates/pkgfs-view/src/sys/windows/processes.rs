//! Who touches: processes, where they come from, and the context that they run in.
//!
//! Platforms tell processes here, not threads. A process that this user may not look into runs in no
//! context.

use std::ffi::OsString;

use pkgfs_win32::process;

/// The variable in which rez tells the packages of a context.
const CONTEXT: &str = "REZ_USED_RESOLVE";

/// One process for good: its number, and when it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ProcessId {
    number: u32,
    started: u64,
}

/// A process, as far as launches go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) id: ProcessId,
    /// The number of the one that started it.
    pub(crate) parent: u32,
}

/// The process that a platform told.
pub(crate) fn of_thread(number: u32) -> Option<Process> {
    of(number)
}

/// The process of this number.
pub(crate) fn of(number: u32) -> Option<Process> {
    let process::Origin { parent, started } = process::origin(number).ok()?;
    Some(Process { id: ProcessId { number, started }, parent })
}

/// The processes that one descends from, its parent first, as far as they live. A number that was
/// given again is known by having been started later than its child.
pub(crate) fn ancestors(process: ProcessId, most: usize) -> Vec<ProcessId> {
    let parent = |child: &Process| {
        of(child.parent).filter(|parent| child.parent > 0 && parent.id.started <= child.id.started)
    };
    let first = of(process.number).as_ref().and_then(parent);
    std::iter::successors(first, parent).take(most).map(|process| process.id).collect()
}

/// The context that a process runs in, as the digest of the packages in it; empty for none, and
/// for a process that this user may not look into. `None` for one that has ended.
pub(crate) fn context(process: ProcessId) -> Option<String> {
    let packages = match process::variable(process.number, CONTEXT) {
        Ok(packages) => packages.unwrap_or_default(),
        Err(_) if of(process.number).is_some_and(|now| now.id == process) => OsString::new(),
        Err(_) => return None,
    };
    if packages.is_empty() {
        return Some(String::new());
    }
    let digest = blake3::hash(packages.to_string_lossy().as_bytes()).to_hex();
    Some(digest.chars().take(crate::profiles::CONTEXT_LENGTH).collect())
}

/// Whether a process of this number lives.
pub(crate) fn is_alive(number: u32) -> bool {
    process::is_alive(number)
}

/// The machine's name, as `socket.gethostname` of Python tells it.
pub(crate) fn host_name() -> String {
    process::host_name().unwrap_or_default()
}

/// Has this thread, and what it asks of the disk, stand back behind all others.
pub(crate) fn stand_back() {
    process::stand_back();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn made_up(number: u32) -> ProcessId {
        ProcessId { number, started: 0 }
    }

    #[test]
    fn the_context_is_that_of_the_environment_and_none_without() {
        let context_in = |packages: Option<&str>| {
            let mut command = std::process::Command::new("cmd");
            command.args(["/c", "pause"]).env_remove(CONTEXT);
            command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
            command.envs(packages.map(|packages| (CONTEXT, packages)));
            let mut child = command.spawn().unwrap();
            let process = of(child.id()).unwrap();
            assert_eq!(process.parent, std::process::id());
            let found = context(process.id);
            child.kill().unwrap();
            child.wait().unwrap();
            found.unwrap()
        };
        let one = context_in(Some("numpy-2.2.6 python-3.11"));
        assert_eq!(one.len(), crate::profiles::CONTEXT_LENGTH);
        assert_eq!(one, context_in(Some("numpy-2.2.6 python-3.11")));
        assert_ne!(one, context_in(Some("numpy-2.2.6 python-3.12")));
        assert_eq!(context_in(None), "");
    }

    #[test]
    fn this_process_lives_and_descends_from_its_parent() {
        let own = of(std::process::id()).unwrap();
        assert!(is_alive(std::process::id()));
        assert!(!host_name().is_empty());
        let parents = ancestors(own.id, 9);
        assert!(!parents.contains(&own.id));
    }
}
