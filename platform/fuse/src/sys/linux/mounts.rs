//! What is mounted, read from `/proc/self/mountinfo` (proc(5)): one line a mount,
//! octal escapes for blanks and backslashes.

use std::{ffi::OsString, io, os::unix::ffi::OsStringExt, path::PathBuf};

use crate::mount::MountInfo;

/// Every mount of this mount namespace.
pub(crate) fn mounted() -> io::Result<Vec<MountInfo>> {
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
    use std::path::Path;

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
