//! Who keeps a mount busy, as lsof(8) tells it. Where the mount is dead it may tell nothing.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    mount::MountInfo,
    users::{How, User},
};

/// The processes that keep this mount busy, each with the first way found.
pub(crate) fn users(mount: &MountInfo) -> Vec<User> {
    let mut command = Command::new("/usr/sbin/lsof");
    command.args(["-w", "-F", "pcfn", "--"]).arg(&mount.mountpoint);
    let told = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    told.map(|told| read(&String::from_utf8_lossy(&told.stdout))).unwrap_or_default()
}

/// Lines of one field each, which its first letter names: of a process `p` its number and `c` its
/// name, then of each of its files `f` what it is to the process and `n` its path.
fn read(told: &str) -> Vec<User> {
    let mut users = Vec::<User>::new();
    let (mut pid, mut name, mut kind) = (0, "", "");
    for line in told.lines() {
        let (field, value) = line.split_at_checked(1).unwrap_or_default();
        match field {
            "p" => pid = value.parse().unwrap_or_default(),
            "c" => name = value,
            "f" => kind = value,
            "n" if users.last().is_none_or(|last| last.pid != pid) => {
                users.push(User { pid, name: name.to_owned(), how: how(kind, value.into()) });
            }
            _ => {}
        }
    }
    users
}

fn how(kind: &str, path: PathBuf) -> How {
    match kind {
        "cwd" => How::WorkingDirectory(path),
        "rtd" => How::Root(path),
        "txt" => How::Program(path),
        "mem" => How::Mapped(path),
        _ => How::Open(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_is_told_of_once() {
        let users = read("p7\ncsh\nfcwd\nn/mnt\nf3\nn/mnt/a\np8\ncpython\nf4\nn/mnt/b\n");
        let told: Vec<String> = users.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["7 sh (working directory /mnt)", "8 python (has /mnt/b open)"]);
    }
}
