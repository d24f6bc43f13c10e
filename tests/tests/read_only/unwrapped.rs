//! Calls of the kernel that the libraries in use do not offer.

#![allow(unsafe_code, reason = "no library in use offers these calls")]

use std::fs::File;
use std::io;

use rustix::ioctl::{Setter, ioctl, opcode};

/// `struct fsxattr` of linux/fs.h: flags first, 28 bytes in all.
type ExtendedFlags = [u8; 28];

const SET_EXTENDED_FLAGS: rustix::ioctl::Opcode = opcode::write::<ExtendedFlags>(b'X', 32);
/// `FS_XFLAG_NODUMP`: of no consequence, and anybody's to set on an own file.
const NO_DUMP: u8 = 0x80;

/// `FS_IOC_FSSETXATTR`.
pub(crate) fn set_extended_flags(file: &File) -> io::Result<()> {
    let mut flags = ExtendedFlags::default();
    flags[0] = NO_DUMP;
    // SAFETY: the number says that the kernel reads 28 bytes, which are there.
    unsafe { ioctl(file, Setter::<SET_EXTENDED_FLAGS, ExtendedFlags>::new(flags))? };
    Ok(())
}
