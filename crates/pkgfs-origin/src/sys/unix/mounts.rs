//! What is mounted (`/proc/self/mountinfo`, proc(5)), which is read without a question to any file
//! system. Where there is no such list, all is one file system.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path, sync::Arc};

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
        let list = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
        let lines = list.split(|byte| *byte == b'\n');
        let points = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
        let mut points: Vec<Arc<Path>> =
            points.map(|point| Path::new(OsStr::from_bytes(&unescaped(point))).into()).collect();
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

/// A blank, a tab, an end of line and a backslash stand there as three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let digits =
            after.get(..3).filter(|digits| digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        match (byte, digits) {
            (b'\\', Some(digits)) => {
                plain.push(
                    digits.iter().fold(0, |value: u8, digit| {
                        value.wrapping_mul(8).wrapping_add(digit - b'0')
                    }),
                );
                rest = &after[3..];
            }
            _ => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
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

    #[test]
    fn what_is_mounted_is_found_with_blanks_in_its_name() {
        assert_eq!(unescaped(br"/net/a\040b\134c\"), br"/net/a b\c\");
        assert_eq!(&*Mounts::look().of(Path::new("/proc/self/status")), Path::new("/proc"));
    }
}
