//! Who keeps a mount busy, read from `/proc`: working directories, roots, programs and open files by
//! what their links say and by the mount number in `fdinfo`, mappings by the device number. None
//! of it asks the mount, so it works on a dead one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    mount::MountInfo,
    users::{How, User},
};

/// The processes that keep this mount busy, each with the first way found.
pub(crate) fn users(mount: &MountInfo) -> Vec<User> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let how = use_of(mount, &entry.path())?;
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            Some(User { pid, name: name.trim_end().to_owned(), how })
        })
        .collect()
}

fn use_of(mount: &MountInfo, process: &Path) -> Option<How> {
    let link = |name: &str| {
        let path = fs::read_link(process.join(name)).ok()?;
        path.starts_with(&mount.mountpoint).then_some(path)
    };
    link("cwd")
        .map(How::WorkingDirectory)
        .or_else(|| link("root").map(How::Root))
        .or_else(|| link("exe").map(How::Program))
        .or_else(|| open_file(mount, process).map(How::Open))
        .or_else(|| mapping(mount, process).map(How::Mapped))
}

fn open_file(mount: &MountInfo, process: &Path) -> Option<PathBuf> {
    let number = format!("mnt_id:\t{}", mount.id);
    fs::read_dir(process.join("fd")).ok()?.flatten().find_map(|entry| {
        let path = fs::read_link(entry.path()).ok()?;
        let of_mount = || {
            let info = process.join("fdinfo").join(entry.file_name());
            fs::read_to_string(info).is_ok_and(|text| text.lines().any(|line| line == number))
        };
        (path.starts_with(&mount.mountpoint) || of_mount()).then_some(path)
    })
}

/// A line of `maps`: `address perms offset major:minor inode path`, numbers in hex.
fn mapping(mount: &MountInfo, process: &Path) -> Option<PathBuf> {
    let device = format!("{:02x}:{:02x}", mount.device.0, mount.device.1);
    let maps = fs::read(process.join("maps")).ok()?;
    String::from_utf8_lossy(&maps).lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(3);
        let of_mount = fields.next()? == device;
        let path = fields.skip(1).collect::<Vec<_>>().join(" ");
        of_mount.then(|| PathBuf::from(path))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::mount::mount_at;

    #[test]
    fn a_process_with_a_file_open_is_named() {
        // Any mount serves: the temporary directory's own.
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let mount = mount_at(Path::new("/dev/shm")).unwrap().unwrap();
        let path = dir.path().join("held");
        let _held = fs::File::create(&path).unwrap();
        let found = users(&mount);
        let own = found.iter().find(|user| user.pid == std::process::id()).unwrap();
        assert!(matches!(&own.how, How::Open(_)), "{own}");
        assert!(own.to_string().starts_with(&format!("{} ", own.pid)));
    }
}
