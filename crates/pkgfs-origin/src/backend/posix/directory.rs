//! Reading a directory.
//!
//! The attributes of many entries are asked for by several threads at once, since
//! each may cost a round trip. The directory's own attributes are taken before its
//! names: if it changes meanwhile, they are the older ones, and the change shows.

use std::{
    ffi::{CStr, OsStr},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use pkgfs_manifest::{Attributes, Entry, Kind, Listing};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat, fstat, open, readlinkat, stat, statat},
    io::Errno,
};

use super::{PLACE, open_with, reached, resolve, status};
use crate::{
    Failure, LinkBounds,
    backend::{Names, Observer, Operation},
    links::{ByTarget, ByText, Place, by_target, by_text, outside},
    reach::through,
};

/// Entries for which one more thread is worth its start.
const PER_THREAD: usize = 32;
/// Most threads for one directory.
const MOST_THREADS: usize = 16;
/// Entries after which progress is told.
const TOLD: usize = 256;

pub(super) fn names(dir: &Path, on: &dyn Observer) -> Result<Names, Failure> {
    let fd = open_with(dir, OFlags::DIRECTORY, on)?;
    let mut names = Vec::new();
    for (name, kind) in entries(fd.as_fd(), dir, on)? {
        let kind = match kind {
            FileType::Unknown => match look_at(fd.as_fd(), &name, on) {
                Err(Errno::NOENT) => continue,
                found => status::name_kind(&found.map_err(Failure::at(dir))?),
            },
            known => status::name_kind_of(known),
        };
        names.push((name.to_bytes().into(), kind));
    }
    Ok(names)
}

pub(super) fn list(dir: &Path, bounds: &LinkBounds, on: &dyn Observer) -> Result<Listing, Failure> {
    let fd = open_with(dir, OFlags::DIRECTORY, on)?;
    on.count(Operation::Stat);
    let own = fstat(&fd).map_err(Failure::at(dir))?;
    let names = entries(fd.as_fd(), dir, on)?;
    let (anchor, below) = match dir.strip_prefix(&bounds.anchor) {
        Ok(below) => (&*bounds.anchor, below),
        Err(_) => (dir, Path::new("")),
    };
    let place = Place { anchor, below };
    let reader = Reader { fd: fd.as_fd(), dir, bounds, place, anchor: OnceLock::new(), on };
    let threads = (names.len() / PER_THREAD).clamp(1, MOST_THREADS);
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
    let mut own = status::attributes(&own);
    if below.as_os_str().is_empty() {
        own = reached(fd.as_fd(), own, on).map_err(Failure::at(dir))?;
    }
    Ok(Listing::new(own, found.into_iter().flatten().collect()))
}

/// Bytes of entries asked for at a time: each time is a round trip to storage.
const AT_ONCE: usize = 256 << 10;

/// Names in a directory and what it says they are.
fn entries(
    fd: BorrowedFd<'_>,
    path: &Path,
    on: &dyn Observer,
) -> Result<Vec<(Box<CStr>, FileType)>, Failure> {
    on.count(Operation::List);
    let mut names = Vec::new();
    let mut buffer = Vec::with_capacity(AT_ONCE);
    let mut dir = RawDir::new(fd, buffer.spare_capacity_mut());
    while let Some(entry) = dir.next() {
        let entry = entry.map_err(Failure::at(path))?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push((entry.file_name().into(), entry.file_type()));
            if names.len() % TOLD == 0 {
                on.alive();
            }
        }
    }
    Ok(names)
}

