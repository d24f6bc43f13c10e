//! A disk that knows what was asked of it and what of that is durable.
//!
//! The bytes of a file are durable once it is synced, a name once the directory that holds it is:
//! POSIX promises no more. What is not durable may be there after a loss of power, in any part,
//! or not; but a file that was moved is at the one place or the other.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::{Dice, trace::Step};

/// What of that which is not durable is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    All,
    Nothing,
    /// Of each thing, the dice say.
    Some,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Resize(usize),
}

#[derive(Debug, Default, Clone)]
struct File {
    mode: u32,
    now: Vec<u8>,
    durable: Vec<u8>,
    since: Vec<Change>,
}

#[derive(Debug, Default, Clone)]
struct Directory {
    now: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
}

#[derive(Debug, Clone)]
enum Node {
    File(File),
    Directory(Directory),
}

#[derive(Debug, Clone)]
pub(crate) struct Disk(Vec<Node>);

impl Default for Disk {
    fn default() -> Self {
        Self(vec![Node::Directory(Directory::default())])
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Resize(size) => bytes.resize(*size, 0),
        Change::Write(at, written) => {
            let end = at + written.len();
            bytes.resize(bytes.len().max(end), 0);
            bytes[*at..end].copy_from_slice(written);
        }
    }
}

impl Disk {
    /// All that lies below a directory, durable.
    pub(crate) fn of(dir: &Path) -> Self {
        let mut disk = Self::default();
        disk.load(0, dir);
        disk.sync_all();
        disk
    }

