//! Programs that do what they do on Windows itself.
#![allow(unsafe_code)]

mod directory;
mod reparse;

use std::{
    fs::File,
    mem::size_of,
    os::windows::io::FromRawHandle as _,
    ptr::{null, null_mut},
};

use pkgfs_projfs_engine::{
    Code, Wide,
    access::Descriptor,
    change::Status,
    codes::{attribute, right},
    listing::Entry,
    open::{Disposition, How},
    records::Times,
};
use windows_sys::Win32::{
    Foundation::{CloseHandle, FILETIME, GetLastError, HANDLE, INVALID_HANDLE_VALUE},
    Security::{
        Authorization::{ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1},
        DACL_SECURITY_INFORMATION, GetFileSecurityW, OWNER_SECURITY_INFORMATION, SetFileSecurityW,
    },
    Storage::FileSystem::*,
    System::IO::OVERLAPPED,
};

use crate::Driver;

/// A program on Windows.
pub struct Win32Driver;

/// The last error of this thread, where a call said that it failed.
fn failed() -> Code {
    // SAFETY: reads a number of this thread.
    Code(unsafe { GetLastError() })
}

fn checked(result: i32) -> Result<(), Code> {
    if result == 0 { Err(failed()) } else { Ok(()) }
}

/// A path as Win32 takes it unchanged, terminated.
fn verbatim(path: &Wide) -> Vec<u16> {
    let mut units: Vec<u16> = r"\\?\".encode_utf16().collect();
    units.extend(pkgfs_projfs_engine::wide::plain(&path.0));
    units.push(0);
    units
}

fn handle(number: u64) -> HANDLE {
    number as usize as HANDLE
}

fn time(filetime: &FILETIME) -> i64 {
    i64::from(filetime.dwHighDateTime) << 32 | i64::from(filetime.dwLowDateTime)
}

fn filetime(time: i64) -> FILETIME {
    FILETIME { dwLowDateTime: time as u32, dwHighDateTime: (time >> 32) as u32 }
}

impl Win32Driver {
    fn with<T>(
        &self,
        path: &Wide,
        how: How,
        act: impl FnOnce(u64) -> Result<T, Code>,
    ) -> Result<T, Code> {
        let handle = self.open(path, how)?;
        let result = act(handle);
        self.close(handle)?;
        result
    }
}

impl Driver for Win32Driver {
    fn another(&self) -> Box<dyn Driver> {
        Box::new(Self)
    }

    fn open(&self, path: &Wide, how: How) -> Result<u64, Code> {
        let disposition = match how.disposition {
            Disposition::CreateNew => CREATE_NEW,
            Disposition::CreateAlways => CREATE_ALWAYS,
            Disposition::OpenExisting => OPEN_EXISTING,
            Disposition::OpenAlways => OPEN_ALWAYS,
            Disposition::TruncateExisting => TRUNCATE_EXISTING,
        };
        let mut flags = how.attributes;
        for (wanted, flag) in [
            (how.backup, FILE_FLAG_BACKUP_SEMANTICS),
            (how.reparse, FILE_FLAG_OPEN_REPARSE_POINT),
            (how.delete_on_close, FILE_FLAG_DELETE_ON_CLOSE),
        ] {
            if wanted {
                flags |= flag;
            }
        }
        let path = verbatim(path);
        // SAFETY: a terminated path; the rest are numbers.
        let opened = unsafe {
            CreateFileW(
                path.as_ptr(),
                how.access,
                how.share,
                null(),
                disposition,
                flags,
                null_mut(),
            )
        };
        if opened == INVALID_HANDLE_VALUE { Err(failed()) } else { Ok(opened as usize as u64) }
    }

    fn read(&self, number: u64, offset: u64, length: u32) -> Result<Vec<u8>, Code> {
        let mut bytes = vec![0_u8; length as usize];
        let mut overlapped = OVERLAPPED::default();
        overlapped.Anonymous.Anonymous.Offset = offset as u32;
        overlapped.Anonymous.Anonymous.OffsetHigh = (offset >> 32) as u32;
        let mut read = 0;
        // SAFETY: the buffer is as long as is said; the handle is synchronous.
        let result = unsafe {
            ReadFile(handle(number), bytes.as_mut_ptr(), length, &mut read, &mut overlapped)
        };
        match checked(result) {
            Ok(()) => {}
            Err(Code::HANDLE_EOF) => read = 0,
            Err(code) => return Err(code),
        }
        bytes.truncate(read as usize);
        Ok(bytes)
    }

