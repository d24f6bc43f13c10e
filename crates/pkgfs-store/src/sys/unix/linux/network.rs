//! Is a directory on a network file system?
//!
//! There, locks and syncs may not do what they promise, and write-ahead logging, which
//! needs shared memory, does not work at all. Also, the store would be as slow and as
//! absent as the storage it is to stand in for.

use std::{fs, io, path::Path};

/// `statfs(2)` types of network file systems (linux/magic.h, statfs(2)).
const KINDS: [(u64, &str); 15] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x0102_1997, "9P"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x564c, "NCP"),
    (0x7375_7245, "Coda"),
    (0x0116_1970, "GFS2"),
    (0xaad7_aaea, "PanFS"),
];

const FUSE: u64 = 0x6573_5546;

/// The name of the network file system that `dir` lies on, if it lies on one. Of what
/// comes through FUSE only block devices are taken for local.
pub(crate) fn network_file_system(dir: &Path) -> io::Result<Option<String>> {
    // The type is a signed word on some architectures, with the upper half all sign.
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)]
    let magic = rustix::fs::statfs(dir)?.f_type as u64 & 0xffff_ffff;
    if magic == FUSE {
        let device = rustix::fs::stat(dir)?.st_dev;
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let kind = mounted_as(&mounts, &format!("{major}:{minor}")).unwrap_or("fuse");
        return Ok((kind != "fuseblk").then(|| kind.to_owned()));
    }
    Ok(KINDS.iter().find(|(known, _)| *known == magic).map(|(_, kind)| (*kind).to_owned()))
}

/// The type of the file system with this device number (proc_pid_mountinfo(5): the
/// third field is the device, the type is the first after a lone hyphen).
fn mounted_as<'a>(mountinfo: &'a str, device: &str) -> Option<&'a str> {
    let mount = mountinfo.lines().find(|line| line.split(' ').nth(2) == Some(device))?;
    mount.split(" - ").nth(1)?.split(' ').next()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_fuse_file_system_is_known_by_its_device_number() {
        let mountinfo = "22 28 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n\
                         90 28 0:45 / /mnt/a rw shared:9 master:1 - fuse.sshfs host:/ rw\n\
                         91 28 8:17 / /mnt/b rw - fuseblk /dev/sdb1 rw\n";
        assert_eq!(mounted_as(mountinfo, "0:45"), Some("fuse.sshfs"));
        assert_eq!(mounted_as(mountinfo, "8:17"), Some("fuseblk"));
        assert_eq!(mounted_as(mountinfo, "0:4"), None);
    }

    #[test]
    fn a_file_system_in_memory_is_local() {
        assert_eq!(network_file_system(Path::new("/proc")).unwrap(), None);
    }
}
