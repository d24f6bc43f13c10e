//! The scan: which tasks there are, and what each leads to.

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use pkgfs_rez::{Format, repository::Kind};

use crate::{
    Part, Problem, Rules,
    directory::{self, Stat},
    family::{self, Family, Looking, Version},
    index::Index,
    index_directory,
    observation::{Moment, Observation},
    probe::{Definitions, Scratch, Which},
    reading::{Found, Reading, os_name},
    root::{Candidate, Root},
    sys::{self, Buffer, Dir, Errno},
    workers::{self, Queue},
};

/// Threads of a scan. Each waits for one operation of storage at a time.
/// With this many, storage that serves 16 at a time always has some waiting.
pub const DEFAULT_JOBS: usize = 24;

/// Versions that one task looks at.
const CHUNK: usize = 32;

/// How to scan.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads, each with one operation of storage at a time; at least 1.
    pub jobs: usize,
    /// Where indexes are kept; `None` is nowhere.
    pub index: Option<PathBuf>,
    /// Read everything anew, whatever the index says. It is replaced all the same.
    pub fresh: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { jobs: DEFAULT_JOBS, index: index_directory(), fresh: false }
    }
}

/// What was found, a repository for each path that was given, in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The repositories.
    pub repositories: Vec<Repository>,
}

/// The packages of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its location as rez has it: the real path; the path as given if it could not be read.
    pub path: PathBuf,
    /// Families in the order of the directory, each with its versions in the order of its own.
    pub packages: Vec<Package>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// A package that rez's filesystem repository yields, or a combined family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The family's name.
    pub family: Arc<str>,
    /// The name of the version's directory, which need not be a valid version, nor UTF-8; `None` for
    /// an unversioned package and a combined family.
    pub version: Option<OsString>,
    /// The definition; `None` where rez yields a version without one.
    pub definition: Option<Definition>,
    /// Whether this is a file that holds all versions of a family, which only its definition tells.
    pub is_combined: bool,
}

/// A definition file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Where it is.
    pub path: PathBuf,
    /// Its language.
    pub format: Format,
}

/// Reads the repositories.
#[must_use]
pub fn scan(paths: &[PathBuf], rules: &Rules, options: &Options) -> Scan {
    let scanner = Scanner {
        paths,
        rules,
        options,
        definitions: Definitions::new(rules),
        begun: paths.iter().map(|_| Mutex::default()).collect(),
    };
    workers::run(options.jobs.max(1), (0..paths.len()).map(Task::Root).collect(), || {
        let mut hands = Hands { buffer: Buffer::new(), scratch: Scratch::default() };
        let scanner = &scanner;
        move |task, queue: &Queue<Task>| scanner.work(task, &mut hands, queue)
    });
    let begun = scanner.begun.into_iter().map(|reading| reading.into_inner());
    let begun = begun.map(|reading| reading.unwrap_or_else(PoisonError::into_inner));
    let finish = |(reading, given): (Begun, &PathBuf)| match reading {
        // Nobody else holds it: all tasks are done.
        Begun::Read(reading) => match Arc::into_inner(reading) {
            Some(reading) => reading.finish(),
            None => unread(given, Problem::new(given.clone(), Part::Repository, Errno::IO)),
        },
        Begun::Unread(problem) => unread(given, problem),
        Begun::Not => unread(given, Problem::new(given.clone(), Part::Repository, Errno::IO)),
    };
    Scan { repositories: begun.zip(paths).map(finish).collect() }
}

fn unread(given: &std::path::Path, problem: Problem) -> Repository {
    Repository { path: given.to_owned(), packages: Vec::new(), problems: vec![problem] }
}

/// A repository in the course of a scan.
#[derive(Default)]
enum Begun {
    #[default]
    Not,
    Read(Arc<Reading>),
    Unread(Problem),
}

enum Task {
    /// List a repository's root.
    Root(usize),
    /// Read a family, if that is what the candidate is.
    Candidate(Arc<Reading>, usize),
    /// Look at some versions of a large family.
    Versions(Arc<Parts>, usize, Vec<Version>),
}

/// What each thread has for itself.
struct Hands {
    buffer: Buffer,
    scratch: Scratch,
}

/// A family whose versions are looked at by several threads.
struct Parts {
    reading: Arc<Reading>,
    candidate: usize,
    dir: Dir,
    observation: Observation,
    own: Option<Which>,
    /// Whether it was listed anew, so that every version is to be checked.
    is_listed: bool,
    is_settled: bool,
    progress: Mutex<Progress>,
}

