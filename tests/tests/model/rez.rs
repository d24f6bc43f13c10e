//! rez's actions on its cache (`rez/package_cache.py`), with the calls that it makes, in its order.
//!
//! As `protocol/actions.rs`, on whatever the cache is; failures are returned, to be told with the
//! history that led to them.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pkgfs_tests::VariantHandle;
use serde_json::Value;

use crate::expected::{Node, Tree};
use crate::files::{Files, Way};

/// Makes names unique.
static NUMBER: AtomicU64 = AtomicU64::new(0);

fn number() -> u64 {
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

pub(crate) fn place(handle: &VariantHandle) -> String {
    format!("{}/{}/{}", handle.name, handle.version_dir(), handle.h4())
}

/// `get_cached_root`.
pub(crate) fn find(files: &dyn Files, handle: &VariantHandle) -> io::Result<Option<String>> {
    let Some(root) = registered(files, handle)? else { return Ok(None) };
    let (place, stem) = root.rsplit_once('/').unwrap();
    if files.exists(&format!("{place}/.copying-{stem}"))? {
        return Ok(None);
    }
    files.touch(&format!("{root}.json"))?;
    Ok(Some(root))
}

fn registered(files: &dyn Files, handle: &VariantHandle) -> io::Result<Option<String>> {
    let place = place(handle);
    if !files.exists(&place)? {
        return Ok(None);
    }
    for name in files.names(&place)? {
        let Some(stem) = name.strip_suffix(".json") else { continue };
        let text = files.read(&format!("{place}/{name}"), 0..1 << 20, Way::Read)?;
        let json: Value = serde_json::from_slice(&text)?;
        if json["handle"] == handle.to_dict() {
            return Ok(Some(format!("{place}/{stem}")));
        }
    }
    Ok(None)
}

/// `add_variants`: what a context writes for a variant it did not find.
pub(crate) fn ask(files: &dyn Files, handle: &VariantHandle) -> io::Result<()> {
    let name = format!(".sys/pending/{}-{}.json", handle.qualified_name(), number());
    files.write(&name, handle.to_json().as_bytes())?;
    // Its daemon takes it away when it finds the variant there.
    files.unlink(&name)
}

/// `add_variant`, with these files as payload. Whether it was not there yet.
pub(crate) fn copy_in(files: &dyn Files, handle: &VariantHandle, tree: &Tree) -> io::Result<bool> {
    let place = place(handle);
    make_directories(files, &place)?;
    let root = {
        let _lock = Lock::acquire(files)?;
        if registered(files, handle)?.is_some() {
            return Ok(false);
        }
        if files.names(&place)?.iter().any(|name| name.ends_with(".json")) {
            return Err(io::Error::other("another variant has its place"));
        }
        files.write(&format!("{place}/.copying-a"), b"")?;
        let text = format!("{{\"handle\": {}}}", handle.to_json());
        files.write(&format!("{place}/a.json"), text.as_bytes())?;
        format!("{place}/a")
    };
    files.make_directory(&root)?;
    for (path, node) in tree {
        match node {
            Node::Directory => files.make_directory(&format!("{root}/{path}"))?,
            Node::File(bytes) => {
                files.write(&format!("{root}/{path}"), bytes)?;
                files.touch(&format!("{place}/.copying-a"))?;
            }
        }
    }
    files.unlink(&format!("{place}/.copying-a"))?;
    Ok(true)
}

/// `remove_variant`, and what `clean` does with what lies in `to_delete` then.
pub(crate) fn remove(files: &dyn Files, handle: &VariantHandle) -> io::Result<bool> {
    let away = {
        let _lock = Lock::acquire(files)?;
        let Some(root) = registered(files, handle)? else { return Ok(false) };
        let away = format!(".sys/to_delete/{}-{}", handle.qualified_name(), number());
        files.rename(&root, &away)?;
        files.unlink(&format!("{root}.json"))?;
        let place = place(handle);
        for above in [&place[..], parent(&place), parent(parent(&place))] {
            if files.remove_directory(above).is_err() {
                break;
            }
        }
        away
    };
    let left = files.names(&away)?;
    if !left.is_empty() {
        return Err(io::Error::other(format!("{left:?} is left of it in to_delete")));
    }
    files.remove_directory(&away)?;
    Ok(true)
}

/// `mkdir -p`.
fn make_directories(files: &dyn Files, path: &str) -> io::Result<()> {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    for end in ends {
        match files.make_directory(&path[..end]) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// rez's lock, held.
struct Lock<'a> {
    files: &'a dyn Files,
    own: String,
}

const LOCK: &str = ".sys/.lock.lock";

impl<'a> Lock<'a> {
    fn acquire(files: &'a dyn Files) -> io::Result<Self> {
        let host = rustix::system::uname().nodename().to_str().unwrap().to_owned();
        let (pid, number) = (std::process::id(), number());
        let own = format!(".sys/{host}-{number:x}.{pid}-1234567890123456789");
        files.write(&own, b"")?;
        let late = Instant::now() + Duration::from_secs(20);
        while let Err(error) = files.link(&own, LOCK) {
            if error.kind() != io::ErrorKind::AlreadyExists || Instant::now() > late {
                files.unlink(&own)?;
                return Err(error);
            }
            // rez polls as well: nothing tells of a lock's end.
            std::thread::sleep(Duration::from_millis(2));
        }
        match files.links(&own)? {
            2 => Ok(Self { files, own }),
            links => Err(io::Error::other(format!("the lock has {links} links"))),
        }
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        self.files.unlink(&self.own).ok();
        self.files.unlink(LOCK).ok();
    }
}
