//! Who touches: processes, where they come from, and the context that they run in.
//!
//! All of it is read from `/proc`, off the path of any request. A process that this user may not
//! look into runs in no context.

use std::{fs, io, path::Path};

/// The variable in which rez tells the packages of a context.
const CONTEXT: &[u8] = b"REZ_USED_RESOLVE=";

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

/// The process that a thread, or a process, of this number belongs to.
pub(crate) fn of_thread(number: u32) -> Option<Process> {
    let status = fs::read(format!("/proc/{number}/status")).ok()?;
    let group = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Tgid:"))?;
    of(std::str::from_utf8(group).ok()?.trim().parse().ok()?)
}

/// The process of this number.
pub(crate) fn of(number: u32) -> Option<Process> {
    let (parent, started) = parse(&fs::read(format!("/proc/{number}/stat")).ok()?)?;
    Some(Process { id: ProcessId { number, started }, parent })
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
    let environment = match fs::read(format!("/proc/{}/environ", process.number)) {
        Ok(environment) if environment.is_empty() => return None,
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return None,
        read => read.unwrap_or_default(),
    };
    let mut entries = environment.split(|byte| *byte == 0);
    Some(match entries.find_map(|entry| entry.strip_prefix(CONTEXT)) {
        Some(packages) if !packages.is_empty() => {
            blake3::hash(packages).to_hex().chars().take(crate::profiles::CONTEXT_LENGTH).collect()
        }
        _ => String::new(),
    })
}

/// Whether a process or thread of this number lives.
pub(crate) fn is_alive(number: u32) -> bool {
    Path::new(&format!("/proc/{number}")).exists()
}

/// The machine's name, as `socket.gethostname` of Python tells it.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Has this thread, and what it asks of the disk, stand back behind all others: the kernel derives
/// the place in the disk's queue from it, too.
pub(crate) fn stand_back() {
    let _ = rustix::process::nice(19);
}

/// Parent and start from `/proc/<pid>/stat` (proc(5)); the second field is the program's name in
/// parentheses, and may hold anything.
fn parse(stat: &[u8]) -> Option<(u32, u64)> {
    let after = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(&stat[after + 1..]).ok()?.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    Some((parent, fields.nth(17)?.parse().ok()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn made_up(number: u32) -> ProcessId {
        ProcessId { number, started: 0 }
    }

    #[test]
    fn a_name_with_parentheses_and_blanks_does_not_shift_the_fields() {
        let rest = "S 7 3 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9";
        let stat = format!("12 (a) b (c) {rest}");
        assert_eq!(parse(stat.as_bytes()), Some((7, 4711)));
        assert_eq!(parse(b"12 (cut"), None);
    }

    #[test]
    fn a_thread_belongs_to_its_process() {
        let own = of(std::process::id()).unwrap();
        assert_eq!(own.parent, std::os::unix::process::parent_id());
        assert_eq!(ancestors(own.id, 9).first(), of(own.parent).map(|parent| parent.id).as_ref());
        let thread = std::thread::spawn(|| {
            let number = rustix::thread::gettid().as_raw_nonzero().get();
            of_thread(number.cast_unsigned())
        });
        assert_eq!(thread.join().unwrap(), Some(own));
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
