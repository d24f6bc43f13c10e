//! What is mounted, read from `/proc/self/mountinfo` (proc(5)): one line a mount,
//! octal escapes for blanks and backslashes. Reading it never touches a mount, so a
//! dead or hung one cannot stop it.

use std::{
    ffi::OsString,
    io,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use super::FSTYPE;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountInfo {
    /// The mount's number in this mount namespace; `/proc/<pid>/fdinfo` names it.
    pub id: u64,
    /// Where it is mounted.
    pub mountpoint: PathBuf,
    /// Type, with its subtype: `ext4`, `fuse.pkgfs`.
    pub fstype: String,
    /// What is mounted; for ours, the path of the store.
    pub source: PathBuf,
    /// Device, major and minor.
    pub device: (u32, u32),
    /// Options of the mount and of the file system, comma separated.
    pub options: String,
}

impl MountInfo {
    /// Is this one of ours?
    #[must_use]
    pub fn is_pkgfs(&self) -> bool {
        self.fstype == FSTYPE
    }

    /// The user that mounted it, for a FUSE mount.
    #[must_use]
    pub fn user_id(&self) -> Option<u32> {
        self.options.split(',').find_map(|option| option.strip_prefix("user_id=")?.parse().ok())
    }
}

/// The pkgfs mounts of this mount namespace, in the order they were made.
///
/// # Errors
/// When `/proc/self/mountinfo` cannot be read.
pub fn mounts() -> io::Result<Vec<MountInfo>> {
    Ok(all_mounts()?.into_iter().filter(MountInfo::is_pkgfs).collect())
}

/// What is mounted at exactly this (resolved) path: the last mount, which hides those
/// below it.
///
/// # Errors
/// When `/proc/self/mountinfo` cannot be read.
pub fn mount_at(mountpoint: &Path) -> io::Result<Option<MountInfo>> {
    Ok(all_mounts()?.into_iter().rfind(|mount| mount.mountpoint == mountpoint))
}

/// Every mount of this mount namespace.
///
/// # Errors
/// When `/proc/self/mountinfo` cannot be read.
pub fn all_mounts() -> io::Result<Vec<MountInfo>> {
    let text = std::fs::read("/proc/self/mountinfo")?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(parse).collect())
}

fn parse(line: &[u8]) -> Option<MountInfo> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let text = |at: usize| Some(String::from_utf8_lossy(fields.get(at)?).into_owned());
    let path = |at: usize| Some(PathBuf::from(OsString::from_vec(unescape(fields.get(at)?))));
    // Optional fields end with a lone dash.
    let dash = fields.iter().skip(6).position(|field| *field == b"-")? + 6;
    let device = text(2)?;
    let (major, minor) = device.split_once(':')?;
    Some(MountInfo {
        id: text(0)?.parse().ok()?,
        mountpoint: path(4)?,
        fstype: text(dash + 1)?,
        source: path(dash + 2)?,
        device: (major.parse().ok()?, minor.parse().ok()?),
        options: format!("{},{}", text(5)?, text(dash + 3).unwrap_or_default()),
    })
}

/// `\040` and its like, as the kernel writes blanks, tabs, newlines and backslashes.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| byte == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        match octal {
            Some(value) => {
                plain.push(value);
                rest = &after[3..];
            }
            None => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_blanks_and_optional_fields_is_read_whole() {
        let line = br"81 23 0:52 / /mnt/a\040b\134c rw,nosuid shared:4 master:1 - fuse.pkgfs /st\040ore rw,user_id=7,group_id=0";
        let mount = parse(line).unwrap();
        assert_eq!(mount.id, 81);
        assert_eq!(mount.mountpoint, Path::new(r"/mnt/a b\c"));
        assert_eq!(mount.source, Path::new("/st ore"));
        assert_eq!(mount.device, (0, 52));
        assert_eq!(mount.user_id(), Some(7));
        assert!(mount.is_pkgfs());
    }

    #[test]
    fn a_line_cut_short_is_left_out() {
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"81 23 0:52 / /mnt rw shared:4"), None);
        assert_eq!(unescape(br"\0"), br"\0");
    }
}
