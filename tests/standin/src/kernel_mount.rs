//! The mount as the kernel sees it: finding it, tuning it, and getting rid of it whatever
//! state it is in.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::mount::UnmountFlags;

/// A mount of ours: where, and the device number that tells it from any other there.
#[derive(Clone, Debug)]
pub(crate) struct KernelMount {
    path: PathBuf,
    /// `major:minor`, as mountinfo writes it.
    device: String,
}

impl KernelMount {
    /// The topmost mount at `path`, which must be canonical. Reads the kernel's table and not
    /// the mount itself, which may hang.
    pub(crate) fn find(path: &Path) -> io::Result<Option<Self>> {
        let table = fs::read("/proc/self/mountinfo")?;
        let lines = table.split(|&byte| byte == b'\n');
        let topmost = lines.filter_map(device_and_path).rfind(|(_, at)| at == path);
        Ok(topmost.map(|(device, path)| Self { path, device }))
    }

    /// Sets the read-ahead, which only root may raise above the kernel's 128 KiB, and returns
    /// what is in force.
    pub(crate) fn set_read_ahead(&self, kb: u32) -> io::Result<u32> {
        let setting = format!("/sys/class/bdi/{}/read_ahead_kb", self.device);
        // As an ordinary user the kernel's default stays; the value read back tells.
        fs::write(&setting, kb.to_string()).ok();
        let in_force = fs::read_to_string(&setting)?;
        in_force.trim().parse().map_err(io::Error::other)
    }

    /// Takes the mount out of the tree at once and fails every request it has not answered, so
    /// that no caller, and no thread of the server behind one, stays stuck in the kernel. Does
    /// nothing when it is gone already or another mount took its place.
    pub(crate) fn end(&self) -> io::Result<()> {
        match Self::find(&self.path)? {
            Some(mount) if mount.device == self.device => {}
            _ => return Ok(()),
        }
        // FORCE alone ends the connection and still answers EBUSY while files are open.
        match rustix::mount::unmount(&self.path, UnmountFlags::FORCE | UnmountFlags::DETACH) {
            Err(rustix::io::Errno::PERM) => {
                self.abort();
                self.detach_as_user()
            }
            result => Ok(result?),
        }
    }

    /// What FORCE does, for the mount's ordinary owner; needs fusectl, which may be absent.
    fn abort(&self) {
        let minor = self.device.split(':').nth(1).unwrap_or_default();
        fs::write(format!("/sys/fs/fuse/connections/{minor}/abort"), "1").ok();
    }

    fn detach_as_user(&self) -> io::Result<()> {
        let mut fusermount = Command::new("fusermount3");
        fusermount.args(["-u", "-z", "-q", "--"]).arg(&self.path).stdin(Stdio::null());
        let status = fusermount.status()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("fusermount3 -uz {}: {status}", self.path.display())))
        }
    }
}

fn device_and_path(line: &[u8]) -> Option<(String, PathBuf)> {
    let mut fields = line.split(|&byte| byte == b' ');
    let device = fields.nth(2)?;
    let path = fields.nth(1)?;
    Some((String::from_utf8(device.to_owned()).ok()?, unescape(path)))
}

/// mountinfo writes blanks and backslashes in paths as three octal digits (proc(5)).
fn unescape(field: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = if byte == b'\\' { after.get(..3) } else { None };
        let code = digits
            .and_then(|digits| u8::from_str_radix(OsStr::from_bytes(digits).to_str()?, 8).ok());
        path.push(code.unwrap_or(byte));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    PathBuf::from(std::ffi::OsString::from_vec(path))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::device_and_path;
    use std::path::PathBuf;

    #[test]
    fn a_line_of_mountinfo_gives_device_and_unescaped_path() {
        let line = br"36 35 0:52 / /mnt/a\040b\134c rw,nosuid - fuse standin rw";
        let (device, path) = device_and_path(line).unwrap();
        assert_eq!((device.as_str(), path), ("0:52", PathBuf::from(r"/mnt/a b\c")));
    }
}
