//! What is mounted, which the system tells without a question to any file system. Where it does not,
//! all is one file system.

use std::{os::unix::ffi::OsStrExt, path::Path, sync::Arc};

use super::system;

/// What was mounted when it was looked at.
#[derive(Debug)]
pub(crate) struct Mounts {
    root: Arc<Path>,
    /// The longest first.
    points: Vec<Arc<Path>>,
}
impl Mounts {
    /// Looks at what is mounted.
    pub(crate) fn look() -> Self {
        let mut points: Vec<Arc<Path>> =
            system::mount_points().into_iter().map(Arc::from).collect();
        points.sort_by_key(|point| std::cmp::Reverse(point.as_os_str().len()));
        points.dedup();
        Self { root: Path::new("/").into(), points }
    }

    /// Where the file system is mounted that holds this path.
    pub(crate) fn of(&self, path: &Path) -> Arc<Path> {
        let path = path.as_os_str().as_bytes();
        let holds = |point: &&Arc<Path>| {
            let rest = path.strip_prefix(point.as_os_str().as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        };
        Arc::clone(self.points.iter().find(holds).unwrap_or(&self.root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_the_innermost_mount_above_it() {
        let points = ["/net/a b/inner", "/net/a b", "/net", "/"];
        let points = points.iter().map(|point| Path::new(point).into()).collect();
        let mounts = Mounts { root: Path::new("/").into(), points };
        for (path, place) in [
            ("/net/a b/inner", "/net/a b/inner"),
            ("/net/a b/inner/x", "/net/a b/inner"),
            ("/net/a b/inner2/x", "/net/a b"),
            ("/net/a", "/net"),
            ("/network", "/"),
            ("relative", "/"),
        ] {
            assert_eq!(&*mounts.of(Path::new(path)), Path::new(place), "{path}");
        }
    }
}
