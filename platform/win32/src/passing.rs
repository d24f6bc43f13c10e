//! Bytes and open files through a pipe to a child.
//!
//! A pipe of Windows carries bytes alone. So each packet of them begins with its length and the
//! numbers under which the child has the files already that go along ("DuplicateHandle"): a
//! little-endian `u32`, a byte that counts the files, and a little-endian `u64` for each.

#![allow(unsafe_code)]

use std::{
    fs::File,
    io::{self, Read},
    os::windows::io::{AsHandle, FromRawHandle},
};

use crate::child::Child;

/// What a packet of so many bytes begins with, which are all to be sent to the child after it. The
/// child has the files from now on.
///
/// # Errors
/// When the child has ended, or cannot be given one of the files.
pub fn packet(child: &Child, length: usize, files: &[File]) -> io::Result<Vec<u8>> {
    let too_many = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let length = u32::try_from(length).map_err(too_many)?;
    let mut head = length.to_le_bytes().to_vec();
    head.push(u8::try_from(files.len()).map_err(too_many)?);
    for file in files {
        head.extend(child.give(file.as_handle())?.to_le_bytes());
    }
    Ok(head)
}

/// The child's end of such a pipe.
#[derive(Debug)]
pub struct Receiver {
    pipe: File,
    /// Bytes of the packet that are still to come.
    left: usize,
}

impl Receiver {
    /// # Safety
    /// What comes through this pipe must be packets of whoever started this process, who gives it
    /// the files they name.
    #[must_use]
    pub unsafe fn new(pipe: File) -> Self {
        Self { pipe, left: 0 }
    }

    /// Receives some bytes, and the files that came with them; no bytes when nobody is there to
    /// send any.
    ///
    /// # Errors
    /// When the pipe fails or a packet is cut.
    pub fn receive(
        &mut self,
        bytes: &mut [u8],
        files: &mut impl Extend<File>,
    ) -> io::Result<usize> {
        while self.left == 0 {
            let mut length = [0; 4];
            if self.pipe.read(&mut length[..1])? == 0 {
                return Ok(0);
            }
            self.pipe.read_exact(&mut length[1..])?;
            let mut count = [0];
            self.pipe.read_exact(&mut count)?;
            for _ in 0..count[0] {
                let mut number = [0; 8];
                self.pipe.read_exact(&mut number)?;
                let number = u64::from_le_bytes(number) as usize;
                // SAFETY: this process was given a handle of this number, to be taken here and
                // nowhere else, as `new` was promised.
                files.extend([unsafe { File::from_raw_handle(number as *mut _) }]);
            }
            self.left = u32::from_le_bytes(length) as usize;
        }
        let most = bytes.len().min(self.left);
        let got = self.pipe.read(&mut bytes[..most])?;
        self.left -= got;
        Ok(got)
    }
}

/// The standard input and output of this process, taken as what its parent has given a worker; none
/// where they are no pipes.
///
/// # Errors
/// When they cannot be had.
pub fn given() -> io::Result<Option<(Receiver, File)>> {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    if !(crate::worker::is_pipe(&stdin) && crate::worker::is_pipe(&stdout)) {
        return Ok(None);
    }
    let from = File::from(stdin.as_handle().try_clone_to_owned()?);
    let to = File::from(stdout.as_handle().try_clone_to_owned()?);
    // SAFETY: whoever starts a program as a worker, with pipes for its input and output, speaks
    // like that: the program is of no other use then.
    Ok(Some((unsafe { Receiver::new(from) }, to)))
}
