//! What a mount is to the kernel: a descriptor of FUSE's device, and what was agreed on with it.
//!
//! The connection lives for as long as anybody has the descriptor open. So another process that is
//! given it can go on when the one that answers dies: it settles the same things with the kernel's
//! first request (INIT), which is kept for that, in a conversation that the kernel does not take
//! part in, and asks it to send once more what was sent to the dead one (FUSE_NOTIFY_RESEND,
//! Linux 6.9, include/uapi/linux/fuse.h).

use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    mem::ManuallyDrop,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
};

use fuser::{Config, Filesystem, Session, SessionACL};

use crate::sys;

/// The least buffer that the kernel fills (`FUSE_MIN_READ_BUFFER`).
const BUFFER: usize = 8192;
/// Bytes before what an INIT request says (`fuse_in_header`).
const HEADER: usize = 40;
/// Where it says what else the kernel can do (`fuse_init_in.flags2`).
const FLAGS_2: usize = HEADER + 16;
/// It can send requests again (`FUSE_HAS_RESEND >> 32`).
const HAS_RESEND: u32 = 1 << 7;
/// A notice of 16 bytes: send again (`FUSE_NOTIFY_RESEND`).
const RESEND: [u32; 4] = [16, 7, 0, 0];

/// A connection to the kernel, for a [`Mount`](crate::Mount).
#[derive(Debug)]
pub struct Connection {
    device: OwnedFd,
    init: Vec<u8>,
    open_files: File,
    former: Former,
}

/// What the process before left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Former {
    /// There was none.
    None,
    /// It died; what it did not answer is answered now.
    Died,
    /// Several died at once after they had begun: what they did not answer is refused, since that may be
    /// what they died of.
    DiedOfRequests,
}

impl Connection {
    /// The connection of a file system that was just mounted: waits for the kernel's first request.
    ///
    /// # Errors
    /// When the mount is gone already.
    pub fn new(device: OwnedFd) -> io::Result<Self> {
        let mut init = vec![0; BUFFER];
        let length = rustix::io::retry_on_intr(|| rustix::io::read(&device, &mut init))?;
        init.truncate(length);
        let open_files = sys::nameless_file("pkgfs-open-files")?;
        Ok(Self { device, init, open_files: open_files.into(), former: Former::None })
    }

    /// The connection of a process that has died.
    #[must_use]
    pub fn inherited(device: OwnedFd, init: Vec<u8>, open_files: OwnedFd, former: Former) -> Self {
        Self { device, init, open_files: open_files.into(), former }
    }

    /// Whether another process can go on with it: only where the kernel sends again what was not
    /// answered, since those who wait for it could not be woken otherwise.
    #[must_use]
    pub fn can_be_inherited(&self) -> bool {
        let flags = self.init.get(FLAGS_2..FLAGS_2 + 4).and_then(|flags| flags.try_into().ok());
        flags.is_some_and(|flags| u32::from_ne_bytes(flags) & HAS_RESEND != 0)
    }

    /// The descriptor, the first request, and the file that tells what the kernel has open: for
    /// [`inherited`](Self::inherited).
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn share(&self) -> io::Result<(OwnedFd, Vec<u8>, OwnedFd)> {
        let open_files = self.open_files.try_clone()?.into();
        Ok((self.device.try_clone()?, self.init.clone(), open_files))
    }

    pub(crate) fn device(&self) -> io::Result<OwnedFd> {
        self.device.try_clone()
    }

    pub(crate) fn open_files(&self) -> io::Result<File> {
        self.open_files.try_clone()
    }

    pub(crate) fn former(&self) -> Former {
        self.former
    }

    /// A session over this connection. Nothing that the process before did not answer is lost.
    pub(crate) fn session<F: Filesystem>(
        self,
        filesystem: F,
        config: Config,
    ) -> io::Result<Session<F>> {
        let (ours, theirs) = sys::conversation()?;
        ours.send(&self.init)?;
        let session = Session::from_fd(filesystem, theirs, SessionACL::All, config)?;
        let mut agreed = vec![0; BUFFER];
        // The library has answered by now.
        ours.set_nonblocking(true)?;
        let length = ours.recv(&mut agreed)?;
        replace(&session, &self.device)?;
        let mut device = File::from(self.device);
        match device.write_all(&agreed[..length]) {
            Ok(()) => {}
            // Answered by the process before.
            Err(error) if self.former != Former::None && error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if self.former != Former::None {
            let resend = RESEND.map(u32::to_ne_bytes).concat();
            device.write_all(&resend)?;
        }
        Ok(session)
    }
}

/// Makes the session's descriptor, whatever it was, one of the device.
#[allow(unsafe_code)]
fn replace<F: Filesystem>(session: &Session<F>, device: &OwnedFd) -> io::Result<()> {
    // SAFETY: the session keeps this descriptor open, and is not run yet; it is not closed here.
    let of_session = unsafe { OwnedFd::from_raw_fd(session.as_fd().as_raw_fd()) };
    let mut of_session = ManuallyDrop::new(of_session);
    sys::replace(&mut of_session, device)
}
