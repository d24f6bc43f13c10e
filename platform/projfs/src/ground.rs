//! The root's directory as the provider itself changes it: links to trees, and rez's files as the view
//! has them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use pkgfs_view::Timestamp;

use crate::own::{Doing, Own, What};

/// Links from `<inc>` to a tree.
pub(crate) trait Links: Send + Sync + 'static {
    /// Makes one; both paths are absolute.
    fn make(&self, link: &Path, target: &Path) -> io::Result<()>;
    /// Has one that is there lead elsewhere, with no moment between in which there is none.
    fn lead(&self, link: &Path, target: &Path) -> io::Result<()>;
    /// Where one leads; `None` for what is no link.
    fn target(&self, link: &Path) -> io::Result<Option<PathBuf>>;
    /// Takes one away, and nothing that it leads to.
    fn remove(&self, link: &Path) -> io::Result<()>;
}

/// What lies at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum There {
    Nothing,
    File,
    Directory,
    Link(PathBuf),
}

/// The root.
pub(crate) struct Ground {
    root: PathBuf,
    links: Box<dyn Links>,
    own: Arc<Own>,
}

impl Ground {
    pub(crate) fn new(root: PathBuf, links: Box<dyn Links>, own: Arc<Own>) -> Self {
        Self { root, links, own }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, names: &[&str]) -> PathBuf {
        names.iter().fold(self.root.clone(), |path, name| path.join(name))
    }

    fn looking(&self, names: &[&str]) -> Doing {
        self.own.doing(names, What::Look)
    }

    fn changing(&self, names: &[&str]) -> Doing {
        self.own.doing(names, What::Change)
    }

    fn changing_below(&self, names: &[&str]) -> Doing {
        self.own.doing(names, What::ChangeBelow)
    }

    /// What is there.
    pub(crate) fn there(&self, names: &[&str]) -> io::Result<There> {
        let _doing = self.looking(names);
        let path = self.path(names);
        if let Some(target) = self.links.target(&path)? {
            return Ok(There::Link(target));
        }
        match fs::symlink_metadata(&path) {
            Ok(data) if data.is_dir() => Ok(There::Directory),
            Ok(_) => Ok(There::File),
            Err(error) if is_missing(&error) => Ok(There::Nothing),
            Err(error) => Err(error),
        }
    }

    /// The names that are on disk in a directory; none if there is no directory.
    pub(crate) fn names(&self, names: &[&str]) -> io::Result<Vec<String>> {
        let _doing = self.looking(names);
        let entries = match fs::read_dir(self.path(names)) {
            Err(error) if is_missing(&error) => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            // What Windows alone could name is nobody's that the provider knows.
            found.extend(entry?.file_name().into_string().ok());
        }
        Ok(found)
    }

    pub(crate) fn make_directory(&self, names: &[&str]) -> io::Result<()> {
        let _doing = self.changing(names);
        match fs::create_dir(self.path(names)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    pub(crate) fn read(&self, names: &[&str], most: u64) -> io::Result<Vec<u8>> {
        use io::Read;
        let _doing = self.looking(names);
        let mut bytes = Vec::new();
        fs::File::open(self.path(names))?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes a file that nobody has; one that is there stays as it is.
    pub(crate) fn write_new(
        &self,
        names: &[&str],
        bytes: &[u8],
        mtime: Timestamp,
    ) -> io::Result<()> {
        use io::Write;
        let _doing = self.changing(names);
        let mut file = match fs::File::create_new(self.path(names)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            made => made?,
        };
        file.write_all(bytes)?;
        file.set_modified(system_time(mtime))
    }

    pub(crate) fn mtime(&self, names: &[&str]) -> io::Result<Timestamp> {
        let _doing = self.looking(names);
        let at = fs::symlink_metadata(self.path(names))?.modified()?;
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(Timestamp { secs: since.as_secs().cast_signed(), nanos: since.subsec_nanos() })
    }

    /// Removes a file; that there is none is no failure.
    pub(crate) fn remove_file(&self, names: &[&str]) -> io::Result<()> {
        let _doing = self.changing(names);
        unless_missing(fs::remove_file(self.path(names)))
    }

    /// Removes an empty directory; that there is none is no failure.
    pub(crate) fn remove_directory(&self, names: &[&str]) -> io::Result<()> {
        let _doing = self.changing(names);
        unless_missing(fs::remove_dir(self.path(names)))
    }

    /// Removes a directory of full files, with all that is in it. Links in it are not followed.
    pub(crate) fn remove_tree(&self, names: &[&str]) -> io::Result<()> {
        let _doing = self.changing_below(names);
        unless_missing(fs::remove_dir_all(self.path(names)))
    }

    pub(crate) fn rename(&self, from: &[&str], to: &[&str]) -> io::Result<()> {
        let (_from, _to) = (self.changing_below(from), self.changing_below(to));
        fs::rename(self.path(from), self.path(to))
    }

    /// Has a link at a place lead to another; what is there otherwise must be gone before.
    pub(crate) fn link(&self, names: &[&str], target: &[&str]) -> io::Result<()> {
        let _doing = self.changing(names);
        self.links.make(&self.path(names), &self.path(target))
    }

    /// Has a link that is there lead to another place, with no moment between in which there is none.
    pub(crate) fn lead(&self, names: &[&str], target: &[&str]) -> io::Result<()> {
        let _doing = self.changing(names);
        self.links.lead(&self.path(names), &self.path(target))
    }

    /// Removes a link; that there is none is no failure.
    pub(crate) fn unlink(&self, names: &[&str]) -> io::Result<()> {
        let _doing = self.changing(names);
        unless_missing(self.links.remove(&self.path(names)))
    }
}

/// Whether links cannot be made here at all.
pub(crate) fn has_no_links(error: &io::Error) -> bool {
    /// `ERROR_INVALID_FUNCTION`, `ERROR_NOT_SUPPORTED`
    const LACKING: [i32; 2] = [1, 50];
    error.kind() == io::ErrorKind::Unsupported
        || (cfg!(windows) && error.raw_os_error().is_some_and(|code| LACKING.contains(&code)))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unless_missing(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if is_missing(&error) => Ok(()),
        outcome => outcome,
    }
}

pub(crate) fn system_time(at: Timestamp) -> SystemTime {
    let seconds = Duration::from_secs(at.secs.unsigned_abs());
    let nanos = Duration::from_nanos(at.nanos.into());
    let moment = if at.secs < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(seconds)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(seconds)
    };
    moment.and_then(|moment| moment.checked_add(nanos)).unwrap_or(SystemTime::UNIX_EPOCH)
}
