//! Reading a directory.
//!
//! The attributes of many entries are asked for by several threads at once, since
//! each may cost a round trip. The directory's own attributes are taken before its
//! names: if it changes meanwhile, they are the older ones, and the change shows.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use pkgfs_manifest::{Attributes, Entry, Kind, Listing, os_name};

use crate::{
    Cause, Failure, LinkBounds,
    backend::{Found, Named, Names, Observer, Operation},
    links::{ByTarget, ByText, Place, by_target, by_text, outside},
    sys::storage::{self, Directory, Name, name_bytes},
};

/// Entries for which one more thread is worth its start.
const PER_THREAD: usize = 32;
/// Most threads for one directory.
const MOST_THREADS: usize = 16;
/// Entries after which progress is told.
const TOLD: usize = 256;

pub(super) fn names(dir: &Path, on: &dyn Observer) -> Result<Names, Failure> {
    let place = open(dir, on)?;
    let mut names = Vec::new();
    for Named { name, kind, found } in entries(&place, dir, on)? {
        let kind = match kind {
            Some(kind) => kind,
            None => match look_at(&place, &name, found, on) {
                Err(error) if storage::is_gone(&error) => continue,
                found => found.map_err(Failure::at(dir))?.name_kind(),
            },
        };
        names.push((name_bytes(&name).into(), kind));
    }
    Ok(names)
}

fn open(dir: &Path, on: &dyn Observer) -> Result<Directory, Failure> {
    on.count(Operation::Open);
    Directory::open(dir).map_err(Failure::at(dir))
}

pub(super) fn list(dir: &Path, bounds: &LinkBounds, on: &dyn Observer) -> Result<Listing, Failure> {
    let opened = open(dir, on)?;
    on.count(Operation::Stat);
    let mut own = opened.attributes().map_err(Failure::at(dir))?;
    let names = entries(&opened, dir, on)?;
    let (anchor, below) = match dir.strip_prefix(&bounds.anchor) {
        Ok(below) => (&*bounds.anchor, below),
        Err(_) => (dir, Path::new("")),
    };
    let place = Place { anchor, below };
    let reader = Reader { opened: &opened, dir, bounds, place, anchor: OnceLock::new(), on };
    let unseen = names.iter().filter(|named| named.found.is_none()).count();
    let threads = (unseen / PER_THREAD).clamp(1, MOST_THREADS);
    let next = AtomicUsize::new(0);
    let work = || reader.take_turns(&names, &next);
    let found = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mine = work();
        let theirs = others.into_iter().map(|other| other.join());
        let theirs =
            theirs.map(|found| found.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        [mine].into_iter().chain(theirs).collect::<Result<Vec<_>, _>>()
    })?;
    if below.as_os_str().is_empty() {
        own = opened.reached(own, on).map_err(Failure::at(dir))?;
    }
    Ok(Listing::new(own, found.into_iter().flatten().collect()))
}

/// Names in a directory and what it says they are.
fn entries(place: &Directory, path: &Path, on: &dyn Observer) -> Result<Vec<Named<Name>>, Failure> {
    on.count(Operation::List);
    let more = |so_far: usize| {
        if so_far.is_multiple_of(TOLD) {
            on.alive();
        }
    };
    place.names(more).map_err(Failure::at(path))
}

/// What has this name; storage is asked where the directory did not tell.
fn look_at(
    place: &Directory,
    name: &Name,
    told: Option<Found>,
    on: &dyn Observer,
) -> io::Result<Found> {
    if let Some(found) = told {
        return Ok(found);
    }
    on.count(Operation::Stat);
    place.look_at(name)
}

/// Looks at the entries of one directory.
struct Reader<'a> {
    opened: &'a Directory,
    dir: &'a Path,
    bounds: &'a LinkBounds,
    place: Place<'a>,
    /// The anchor's canonical path, once a link has asked for it.
    anchor: OnceLock<PathBuf>,
    on: &'a dyn Observer,
}