    fn write(&self, number: u64, offset: u64, bytes: &[u8]) -> Result<(), Code> {
        let mut overlapped = OVERLAPPED::default();
        overlapped.Anonymous.Anonymous.Offset = offset as u32;
        overlapped.Anonymous.Anonymous.OffsetHigh = (offset >> 32) as u32;
        let (mut written, length) = (0, bytes.len() as u32);
        // SAFETY: as above.
        checked(unsafe {
            WriteFile(handle(number), bytes.as_ptr(), length, &mut written, &mut overlapped)
        })
    }

    fn set_length(&self, number: u64, length: u64) -> Result<(), Code> {
        // SAFETY: the handle stays ours: the file is forgotten, not closed.
        let file = std::mem::ManuallyDrop::new(unsafe { File::from_raw_handle(handle(number)) });
        let code = |error: std::io::Error| Code(error.raw_os_error().unwrap_or(0) as u32);
        file.set_len(length).map_err(code)
    }

    fn list(
        &self,
        number: u64,
        pattern: Option<&Wide>,
        restart: bool,
        most: usize,
    ) -> Result<Vec<Entry>, Code> {
        directory::list(handle(number), pattern, restart, most)
    }

    fn held_status(&self, number: u64) -> Result<Status, Code> {
        let mut info = BY_HANDLE_FILE_INFORMATION::default();
        // SAFETY: a place of the right size.
        checked(unsafe { GetFileInformationByHandle(handle(number), &mut info) })?;
        let directory = info.dwFileAttributes & attribute::DIRECTORY != 0;
        let link = info.dwFileAttributes & attribute::REPARSE_POINT != 0;
        Ok(Status {
            entry: Entry {
                name: Wide::default(),
                directory,
                size: u64::from(info.nFileSizeHigh) << 32 | u64::from(info.nFileSizeLow),
                attributes: info.dwFileAttributes,
                times: Times {
                    creation: time(&info.ftCreationTime),
                    access: time(&info.ftLastAccessTime),
                    write: time(&info.ftLastWriteTime),
                    change: 0,
                },
                target: if link { reparse::target(handle(number)) } else { None },
            },
            links: u64::from(info.nNumberOfLinks),
            id: u64::from(info.nFileIndexHigh) << 32 | u64::from(info.nFileIndexLow),
        })
    }

    fn close(&self, number: u64) -> Result<(), Code> {
        // SAFETY: a handle that `open` gave.
        checked(unsafe { CloseHandle(handle(number)) })
    }

    fn status(&self, path: &Wide, follow: bool) -> Result<Status, Code> {
        let how = How { reparse: !follow, ..How::with(right::READ_ATTRIBUTES) };
        self.with(path, how, |handle| self.held_status(handle))
    }

    fn security(&self, path: &Wide) -> Result<Descriptor, Code> {
        let path = verbatim(path);
        let mut bytes = vec![0_u8; 65_536];
        let mut needed = 0;
        let what = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
        // SAFETY: the buffer is as long as is said.
        checked(unsafe {
            GetFileSecurityW(
                path.as_ptr(),
                what,
                bytes.as_mut_ptr().cast(),
                bytes.len() as u32,
                &mut needed,
            )
        })?;
        Descriptor::parse(&bytes).ok_or(Code::GEN_FAILURE)
    }