    fn load(&mut self, into: usize, dir: &Path) {
        for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
            let data = entry.metadata().unwrap();
            let name = entry.file_name().into_string().unwrap();
            let new = if data.is_dir() {
                Node::Directory(Directory::default())
            } else {
                let (now, mode) = (fs::read(entry.path()).unwrap(), data.permissions().mode());
                Node::File(File { now, mode: mode & 0o7777, ..File::default() })
            };
            let at = self.add(into, &name, new);
            if data.is_dir() {
                self.load(at, &entry.path());
            }
        }
    }

    fn add(&mut self, parent: usize, name: &str, new: Node) -> usize {
        self.0.push(new);
        let at = self.0.len() - 1;
        self.directory(parent).now.insert(name.to_owned(), at);
        at
    }

    fn directory(&mut self, at: usize) -> &mut Directory {
        match &mut self.0[at] {
            Node::Directory(directory) => directory,
            Node::File(_) => panic!("no directory"),
        }
    }

    fn file(&mut self, path: &str) -> &mut File {
        let at = self.find(path).unwrap_or_else(|| panic!("{path} is not there"));
        match &mut self.0[at] {
            Node::File(file) => file,
            Node::Directory(_) => panic!("{path} is no file"),
        }
    }

    fn find(&mut self, path: &str) -> Option<usize> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts.into_iter().try_fold(0, |at, part| self.directory(at).now.get(part).copied())
    }

    fn parent<'a>(&mut self, path: &'a str) -> (usize, &'a str) {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        (self.find(parent).unwrap_or_else(|| panic!("{parent} is not there")), name)
    }

    fn change(&mut self, path: &str, change: Change) {
        let file = self.file(path);
        apply(&mut file.now, &change);
        file.since.push(change);
    }

    /// Does what a process did.
    pub(crate) fn take(&mut self, step: &Step) {
        match step {
            Step::Open { path, .. } if path.is_empty() => {}
            Step::Open { path, mode, truncate } => {
                if self.find(path).is_none() {
                    let (parent, name) = self.parent(path);
                    self.add(parent, name, Node::File(File { mode: *mode, ..File::default() }));
                } else if *truncate {
                    self.change(path, Change::Resize(0));
                }
            }
            Step::MakeDirectory { path } if path.is_empty() => {}
            Step::MakeDirectory { path } => {
                let (parent, name) = self.parent(path);
                self.add(parent, name, Node::Directory(Directory::default()));
            }
            Step::Write { path, at, bytes } => {
                let at = at.unwrap_or_else(|| self.file(path).now.len());
                self.change(path, Change::Write(at, bytes.clone()));
            }
            Step::Resize { path, size } => self.change(path, Change::Resize(*size)),
            Step::Mode { path, mode } => {
                let at = self.find(path).unwrap();
                if let Node::File(file) = &mut self.0[at] {
                    file.mode = *mode;
                }
            }
            Step::Rename { from, to } => {
                let (parent, name) = self.parent(from);
                let moved = self.directory(parent).now.remove(name).unwrap();
                let (parent, name) = self.parent(to);
                self.directory(parent).now.insert(name.to_owned(), moved);
            }
            Step::Link { from, to } => {
                let linked = self.find(from).unwrap();
                let (parent, name) = self.parent(to);
                self.directory(parent).now.insert(name.to_owned(), linked);
            }
            Step::Remove { path } => {
                let (parent, name) = self.parent(path);
                self.directory(parent).now.remove(name).unwrap();
            }
            Step::Sync { path } => {
                let at = self.find(path).unwrap();
                self.sync(at);
            }
            Step::SyncAll => self.sync_all(),
            Step::Mark(_) => {}
        }
    }

    fn sync(&mut self, at: usize) {
        match &mut self.0[at] {
            Node::File(file) => {
                file.durable.clone_from(&file.now);
                file.since.clear();
            }
            Node::Directory(directory) => directory.durable.clone_from(&directory.now),
        }
    }

    fn sync_all(&mut self) {
        (0..self.0.len()).for_each(|at| self.sync(at));
    }

    /// Lays out what is there after a loss of power, or after a kill, which loses nothing.
    pub(crate) fn write_to(&self, dir: &Path, names: Kept, bytes: Kept, dice: &mut Dice) {
        fs::create_dir(dir).unwrap();
        let salt = dice.below(u64::MAX);
        let kept = |moved: usize| match names {
            Kept::All => true,
            Kept::Nothing => false,
            Kept::Some => Dice(salt ^ moved as u64).below(2) == 0,
        };
        let mut layout = Layout { kept: &kept, bytes, dice, written: BTreeMap::new() };
        self.write_directory(0, dir, &mut layout);
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
    }

    fn write_directory(&self, at: usize, to: &Path, layout: &mut Layout<'_>) {
        let Node::Directory(directory) = &self.0[at] else { panic!("no directory") };
        let mut entries = directory.durable.clone();
        let changed = |name: &&String| directory.now.get(*name) != directory.durable.get(*name);
        let all: std::collections::BTreeSet<_> =
            directory.now.keys().chain(directory.durable.keys()).collect();
        for name in all.into_iter().filter(changed) {
            let (new, old) = (directory.now.get(name), directory.durable.get(name));
            match new.or(old).filter(|concerned| (layout.kept)(**concerned)) {
                Some(_) if new.is_some() => entries.extend(new.map(|new| (name.clone(), *new))),
                Some(_) => _ = entries.remove(name),
                None => {}
            }
        }
        for (name, at) in entries {
            let to = to.join(name);
            match &self.0[at] {
                Node::Directory(_) => {
                    fs::create_dir(&to).unwrap();
                    self.write_directory(at, &to, layout);
                }
                Node::File(_) if layout.written.contains_key(&at) => {
                    fs::hard_link(&layout.written[&at], to).unwrap();
                }
                Node::File(file) => {
                    layout.written.insert(at, to.clone());
                    let mut options = fs::OpenOptions::new();
                    options.write(true).create_new(true).mode(file.mode);
                    let content = file.content(layout.bytes, layout.dice);
                    std::io::Write::write_all(&mut options.open(to).unwrap(), &content).unwrap();
                }
            }
        }
    }
}

/// How a disk is laid out.
struct Layout<'a> {
    /// What of a thing there is: its names now, or those that are durable.
    kept: &'a dyn Fn(usize) -> bool,
    bytes: Kept,
    dice: &'a mut Dice,
    /// Files that have a name already.
    written: BTreeMap<usize, PathBuf>,
}

impl File {
    fn content(&self, kept: Kept, dice: &mut Dice) -> Vec<u8> {
        match kept {
            Kept::All => self.now.clone(),
            Kept::Nothing => self.durable.clone(),
            Kept::Some => {
                let mut content = self.durable.clone();
                for change in &self.since {
                    match (dice.below(3), change) {
                        (0, _) => {}
                        // Torn: its first part alone.
                        (1, Change::Write(at, bytes)) if bytes.len() > 1 => {
                            let length = dice.below(bytes.len() as u64) as usize;
                            apply(&mut content, &Change::Write(*at, bytes[..length].to_vec()));
                        }
                        _ => apply(&mut content, change),
                    }
                }
                content
            }
        }
    }
}
