//! What a daemon and its holder say to each other: JSON, a message each, with descriptors.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use serde::{Deserialize, Serialize};

use crate::{Settings, startup::Surroundings};

/// The most descriptors of a message.
const MOST_FILES: usize = 4;
/// The longest message.
const LONGEST: usize = 1 << 20;
/// The other side answers at once, or hangs.
const DEADLINE: Duration = Duration::from_secs(5);

/// What is said.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// What all mounts need: with the store's lock, the two files of notes, and, from the first
    /// daemon, a descriptor of its process.
    Estate(Box<Estate>),
    /// A mount: with its device, and the file that tells what the kernel has open.
    Mounted(HeldMount),
    /// It is gone.
    Unmounted(u64),
    /// Everything was handed on.
    Complete,
    /// The daemon answers the kernel.
    Serving,
    /// The next daemon is to be this program; this one is about to end.
    Upgrade(PathBuf),
    /// There is nothing to hold any more.
    Done,
}

/// What a daemon needs to go on for another, besides the mounts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Estate {
    /// The holder's version.
    pub version: String,
    pub settings: Settings,
    pub surroundings: Surroundings,
    /// Tells the daemon's handles from those before it.
    pub life: u16,
    pub former: FormerDaemon,
    /// How many there were.
    pub taken_over: u64,
    /// How the last of them ended.
    pub last_end: Option<String>,
}

/// What is known of the daemon before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FormerDaemon {
    /// There was none.
    None,
    /// It ended.
    Died,
    /// It and others before it died as soon as they served.
    DiedOfRequests,
}

/// One mount.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HeldMount {
    /// Among those of the store.
    pub number: u64,
    pub mountpoint: PathBuf,
    /// The kernel's number of the mount.
    pub id: Option<u64>,
    /// The first request of the kernel.
    pub init: Vec<u8>,
}

/// A mount with its descriptors.
pub(crate) struct MountToKeep {
    pub mount: HeldMount,
    pub device: OwnedFd,
    pub open_files: OwnedFd,
}

/// One end of the conversation.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

/// What was heard without waiting.
pub(super) enum Heard {
    Nothing,
    End,
    Message(Message, Vec<OwnedFd>),
    Unknown,
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Channel {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// Both ends; the second is for another process.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(ours), theirs))
    }

    /// Says something, and waits until it was taken in.
    pub(super) fn tell(&self, message: &Message, files: &[OwnedFd]) -> io::Result<()> {
        set_socket_timeout(&self.0, Timeout::Recv, Some(DEADLINE))?;
        self.send(message, files)?;
        let mut byte = [0];
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut byte))? {
            0 => Err(io::ErrorKind::BrokenPipe.into()),
            _ => Ok(()),
        }
    }

    pub(super) fn acknowledge(&self) -> io::Result<()> {
        match rustix::net::send(&self.0, &[1], SendFlags::NOSIGNAL) {
            // It has died meanwhile.
            Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn send(&self, message: &Message, files: &[OwnedFd]) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        sendmsg(&self.0, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits for a message; none when the other end is closed.
    pub(super) fn receive(&self) -> io::Result<Option<(Message, Vec<OwnedFd>)>> {
        match self.hear(RecvFlags::empty())? {
            Heard::Message(message, files) => Ok(Some((message, files))),
            Heard::Nothing | Heard::End | Heard::Unknown => Ok(None),
        }
    }

    pub(super) fn try_receive(&self) -> io::Result<Heard> {
        self.hear(RecvFlags::DONTWAIT)
    }

    fn hear(&self, flags: RecvFlags) -> io::Result<Heard> {
        let mut text = vec![0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let heard = rustix::io::retry_on_intr(|| {
            let mut into = [IoSliceMut::new(&mut text)];
            recvmsg(&self.0, &mut into, &mut control, flags | RecvFlags::CMSG_CLOEXEC)
        });
        let length = match heard {
            Ok(heard) => heard.bytes,
            Err(Errno::AGAIN) => return Ok(Heard::Nothing),
            Err(Errno::CONNRESET) => 0,
            Err(error) => return Err(error.into()),
        };
        if length == 0 {
            return Ok(Heard::End);
        }
        let files = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        });
        let files = files.flatten().collect();
        let message = serde_json::from_slice(&text[..length]);
        Ok(message.map_or(Heard::Unknown, |message| Heard::Message(message, files)))
    }
}
