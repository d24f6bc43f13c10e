//! Packages at origin: what they hold, and what is done to them.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use pkgfs_tests::Scene;

use crate::expected::{Node, Tree};
use crate::history::Change;

/// Files of a payload: those that come in one answer, one that is filled, and one that is larger
/// than all that the store may hold.
const FILES: [(&str, usize); 5] =
    [("a", 3_000), ("d/b", 10), ("d/big", 300_000), ("empty", 0), ("huge", 1_300_000)];

/// Changes made so far. Each gives a file a time, and bytes, that none had before: what has the
/// same size and time is the same file to everybody (rez, NFS, us).
static CHANGES: AtomicU64 = AtomicU64::new(0);

fn next() -> u64 {
    CHANGES.fetch_add(1, Ordering::Relaxed)
}

/// Bytes that nothing else has.
fn bytes(size: usize) -> Arc<[u8]> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&next().to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes.into()
}

/// A payload to be released.
pub(crate) fn tree() -> Tree {
    let files = FILES.map(|(name, size)| (name.to_owned(), Node::File(bytes(size))));
    files.into_iter().chain([("d".to_owned(), Node::Directory)]).collect()
}

/// Puts a payload there.
pub(crate) fn fill(root: &Path, tree: &Tree) {
    for (path, node) in tree {
        match node {
            Node::Directory => fs::create_dir(root.join(path)).unwrap(),
            Node::File(bytes) => fs::write(root.join(path), bytes).unwrap(),
        }
    }
}

/// One change: what stands where afterwards, before it is made.
pub(crate) struct Planned {
    pub(crate) states: Vec<(String, Option<Node>)>,
    change: Change,
}

impl Planned {
    /// Nothing, where there is nothing to be changed so.
    pub(crate) fn new(change: Change, tree: &Tree) -> Option<Self> {
        let files = || {
            let files = tree.iter().filter_map(|(path, node)| match node {
                Node::File(bytes) if path != "package.py" => Some((path.clone(), bytes)),
                _ => None,
            });
            files.collect::<Vec<_>>()
        };
        let chosen = |file: usize| {
            let files = files();
            (!files.is_empty()).then(|| files[file % files.len()].clone())
        };
        let states = match change {
            Change::Replace { file, size } => {
                vec![(chosen(file)?.0, Some(Node::File(bytes(size))))]
            }
            Change::Grow { file, by } => {
                let (path, old) = chosen(file)?;
                vec![(path, Some(Node::File([old, &*bytes(by)].concat().into())))]
            }
            Change::Truncate { file } => {
                let (path, old) = chosen(file)?;
                vec![(path, Some(Node::File(old[..old.len() / 2].into())))]
            }
            Change::Touch { file } => {
                let (path, old) = chosen(file)?;
                vec![(path, Some(Node::File(Arc::clone(old))))]
            }
            Change::Remove { file } => vec![(chosen(file)?.0, None)],
            Change::AddFile { name, size } => {
                let path = format!("d/new{name}");
                vec![(path, Some(Node::File(bytes(size))))]
            }
            Change::AddDirectory { name } => {
                let (path, within) = (format!("more{name}"), format!("more{name}/within"));
                if tree.contains_key(&path) {
                    return None;
                }
                let file = Node::File(bytes(100));
                vec![(path, Some(Node::Directory)), (within, Some(file))]
            }
        };
        Some(Self { states, change })
    }

    /// Makes it.
    pub(crate) fn make(&self, scene: &Scene, root: &Path) {
        let incoming = scene.path(&format!("incoming-{}", next()));
        let (path, node) = &self.states[0];
        let path = root.join(path);
        let content = match node {
            Some(Node::File(bytes)) => &bytes[..],
            _ => &[],
        };
        match self.change {
            Change::Replace { .. } | Change::AddFile { .. } => {
                fs::write(&incoming, content).unwrap();
                set_time(&incoming);
                fs::rename(&incoming, &path).unwrap();
            }
            Change::Grow { .. } => {
                let mut file = OpenOptions::new().append(true).open(&path).unwrap();
                let old = usize::try_from(file.metadata().unwrap().len()).unwrap();
                file.write_all(&content[old..]).unwrap();
                set_time(&path);
            }
            Change::Truncate { .. } => {
                let file = OpenOptions::new().write(true).open(&path).unwrap();
                file.set_len(content.len() as u64).unwrap();
                set_time(&path);
            }
            Change::Touch { .. } => set_time(&path),
            Change::Remove { .. } => fs::remove_file(&path).unwrap(),
            Change::AddDirectory { .. } => {
                fs::create_dir(&incoming).unwrap();
                if let (within, Some(Node::File(bytes))) = &self.states[1] {
                    let name = within.rsplit_once('/').unwrap().1;
                    fs::write(incoming.join(name), bytes).unwrap();
                }
                fs::rename(&incoming, &path).unwrap();
            }
        }
    }
}

/// A time that no file had before.
fn set_time(path: &PathBuf) {
    let at = UNIX_EPOCH + Duration::from_secs(1_000_000_000 + next());
    File::open(path).unwrap().set_modified(at).unwrap();
}
