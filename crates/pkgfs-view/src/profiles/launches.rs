//! Launches: what processes touch from their first touch until they come to rest.
//!
//! A launch is of a context: all processes that run in one share it, and those outside any share
//! another. It is over when nothing was touched for a while. What its processes touch later is no
//! start, and neither is what those touch that they start: a process, and all that descend from it
//! in the same context, take part in one launch.
//!
//! A state machine without I/O or clock; [`super::processes`] looks at processes.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    time::{Duration, Instant},
};

use pkgfs_store::{FileKey, RegistrationId};

use crate::sys::ProcessId;

/// A launch is over when nothing was touched for this long,
pub(super) const QUIET: Duration = Duration::from_secs(3);
/// or it has gone on for this long.
const LONGEST: Duration = Duration::from_secs(60);
/// Which process a thread belongs to is looked at again after this time.
const BELIEVED: Duration = Duration::from_secs(5);
/// Files of one launch.
const MOST_TOUCHED: usize = 20_000;
/// Reads of one large file.
const MOST_READS: usize = 1_024;
/// After so many touches a process has become what it is to be.
const UNCERTAIN: usize = 4;
/// Processes and threads remembered.
const MOST_PROCESSES: usize = 8_192;

/// Names a launch; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LaunchId(u64);

/// A launch that goes on.
pub(super) struct Launch<R> {
    id: LaunchId,
    /// Empty for processes outside any.
    pub(super) context: String,
    began: Instant,
    latest: Instant,
    pub(super) touched: HashMap<FileKey, Touched>,
    variants: HashSet<RegistrationId>,
    /// Every touch of these processes shows, also of what is in the kernel's caches.
    pub(super) all_show: bool,
    /// What is fetched ahead of it.
    pub(super) run: R,
}

/// What a launch did with a file.
pub(super) struct Touched {
    pub(super) registration: RegistrationId,
    pub(super) rank: u32,
    pub(super) reads: Vec<Range<u64>>,
}

/// What a process was found to be, where it was not known.
pub(super) struct Seen {
    pub(super) process: ProcessId,
    /// Those that it descends from, its parent first.
    pub(super) ancestors: Vec<ProcessId>,
    pub(super) context: String,
}

/// A process that takes part in a launch.
struct Member {
    launch: LaunchId,
    context: String,
    /// What it touched first, as long as it may turn out to run in another context.
    first: Vec<(RegistrationId, FileKey, bool)>,
}

/// All launches, each with what is fetched ahead of it.
pub(super) struct Launches<R> {
    last: u64,
    active: Vec<Launch<R>>,
    processes: HashMap<ProcessId, Member>,
    threads: HashMap<u32, (ProcessId, Instant)>,
}

impl<R> Default for Launches<R> {
    fn default() -> Self {
        Self { last: 0, active: Vec::new(), processes: HashMap::new(), threads: HashMap::new() }
    }
}

impl<R> Launches<R> {
    /// The process that a thread was found to belong to a moment ago.
    pub(super) fn process_of(&self, thread: u32, now: Instant) -> Option<ProcessId> {
        let (process, at) = self.threads.get(&thread)?;
        (now.saturating_duration_since(*at) < BELIEVED).then_some(*process)
    }

    /// A thread belongs to a process.
    pub(super) fn thread_of(&mut self, thread: u32, process: ProcessId, now: Instant) {
        if self.threads.len() >= MOST_PROCESSES {
            self.threads.retain(|_, (_, at)| now.saturating_duration_since(*at) < BELIEVED);
        }
        if self.threads.len() < MOST_PROCESSES {
            self.threads.insert(thread, (process, now));
        }
    }

    /// The launch that a process takes part in, over or not.
    pub(super) fn launch_of(&self, process: ProcessId) -> Option<LaunchId> {
        self.processes.get(&process).map(|member| member.launch)
    }

    /// Whether the context of a process is to be looked at once more. A program is opened by the
    /// process that is about to become it, which has the environment of the one that started it
    /// until then; a script by way of its interpreter.
    pub(super) fn is_uncertain(&self, process: ProcessId) -> bool {
        self.processes.get(&process).is_some_and(|member| member.first.len() < UNCERTAIN)
    }

