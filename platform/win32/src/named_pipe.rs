//! Named pipes between programs of one machine, with a say in who may use them.
//!
//! A name belongs to whoever takes it first, and anybody may take one that is free. So a server insists
//! on being the first (`FILE_FLAG_FIRST_PIPE_INSTANCE`), and a client asks whose the pipe is before it
//! says anything: the owner of an object is told by the system, and nobody can name another as the
//! owner of what he makes ("Owner of a New Object").

#![allow(unsafe_code)]

use std::{
    fs::OpenOptions,
    io,
    os::windows::{
        fs::OpenOptionsExt,
        io::{AsRawHandle, IntoRawHandle, OwnedHandle},
    },
    ptr,
};

use tokio::net::windows::named_pipe::{NamedPipeClient, NamedPipeServer};
use windows_sys::Win32::{
    Foundation::{HANDLE, INVALID_HANDLE_VALUE, LocalFree, NO_ERROR},
    Security::{
        Authorization::{ConvertSidToStringSidW, GetSecurityInfo, SE_KERNEL_OBJECT},
        OWNER_SECURITY_INFORMATION, PSID,
    },
    Storage::FileSystem::{
        FILE_APPEND_DATA, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_GENERIC_READ,
        FILE_GENERIC_WRITE, PIPE_ACCESS_DUPLEX, SECURITY_IDENTIFICATION, SECURITY_SQOS_PRESENT,
    },
    System::Pipes::{
        CreateNamedPipeW, GetNamedPipeServerProcessId, PIPE_READMODE_BYTE,
        PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE, PIPE_UNLIMITED_INSTANCES, PIPE_WAIT,
    },
};

use crate::{
    descriptor::Descriptor,
    wide::{checked, wide},
};

/// Bytes that an instance holds until they are read.
const HELD: u32 = 64 << 10;

/// What a client needs: to read, to write, to see whose it is. Not to make instances of its own, which
/// is the same bit as appending to a file ("Named Pipe Security and Access Rights").
pub const CLIENT_RIGHTS: u32 = (FILE_GENERIC_READ | FILE_GENERIC_WRITE) & !FILE_APPEND_DATA;

/// Makes an instance of a pipe, for one client at a time, on this machine alone. `security` is the text
/// of a descriptor. The first instance is refused if anybody has that name. Inside a tokio runtime.
///
/// # Errors
/// `PermissionDenied` where the name is taken.
pub fn serve(name: &str, security: &str, first: bool) -> io::Result<NamedPipeServer> {
    let (name, descriptor) = (wide(name)?, Descriptor::of(security)?);
    let attributes = descriptor.attributes();
    let first = if first { FILE_FLAG_FIRST_PIPE_INSTANCE } else { 0 };
    // SAFETY: the name ends with a zero, and the attributes and their descriptor live until after the
    // call.
    let handle = unsafe {
        CreateNamedPipeW(
            name.as_ptr(),
            PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | first,
            PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
            PIPE_UNLIMITED_INSTANCES,
            HELD,
            HELD,
            0,
            &raw const attributes,
        )
    };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is open, of a pipe's server, and for overlapped use; nobody else closes it.
    unsafe { NamedPipeServer::from_raw_handle(handle) }
}

/// Connects to a pipe. Its server may know who we are, and not act as if it were us.
/// Inside a tokio runtime.
///
/// # Errors
/// `NotFound` where nobody serves it; the system's error 231 where all instances are in use.
pub fn connect(name: &str) -> io::Result<NamedPipeClient> {
    let flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
    let file = OpenOptions::new().access_mode(CLIENT_RIGHTS).custom_flags(flags).open(name)?;
    let handle = OwnedHandle::from(file).into_raw_handle();
    // SAFETY: the handle is open and for overlapped use, and nobody else closes it.
    unsafe { NamedPipeClient::from_raw_handle(handle) }
}

/// Whose the pipe is, as the text of a security identifier.
///
/// # Errors
/// When the system does not tell.
pub fn owner(pipe: &NamedPipeClient) -> io::Result<String> {
    let (mut owner, mut descriptor): (PSID, _) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the handle is open while `pipe` is borrowed, and both pointers are ours to be filled.
    let error = unsafe {
        GetSecurityInfo(
            pipe.as_raw_handle(),
            SE_KERNEL_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if error != NO_ERROR {
        return Err(io::Error::from_raw_os_error(error.cast_signed()));
    }
    // SAFETY: the owner lies in the descriptor, which lives until it is freed here.
    unsafe {
        let text = text_of(owner);
        LocalFree(descriptor);
        text
    }
}

/// The process that serves a pipe.
///
/// # Errors
/// When the system does not tell.
pub fn server_process(pipe: &NamedPipeClient) -> io::Result<u32> {
    let mut number = 0;
    // SAFETY: the handle is open while `pipe` is borrowed, and `number` is ours to be filled.
    checked(unsafe {
        GetNamedPipeServerProcessId(pipe.as_raw_handle() as HANDLE, &raw mut number)
    })?;
    Ok(number)
}

/// # Safety
/// `user` is a security identifier that lives.
unsafe fn text_of(user: PSID) -> io::Result<String> {
    let mut text = ptr::null_mut();
    // SAFETY: as the caller promises; the text ends with a zero, and is freed here as it is to be.
    unsafe {
        checked(ConvertSidToStringSidW(user, &raw mut text))?;
        let length = (0..).take_while(|at| *text.add(*at) != 0).count();
        let read = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        Ok(read)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::ownership::own_user;

    fn own(name: &str) -> (String, String) {
        let user = own_user().unwrap();
        let name = format!(r"\\.\pipe\pkgfs-test-{}-{name}", std::process::id());
        (name, format!("O:{user}D:P(A;;GA;;;{user})"))
    }

    #[tokio::test]
    async fn both_sides_hear_each_other_and_the_client_knows_whose_the_pipe_is() {
        let (name, security) = own("talk");
        let mut server = serve(&name, &security, true).unwrap();
        let mut client = connect(&name).unwrap();
        server.connect().await.unwrap();
        client.write_all(b"ask").await.unwrap();
        let mut heard = [0; 3];
        server.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"ask");
        server.write_all(b"say").await.unwrap();
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"say");
        assert_eq!(owner(&client).unwrap(), own_user().unwrap());
        assert_eq!(server_process(&client).unwrap(), std::process::id());
    }

    #[tokio::test]
    #[ignore = "Wine 8 passes over FILE_FLAG_FIRST_PIPE_INSTANCE; `cargo xtask test windows --real` runs it"]
    async fn a_name_that_somebody_has_cannot_be_taken_first() {
        let (name, security) = own("taken");
        let _first = serve(&name, &security, true).unwrap();
        let error = serve(&name, &security, true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
        serve(&name, &security, false).unwrap();
    }

    #[tokio::test]
    async fn where_nobody_serves_there_is_nothing() {
        let (name, _) = own("nobody");
        assert_eq!(connect(&name).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