impl Reader<'_> {
    /// Takes names that no other thread has taken.
    fn take_turns(&self, names: &[Named<Name>], next: &AtomicUsize) -> Result<Vec<Entry>, Failure> {
        let mut found = Vec::new();
        while let Some(named) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            let entry = self.entry(named).map_err(|error| self.failure(&named.name, error));
            found.extend(entry?);
            if found.len() % TOLD == 0 {
                self.on.alive();
            }
        }
        Ok(found)
    }

    fn failure(&self, name: &Name, error: io::Error) -> Failure {
        Failure::at(&self.path(name))(error)
    }

    fn path(&self, name: &Name) -> PathBuf {
        let name = os_name::name_from(name_bytes(name).into());
        name.map_or_else(|| self.dir.to_owned(), |name| self.dir.join(name))
    }

    /// The entry of this name, unless it has vanished.
    fn entry(&self, named: &Named<Name>) -> io::Result<Option<Entry>> {
        let Named { name, found, .. } = named;
        let Found { kind, attributes, .. } =
            match look_at(self.opened, name, found.clone(), self.on) {
                Err(error) if storage::is_gone(&error) => return Ok(None),
                found => found?,
            };
        let shown = match kind {
            Some(kind) => Some(Shown { kind, attributes, source: None }),
            None => self.link(name, attributes)?,
        };
        Ok(shown.map(|Shown { kind, attributes, source }| Entry {
            name: name_bytes(name).into(),
            kind,
            attributes,
            source,
        }))
    }

    fn link(&self, name: &Name, mut attributes: Attributes) -> io::Result<Option<Shown>> {
        self.on.count(Operation::Resolve);
        let text = match self.opened.link(name) {
            // Vanished, or replaced by something that is no link: read again later,
            // since the directory's mtime has changed.
            Err(error) if storage::is_gone(&error) || storage::is_no_link(&error) => {
                return Ok(None);
            }
            // Storage does not say where it leads (sshfs: `contain_symlinks`, the default).
            // That is no reason to lose the directory: whoever follows it asks there.
            Err(error) if self.is_denied(&error) => {
                let link = bytes(&self.path(name));
                attributes.size = link.len() as u64;
                return Ok(Some(Shown { kind: Kind::Link(link), attributes, source: None }));
            }
            text => text?,
        };
        let target = Path::new(&text);
        let shown = match by_text(self.place, target) {
            ByText::Keep => bytes(target),
            ByText::Link(link) => link,
            ByText::Ask => match self.follow(target)? {
                Followed::Link(link) => link,
                Followed::Dangling => bytes(target),
                Followed::InPlace(shown) => return Ok(Some(shown)),
            },
        };
        attributes.size = shown.len() as u64;
        Ok(Some(Shown { kind: Kind::Link(shown), attributes, source: None }))
    }

    fn is_denied(&self, error: &io::Error) -> bool {
        storage::cause(error, self.dir) == Cause::Denied
    }

    fn follow(&self, text: &Path) -> io::Result<Followed> {
        let target = match self.resolve(&self.dir.join(text)) {
            Err(error) if storage::leads_nowhere(&error) => return Ok(Followed::Dangling),
            // Not ours to follow: the caller may be let in.
            Err(error) if self.is_denied(&error) => {
                let path = outside(self.anchor()?, self.place.below, text, None);
                return Ok(Followed::Link(bytes(&path)));
            }
            target => target?,
        };
        self.on.count(Operation::Stat);
        let found = match storage::find(&target) {
            Err(error) if storage::is_gone(&error) => return Ok(Followed::Dangling),
            found => found?,
        };
        let kind = found.kind.clone().unwrap_or(Kind::File);
        let is_dir = kind == Kind::Directory;
        Ok(match by_target(self.bounds, self.anchor()?, self.place.below, text, &target, is_dir) {
            ByTarget::Link(link) => Followed::Link(link),
            ByTarget::Loop(link) => {
                self.on.tell(format!(
                    "a link in {} leads back to {}, which holds it; shown as a link",
                    self.dir.display(),
                    target.display()
                ));
                Followed::Link(link)
            }
            ByTarget::InPlace => Followed::InPlace(Shown {
                kind,
                attributes: storage::reach_in_place(&target, &found, self.on)?,
                source: Some(bytes(&target)),
            }),
        })
    }

    fn anchor(&self) -> io::Result<&Path> {
        if let Some(anchor) = self.anchor.get() {
            return Ok(anchor);
        }
        let anchor = self.resolve(self.place.anchor)?;
        Ok(self.anchor.get_or_init(|| anchor))
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.on.count(Operation::Resolve);
        storage::resolve(path)
    }
}

fn bytes(path: &Path) -> Box<[u8]> {
    os_name::path_bytes(path).into()
}

/// How an entry is shown.
struct Shown {
    kind: Kind,
    attributes: Attributes,
    source: Option<Box<[u8]>>,
}

/// Where a link was found to lead.
enum Followed {
    Link(Box<[u8]>),
    Dangling,
    InPlace(Shown),
}