    fn open_up(&self, path: &Wide) -> Result<(), Code> {
        let path = verbatim(path);
        let mut text: Vec<u16> = "D:(A;OICI;FA;;;WD)".encode_utf16().collect();
        text.push(0);
        let mut descriptor = null_mut();
        // SAFETY: a terminated string; what is allocated is small and is left to the end of the test.
        unsafe {
            checked(ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &mut descriptor,
                null_mut(),
            ))?;
            checked(SetFileSecurityW(path.as_ptr(), DACL_SECURITY_INFORMATION, descriptor))
        }
    }

    fn set_metadata(
        &self,
        path: &Wide,
        attributes: Option<u32>,
        times: Option<Times>,
    ) -> Result<(), Code> {
        if let Some(attributes) = attributes {
            let path = verbatim(path);
            let attributes = if attributes == 0 { attribute::NORMAL } else { attributes };
            // SAFETY: a terminated path.
            checked(unsafe { SetFileAttributesW(path.as_ptr(), attributes) })?;
        }
        let Some(times) = times else { return Ok(()) };
        self.with(path, How::with(right::WRITE_ATTRIBUTES), |number| {
            let times = [times.creation, times.access, times.write]
                .map(|time| (time != 0).then(|| filetime(time)));
            let pointer =
                |time: &Option<FILETIME>| time.as_ref().map_or(null(), std::ptr::from_ref);
            // SAFETY: null, or times that live through the call.
            checked(unsafe {
                SetFileTime(
                    handle(number),
                    pointer(&times[0]),
                    pointer(&times[1]),
                    pointer(&times[2]),
                )
            })
        })
    }

    fn create_directory(&self, path: &Wide) -> Result<(), Code> {
        let path = verbatim(path);
        // SAFETY: a terminated path.
        checked(unsafe { CreateDirectoryW(path.as_ptr(), null()) })
    }

    fn create_link(
        &self,
        path: &Wide,
        target: &Wide,
        directory: bool,
        _junction: bool,
    ) -> Result<(), Code> {
        let path = verbatim(path);
        let mut target = target.0.clone();
        target.push(0);
        let kind = if directory { SYMBOLIC_LINK_FLAG_DIRECTORY } else { 0 };
        let flags = kind | SYMBOLIC_LINK_FLAG_ALLOW_UNPRIVILEGED_CREATE;
        // SAFETY: terminated paths.
        if unsafe { CreateSymbolicLinkW(path.as_ptr(), target.as_ptr(), flags) } {
            Ok(())
        } else {
            Err(failed())
        }
    }

    fn delete(&self, path: &Wide, directory: bool, despite_attribute: bool) -> Result<(), Code> {
        if !despite_attribute {
            let path = verbatim(path);
            // SAFETY: a terminated path.
            return checked(unsafe {
                if directory { RemoveDirectoryW(path.as_ptr()) } else { DeleteFileW(path.as_ptr()) }
            });
        }
        self.with(path, How::with(right::DELETE).reparse(), |number| {
            let info = FILE_DISPOSITION_INFO_EX {
                Flags: FILE_DISPOSITION_FLAG_DELETE
                    | FILE_DISPOSITION_FLAG_POSIX_SEMANTICS
                    | FILE_DISPOSITION_FLAG_IGNORE_READONLY_ATTRIBUTE,
            };
            // SAFETY: a structure of the class that is named.
            checked(unsafe {
                SetFileInformationByHandle(
                    handle(number),
                    FileDispositionInfoEx,
                    std::ptr::from_ref(&info).cast(),
                    size_of::<FILE_DISPOSITION_INFO_EX>() as u32,
                )
            })
        })
    }

    fn rename(&self, from: &Wide, to: &Wide, replace: bool) -> Result<(), Code> {
        let (from, to) = (verbatim(from), verbatim(to));
        let flags = if replace { MOVEFILE_REPLACE_EXISTING } else { 0 };
        // SAFETY: terminated paths.
        checked(unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), flags) })
    }

    fn hard_link(&self, existing: &Wide, new: &Wide) -> Result<(), Code> {
        let (existing, new) = (verbatim(existing), verbatim(new));
        // SAFETY: terminated paths.
        checked(unsafe { CreateHardLinkW(new.as_ptr(), existing.as_ptr(), null()) })
    }

    fn read_and_die(&self, path: &Wide) -> Result<(), Code> {
        // Another run of this program reads, and is killed as soon as it has begun.
        let program = std::env::current_exe()?;
        let text = String::from_utf16_lossy(&path.0);
        let mut child = std::process::Command::new(program)
            .args(["--read", &text])
            .stdout(std::process::Stdio::piped())
            .spawn()?;
        let mut line = [0; 1];
        if let Some(output) = child.stdout.as_mut() {
            std::io::Read::read(output, &mut line)?;
        }
        child.kill()?;
        child.wait()?;
        Ok(())
    }
}
