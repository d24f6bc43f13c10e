//! rez's actions on its cache (`rez/package_cache.py`), each with the system calls that rez makes
//! for it, in its order.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use pkgfs_tests::VariantHandle;
use rustix::fs::{Access, AtFlags, CWD, Timespec, Timestamps, UTIME_NOW};
use serde_json::Value;

use crate::lock_file::LockFile;

/// The cache that rez uses.
pub(crate) struct Cache {
    path: PathBuf,
    /// Makes names in `to_delete` unique.
    removed: AtomicUsize,
}

impl Cache {
    /// `PackageCache(path)`.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        assert!(fs::metadata(&path).unwrap().is_dir());
        for part in ["log", "pending", "to_delete"] {
            fs::create_dir_all(path.join(".sys").join(part)).unwrap();
        }
        Self { path, removed: AtomicUsize::new(0) }
    }

    pub(crate) fn sys(&self) -> PathBuf {
        self.path.join(".sys")
    }

    /// `_get_hash_path`.
    pub(crate) fn place(&self, handle: &VariantHandle) -> PathBuf {
        self.path.join(&handle.name).join(handle.version_dir()).join(handle.h4())
    }

    /// What a context that rez makes writes for a variant it did not find (`add_variants`).
    pub(crate) fn ask(&self, handle: &VariantHandle) -> PathBuf {
        self.ask_with(&handle.qualified_name(), handle.to_json().as_bytes())
    }

    /// The same with any text.
    pub(crate) fn ask_with(&self, name: &str, text: &[u8]) -> PathBuf {
        let path = self.sys().join("pending").join(format!("{name}-5b2f.json"));
        fs::write(&path, text).unwrap();
        path
    }

    /// `get_cached_root`: the payload of a variant that is ready, and its json touched.
    pub(crate) fn find(&self, handle: &VariantHandle) -> io::Result<Option<PathBuf>> {
        let Some(root) = self.registered(handle)? else { return Ok(None) };
        let copying = root.with_file_name(format!(".copying-{}", stem(&root)));
        if fs::exists(copying)? {
            return Ok(None);
        }
        touch(&root.with_extension("json"))?;
        Ok(Some(root))
    }

    /// The payload path of a variant whose json is there, ready or not.
    pub(crate) fn registered(&self, handle: &VariantHandle) -> io::Result<Option<PathBuf>> {
        let place = self.place(handle);
        if !fs::exists(&place)? {
            return Ok(None);
        }
        for name in names(&place) {
            let Some(inc) = name.strip_suffix(".json") else { continue };
            let json: Value = serde_json::from_slice(&fs::read(place.join(&name))?)?;
            if json["handle"] == handle.to_dict() {
                return Ok(Some(place.join(inc)));
            }
        }
        Ok(None)
    }

    /// `add_variant` until it lets go of the lock. `None` if the variant is registered by then.
    pub(crate) fn begin(&self, handle: &VariantHandle) -> io::Result<Option<Copy>> {
        let place = self.place(handle);
        fs::create_dir_all(&place)?;
        let _lock = LockFile::acquire(&self.sys())?;
        if self.registered(handle)?.is_some() {
            return Ok(None);
        }
        let known = names(&place).into_iter();
        let last = known.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).max();
        let root = place.join(last.map_or_else(|| "a".to_owned(), |last| next(&last)));
        let copying = place.join(format!(".copying-{}", stem(&root)));
        drop(File::create(&copying)?);
        let text = format!("{{\"handle\": {}}}", handle.to_json());
        File::create(root.with_extension("json"))?.write_all(text.as_bytes())?;
        Ok(Some(Copy { root, copying }))
    }

    /// `add_variant`, from a payload at `source`.
    pub(crate) fn add(&self, handle: &VariantHandle, source: &Path) -> PathBuf {
        let copy = self.begin(handle).unwrap().expect("it is registered already");
        copy.tree(source);
        copy.end();
        copy.root
    }

    /// `remove_variant`: where the payload lies afterwards.
    pub(crate) fn remove(&self, handle: &VariantHandle) -> PathBuf {
        let root = self.registered(handle).unwrap().expect("it is not registered");
        let _lock = LockFile::acquire(&self.sys()).unwrap();
        rustix::fs::access(&root, Access::WRITE_OK).unwrap();
        let number = self.removed.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{}-{number}", handle.qualified_name(), std::process::id());
        let target = self.sys().join("to_delete").join(name);
        fs::rename(&root, &target).unwrap();
        fs::remove_file(root.with_extension("json")).unwrap();
        let copying = root.with_file_name(format!(".copying-{}", stem(&root)));
        assert!(!fs::exists(copying).unwrap());
        for above in root.ancestors().skip(1).take(3) {
            if fs::remove_dir(above).is_err() {
                break;
            }
        }
        target
    }
}

/// A copy under way.
pub(crate) struct Copy {
    pub(crate) root: PathBuf,
    pub(crate) copying: PathBuf,
}

impl Copy {
    /// `shutil.copytree(source, root)`.
    pub(crate) fn tree(&self, source: &Path) {
        copy_tree(source, &self.root);
    }

    /// rez does so every 0.2 s while it copies.
    pub(crate) fn goes_on(&self) {
        touch(&self.copying).unwrap();
    }

    pub(crate) fn end(&self) {
        fs::remove_file(&self.copying).unwrap();
    }
}

fn copy_tree(source: &Path, target: &Path) {
    fs::create_dir(target).unwrap();
    for entry in fs::read_dir(source).unwrap() {
        let from = entry.unwrap().path();
        let to = target.join(from.file_name().unwrap());
        let data = fs::metadata(&from).unwrap();
        if data.is_dir() {
            copy_tree(&from, &to);
            continue;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&to).unwrap();
        file.write_all(&fs::read(&from).unwrap()).unwrap();
        drop(file);
        copy_data(&data, &to);
    }
    copy_data(&fs::metadata(source).unwrap(), target);
}

/// `shutil.copystat`: times, then the mode.
fn copy_data(data: &fs::Metadata, to: &Path) {
    File::open(to).unwrap().set_modified(data.modified().unwrap()).unwrap();
    fs::set_permissions(to, data.permissions()).unwrap();
}

/// `os.utime(path, None)`.
pub(crate) fn touch(path: &Path) -> io::Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::empty())?)
}

/// The names in a directory, in order.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn stem(root: &Path) -> String {
    root.file_name().unwrap().to_str().unwrap().to_owned()
}

/// rez's `get_next_base26`, for the few that tests need.
fn next(stem: &str) -> String {
    assert!(stem.len() == 1 && stem < "z", "{stem}");
    char::from(stem.as_bytes()[0] + 1).to_string()
}