fn look_at(fd: BorrowedFd<'_>, name: &CStr, on: &dyn Observer) -> Result<Stat, Errno> {
    on.count(Operation::Stat);
    statat(fd, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// Looks at the entries of one directory.
struct Reader<'a> {
    fd: BorrowedFd<'a>,
    dir: &'a Path,
    bounds: &'a LinkBounds,
    place: Place<'a>,
    /// The anchor's canonical path, once a link has asked for it.
    anchor: OnceLock<PathBuf>,
    on: &'a dyn Observer,
}

impl Reader<'_> {
    /// Takes names that no other thread has taken.
    fn take_turns(
        &self,
        names: &[(Box<CStr>, FileType)],
        next: &AtomicUsize,
    ) -> Result<Vec<Entry>, Failure> {
        let mut found = Vec::new();
        while let Some((name, _)) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(self.entry(name).map_err(|errno| self.failure(name, errno))?);
            if found.len() % TOLD == 0 {
                self.on.alive();
            }
        }
        Ok(found)
    }

    fn failure(&self, name: &CStr, errno: Errno) -> Failure {
        Failure::at(&self.dir.join(OsStr::from_bytes(name.to_bytes())))(errno)
    }

    /// The entry of this name, unless it has vanished.
    fn entry(&self, name: &CStr) -> Result<Option<Entry>, Errno> {
        let found = match look_at(self.fd, name, self.on) {
            Err(Errno::NOENT) => return Ok(None),
            found => found?,
        };
        let attributes = status::attributes(&found);
        let shown = match status::kind(&found) {
            Some(kind) => Some(Shown { kind, attributes, source: None }),
            None => self.link(name, attributes)?,
        };
        Ok(shown.map(|Shown { kind, attributes, source }| Entry {
            name: name.to_bytes().into(),
            kind,
            attributes,
            source,
        }))
    }

    fn link(&self, name: &CStr, mut attributes: Attributes) -> Result<Option<Shown>, Errno> {
        self.on.count(Operation::Resolve);
        let text = match readlinkat(self.fd, name, Vec::new()) {
            // Vanished, or replaced by something that is no link: read again later,
            // since the directory's mtime has changed.
            Err(Errno::NOENT | Errno::INVAL) => return Ok(None),
            // Storage does not say where it leads (sshfs: `contain_symlinks`, the default).
            // That is no reason to lose the directory: whoever follows it asks there.
            Err(Errno::ACCESS | Errno::PERM) => {
                let link = self.dir.join(OsStr::from_bytes(name.to_bytes()));
                let link: Box<[u8]> = link.as_os_str().as_bytes().into();
                attributes.size = link.len() as u64;
                return Ok(Some(Shown { kind: Kind::Link(link), attributes, source: None }));
            }
            text => text?,
        };
        let target = Path::new(OsStr::from_bytes(text.to_bytes()));
        let shown = match by_text(self.place, target) {
            ByText::Keep => text.to_bytes().into(),
            ByText::Link(link) => link,
            ByText::Ask => match self.follow(target)? {
                Followed::Link(link) => link,
                Followed::Dangling => text.to_bytes().into(),
                Followed::InPlace(shown) => return Ok(Some(shown)),
            },
        };
        attributes.size = shown.len() as u64;
        Ok(Some(Shown { kind: Kind::Link(shown), attributes, source: None }))
    }

    fn follow(&self, text: &Path) -> Result<Followed, Errno> {
        let target = match resolve(&self.dir.join(text), self.on) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => {
                return Ok(Followed::Dangling);
            }
            // Not ours to follow: the caller may be let in.
            Err(Errno::ACCESS | Errno::PERM) => {
                let path = outside(self.anchor()?, self.place.below, text, None);
                return Ok(Followed::Link(path.as_os_str().as_bytes().into()));
            }
            target => target?,
        };
        self.on.count(Operation::Stat);
        let found = match stat(&target) {
            Err(Errno::NOENT) => return Ok(Followed::Dangling),
            found => found?,
        };
        let kind = status::kind(&found).unwrap_or(Kind::File);
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
                attributes: self.shown_in_place(&target, &found)?,
                source: Some(target.as_os_str().as_bytes().into()),
            }),
        })
    }

    /// What lies at a canonical path, for those who come through all that is above it.
    fn shown_in_place(&self, target: &Path, found: &Stat) -> Result<Attributes, Errno> {
        let own = status::attributes(found);
        if status::kind(found) == Some(Kind::Directory) {
            return reached(open(target, PLACE, Mode::empty())?.as_fd(), own, self.on);
        }
        let above = open(target.parent().unwrap_or(target), PLACE, Mode::empty())?;
        self.on.count(Operation::Stat);
        let own = through(&status::attributes(&fstat(&above)?), own);
        reached(above.as_fd(), own, self.on)
    }

    fn anchor(&self) -> Result<&Path, Errno> {
        if let Some(anchor) = self.anchor.get() {
            return Ok(anchor);
        }
        let anchor = resolve(self.place.anchor, self.on)?;
        Ok(self.anchor.get_or_init(|| anchor))
    }
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