    /// A process was looked at: it takes part in the launch of those it descends from, if they run
    /// in the same context, else in the one of its context, else in a new one. One that was taken
    /// to run in another context moves there with what it touched.
    pub(super) fn join(&mut self, seen: Seen, now: Instant, run: impl FnOnce() -> R) -> LaunchId {
        let Seen { process, ancestors, context } = seen;
        let mut first = Vec::new();
        if let Some(member) = self.processes.get_mut(&process) {
            if member.context == context {
                return member.launch;
            }
            first = std::mem::take(&mut member.first);
            let former = member.launch;
            self.leave(former, &first);
        }
        let of_ancestor = |process| {
            let member = self.processes.get(process)?;
            (member.context == context).then_some(member.launch)
        };
        let inherited = ancestors.iter().find_map(of_ancestor);
        let shared = || self.active.iter().find(|launch| launch.context == context);
        let known = inherited.or_else(|| shared().map(|launch| launch.id));
        let launch = known.unwrap_or_else(|| {
            self.last += 1;
            let id = LaunchId(self.last);
            self.active.push(Launch {
                id,
                context: context.clone(),
                began: now,
                latest: now,
                touched: HashMap::new(),
                variants: HashSet::new(),
                all_show: true,
                run: run(),
            });
            id
        });
        if self.processes.len() >= MOST_PROCESSES {
            // Those whose launches go on are needed most.
            let active: HashSet<_> = self.active.iter().map(|launch| launch.id).collect();
            self.processes.retain(|_, member| active.contains(&member.launch));
        }
        if self.processes.len() < MOST_PROCESSES {
            self.processes.insert(process, Member { launch, context, first: Vec::new() });
        }
        for (registration, file, shows) in first {
            self.touch(launch, registration, file, shows, now);
            self.began_with(process, registration, file, shows);
            // The next touch of it counts as the first: it is to be led there.
            if let Some(launch) = self.active.iter_mut().find(|active| active.id == launch) {
                launch.variants.remove(&registration);
            }
        }
        launch
    }

    /// A process did not belong to a launch: without what it touched there may be nothing to it.
    fn leave(&mut self, id: LaunchId, first: &[(RegistrationId, FileKey, bool)]) {
        let Some(at) = self.active.iter().position(|launch| launch.id == id) else { return };
        let launch = &mut self.active[at];
        if launch.touched.len() <= first.len() {
            first.iter().for_each(|(_, file, _)| drop(launch.touched.remove(file)));
        }
    }

    /// A process touched a file that is among its first.
    pub(super) fn began_with(
        &mut self,
        process: ProcessId,
        registration: RegistrationId,
        file: FileKey,
        shows: bool,
    ) {
        if let Some(member) = self.processes.get_mut(&process)
            && member.first.len() < UNCERTAIN
        {
            member.first.push((registration, file, shows));
        }
    }

    /// A launch that is not over.
    pub(super) fn active(&self, id: LaunchId) -> Option<&Launch<R>> {
        self.active.iter().find(|launch| launch.id == id)
    }

    /// A file was touched in a launch. `Some` if the launch is not over; whether it is the first
    /// of its variant.
    pub(super) fn touch(
        &mut self,
        id: LaunchId,
        registration: RegistrationId,
        file: FileKey,
        shows: bool,
        now: Instant,
    ) -> Option<bool> {
        let launch = self.active.iter_mut().find(|launch| launch.id == id)?;
        launch.latest = now;
        launch.all_show &= shows;
        if launch.touched.len() < MOST_TOUCHED {
            let rank = launch.touched.len() as u32;
            let touched = || Touched { registration, rank, reads: Vec::new() };
            launch.touched.entry(file).or_insert_with(touched);
        }
        Some(launch.variants.insert(registration))
    }

    /// A part of a large file was read, by whom it may be.
    pub(super) fn read(&mut self, file: FileKey, bytes: &Range<u64>, now: Instant) {
        for launch in &mut self.active {
            if let Some(touched) = launch.touched.get_mut(&file) {
                launch.latest = now;
                if touched.reads.len() < MOST_READS {
                    touched.reads.push(bytes.clone());
                }
            }
        }
    }

    /// Whether any goes on.
    pub(super) fn any(&self) -> bool {
        !self.active.is_empty()
    }

    /// Those that are over now; one for which something is being fetched is not at rest.
    pub(super) fn over(&mut self, now: Instant, is_busy: impl Fn(&R) -> bool) -> Vec<Launch<R>> {
        let since = |then: Instant| now.saturating_duration_since(then);
        let is_over = |launch: &mut Launch<R>| {
            since(launch.latest) >= QUIET && !is_busy(&launch.run) || since(launch.began) >= LONGEST
        };
        self.active.extract_if(.., is_over).collect()
    }

    /// Ends all.
    pub(super) fn end(&mut self) -> Vec<Launch<R>> {
        std::mem::take(&mut self.active)
    }
}

#[cfg(test)]
mod tests;
