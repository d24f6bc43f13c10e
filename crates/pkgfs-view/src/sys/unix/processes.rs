//! Who touches: processes, where they come from, and the context that they run in.
//!
//! All of it is asked of the system, off the path of any request. A process that this user may not
//! look into runs in no context.

use super::system::{self, of};

/// The variable in which rez tells the packages of a context.
const CONTEXT: &[u8] = b"REZ_USED_RESOLVE=";

/// One process for good: its number, and when it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ProcessId {
    pub(super) number: u32,
    pub(super) started: u64,
}

/// A process, as far as launches go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) id: ProcessId,
    /// The number of the one that started it.
    pub(crate) parent: u32,
}

/// The processes that one descends from, its parent first, as far as they live.
pub(crate) fn ancestors(process: ProcessId, most: usize) -> Vec<ProcessId> {
    let parent = |child: &Process| of(child.parent).filter(|_| child.parent > 1);
    let first = of(process.number).as_ref().and_then(parent);
    std::iter::successors(first, parent).take(most).map(|process| process.id).collect()
}

/// The context that a process runs in, as the digest of the packages in it; empty for none, and
/// for a process that this user may not look into. `None` for one that has no environment: it has
/// ended, or is about to become another program.
pub(crate) fn context(process: ProcessId) -> Option<String> {
    let environment = system::environment(process)?;
    let mut entries = environment.split(|byte| *byte == 0);
    Some(match entries.find_map(|entry| entry.strip_prefix(CONTEXT)) {
        Some(packages) if !packages.is_empty() => {
            blake3::hash(packages).to_hex().chars().take(crate::profiles::CONTEXT_LENGTH).collect()
        }
        _ => String::new(),
    })
}

/// The machine's name, as `socket.gethostname` of Python tells it.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn made_up(number: u32) -> ProcessId {
        ProcessId { number, started: 0 }
    }

    #[test]
    fn the_context_is_that_of_the_environment_and_none_without() {
        let context_in = |packages: Option<&str>| {
            let mut command = std::process::Command::new("sleep");
            command.arg("60").env_remove("REZ_USED_RESOLVE");
            command.envs(packages.map(|packages| ("REZ_USED_RESOLVE", packages)));
            let mut child = command.spawn().unwrap();
            // A child that is about to become its program has no environment for a moment.
            let process = of(child.id()).unwrap().id;
            let found = std::iter::repeat_with(|| context(process)).find_map(|found| found);
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(context(process), None);
            found.unwrap()
        };
        let one = context_in(Some("numpy-2.2.6 python-3.11"));
        assert_eq!(one.len(), crate::profiles::CONTEXT_LENGTH);
        assert_eq!(one, context_in(Some("numpy-2.2.6 python-3.11")));
        assert_ne!(one, context_in(Some("numpy-2.2.6 python-3.12")));
        assert_eq!(context_in(None), "");
        assert_eq!(context_in(Some("")), "");
    }
}