struct Progress {
    /// Parts looked at, each with the place of its first version.
    done: Vec<(usize, Vec<Version>)>,
    problems: Vec<Problem>,
    missing: usize,
}

struct Scanner<'a> {
    paths: &'a [PathBuf],
    rules: &'a Rules,
    options: &'a Options,
    definitions: Definitions,
    begun: Vec<Mutex<Begun>>,
}

impl Scanner<'_> {
    fn work(&self, task: Task, hands: &mut Hands, queue: &Queue<Task>) {
        match task {
            Task::Root(place) => self.root(place, hands, queue),
            Task::Candidate(reading, candidate) => {
                self.candidate(&reading, candidate, hands, queue)
            }
            Task::Versions(parts, start, versions) => self.versions(&parts, start, versions, hands),
        }
    }

    fn root(&self, place: usize, hands: &mut Hands, queue: &Queue<Task>) {
        let begun = match Root::open(&self.paths[place], self.rules, &mut hands.buffer) {
            Ok(root) => {
                let fresh = self.options.fresh;
                let index = self.options.index.as_ref();
                let index =
                    index.map(|directory| Index::open(directory, &root.path, self.rules, fresh));
                let reading = Arc::new(Reading::new(root, index));
                let count = reading.root.candidates.len();
                queue.add(
                    (0..count).map(|candidate| Task::Candidate(Arc::clone(&reading), candidate)),
                );
                Begun::Read(reading)
            }
            Err(problem) => Begun::Unread(problem),
        };
        *self.begun[place].lock().unwrap_or_else(PoisonError::into_inner) = begun;
    }

    fn candidate(
        &self,
        reading: &Arc<Reading>,
        place: usize,
        hands: &mut Hands,
        queue: &Queue<Task>,
    ) {
        let candidate = &reading.root.candidates[place];
        match self.read(reading, place, candidate, hands, queue) {
            Ok(Some(found)) => self.note(reading, place, found, Vec::new()),
            Ok(None) => {}
            Err(errno) => {
                let unlistable = || {
                    let at = &reading.root.dir;
                    let (rules, definitions) = (self.rules, &self.definitions);
                    let scratch = &mut hands.scratch;
                    family::own_of_unlistable(at, &candidate.name, rules, definitions, scratch)
                };
                let (found, problem) = match (errno == Errno::ACCESS).then(unlistable).flatten() {
                    Some(own) => (Found::Unlistable(own), None),
                    None => {
                        let problem = Problem::new(path(reading, candidate), Part::Family, errno);
                        (Found::Nothing, Some(problem))
                    }
                };
                self.note(reading, place, found, problem.into_iter().collect());
            }
        }
    }

    fn note(&self, reading: &Reading, place: usize, found: Found, problems: Vec<Problem>) {
        reading.note(place, found, problems, self.rules, &self.definitions);
    }

    /// Finds out what a candidate is; `None` if that is left to other tasks.
    fn read(
        &self,
        reading: &Arc<Reading>,
        place: usize,
        candidate: &Candidate,
        hands: &mut Hands,
        queue: &Queue<Task>,
    ) -> Result<Option<Found>, Errno> {
        let at = &reading.root.dir;
        let name = candidate.as_directory.as_deref();
        let known = name.and_then(|name| reading.known.get(name));
        let now = Moment::now();
        let mut seen: Option<Stat> = None;
        let kind = match candidate.kind {
            Some(kind) if kind != Kind::Directory || known.is_none() => kind,
            _ => match sys::look(at, &candidate.name) {
                // What may not be looked at is no directory to rez.
                Err(Errno::ACCESS) if candidate.as_combined.is_some() => Kind::Other,
                looked => match looked? {
                    Some(stat) => {
                        seen = Some(stat);
                        directory::kind_of(stat.kind)
                    }
                    None if candidate.kind.is_some() => return Err(Errno::NOENT),
                    None => Kind::Other,
                },
            },
        };
        if kind != Kind::Directory {
            return match candidate.as_combined {
                Some(_) => Ok(Some(Found::Combined)),
                // Files with an extension lie about in repositories; a bare family's name is a mistake.
                None if kind == Kind::File && !candidate.name.to_bytes().contains(&b'.') => {
                    Err(Errno::NOTDIR)
                }
                None => Ok(Some(Found::Nothing)),
            };
        }
        if name.is_none() {
            return Ok(Some(Found::Nothing));
        }
        if let (Some(known), Some(stat)) = (known, &seen) {
            let observation = &known.observation;
            if observation.holds_for(&stat.identity, now) {
                return self.look_again(reading, place, known, hands, queue);
            }
        }
        let dir = sys::open(at, &candidate.name)?;
        let stat = match seen {
            Some(stat) => stat,
            None => sys::stat(&dir)?,
        };
        let observation = Observation { identity: stat.identity, seen: now };
        let (rules, definitions) = (self.rules, &self.definitions);
        let listed = family::list(dir, known, rules, definitions, &mut hands.buffer)?;
        let parts = Parts {
            reading: Arc::clone(reading),
            candidate: place,
            dir: listed.dir,
            observation,
            own: listed.own,
            is_listed: true,
            is_settled: listed.is_settled && observation.is_reliable(),
            progress: Mutex::new(Progress { done: Vec::new(), problems: Vec::new(), missing: 0 }),
        };
        self.split(parts, listed.versions, hands, queue);
        Ok(None)
    }

    /// Takes a family for what it was, but for the versions that the directory does not vouch for.
    fn look_again(
        &self,
        reading: &Arc<Reading>,
        place: usize,
        known: &Family,
        hands: &mut Hands,
        queue: &Queue<Task>,
    ) -> Result<Option<Found>, Errno> {
        if !known.versions.iter().any(Version::is_open) {
            return Ok(Some(Found::Family { family: known.clone(), keep: true }));
        }
        let name = &reading.root.candidates[place].name;
        let parts = Parts {
            reading: Arc::clone(reading),
            candidate: place,
            dir: sys::open(&reading.root.dir, name)?,
            observation: known.observation,
            own: known.own,
            is_listed: false,
            is_settled: true,
            progress: Mutex::new(Progress { done: Vec::new(), problems: Vec::new(), missing: 0 }),
        };
        self.split(parts, known.versions.clone(), hands, queue);
        Ok(None)
    }

    /// Looks at the versions of a family: here, or in as many tasks as it takes.
    fn split(&self, parts: Parts, versions: Vec<Version>, hands: &mut Hands, queue: &Queue<Task>) {
        let chunks = versions.len().div_ceil(CHUNK).max(1);
        parts.progress.lock().unwrap_or_else(PoisonError::into_inner).missing = chunks;
        let parts = Arc::new(parts);
        let mut rest = versions;
        let mut tasks = Vec::with_capacity(chunks - 1);
        for chunk in (1..chunks).rev() {
            let start = chunk * CHUNK;
            tasks.push(Task::Versions(Arc::clone(&parts), start, rest.split_off(start)));
        }
        if !tasks.is_empty() {
            queue.add(tasks);
        }
        self.versions(&parts, 0, rest, hands);
    }

    fn versions(&self, parts: &Parts, start: usize, mut versions: Vec<Version>, hands: &mut Hands) {
        let mut problems = Vec::new();
        let mut looking = Looking {
            family: &parts.dir,
            remote: parts.reading.is_remote(),
            definitions: &self.definitions,
            scratch: &mut hands.scratch,
        };
        for version in &mut versions {
            let looked = match parts.is_listed {
                true => version.check(&mut looking),
                false if version.is_open() => version.look(&mut looking),
                false => Ok(()),
            };
            if let Err(errno) = looked {
                let family = path(&parts.reading, &parts.reading.root.candidates[parts.candidate]);
                let version = os_name(&version.name);
                problems.push(Problem::new(family.join(version), Part::Version, errno));
            }
        }
        let mut progress = parts.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.problems.extend(problems);
        progress.done.push((start, versions));
        progress.missing -= 1;
        if progress.missing > 0 {
            return;
        }
        progress.done.sort_unstable_by_key(|(start, _)| *start);
        let versions = std::mem::take(&mut progress.done).into_iter().flat_map(|(_, part)| part);
        let family =
            Family { observation: parts.observation, own: parts.own, versions: versions.collect() };
        let problems = std::mem::take(&mut progress.problems);
        let keep = parts.is_settled && problems.is_empty();
        let found = Found::Family { family, keep };
        self.note(&parts.reading, parts.candidate, found, problems);
    }
}

fn path(reading: &Reading, candidate: &Candidate) -> PathBuf {
    reading.root.path.join(os_name(&candidate.name))
}
