//! Processes: who started them, when, and what their environment says.

#![allow(unsafe_code)]

use std::{
    ffi::{OsStr, OsString},
    io,
    mem::{self, offset_of},
    os::windows::{
        ffi::{OsStrExt, OsStringExt},
        io::{AsRawHandle, FromRawHandle, OwnedHandle},
    },
    ptr,
};

use windows_sys::{
    Wdk::System::Threading::{NtQueryInformationProcess, ProcessBasicInformation},
    Win32::{
        Foundation::{FILETIME, INVALID_HANDLE_VALUE, WAIT_TIMEOUT},
        System::{
            Diagnostics::{
                Debug::ReadProcessMemory,
                ToolHelp::{
                    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW,
                    TH32CS_SNAPPROCESS,
                },
            },
            SystemInformation::{ComputerNameDnsHostname, GetComputerNameExW},
            Threading::{
                GetCurrentThread, GetProcessTimes, OpenProcess, PEB, PROCESS_BASIC_INFORMATION,
                PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_VM_READ,
                RTL_USER_PROCESS_PARAMETERS, SetThreadPriority, THREAD_MODE_BACKGROUND_BEGIN,
                WaitForSingleObject,
            },
        },
    },
};

use crate::wide::checked;

/// The longest environment that is looked through, in bytes.
const LONGEST: usize = 4 << 20;

/// Where a process comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The number of the one that started it, which may have ended, and its number be another's.
    pub parent: u32,
    /// When it was started, in steps of 100 ns.
    pub started: u64,
}

/// Where a process comes from.
///
/// # Errors
/// When there is none of that number, or it is not for this user to know.
pub fn origin(number: u32) -> io::Result<Origin> {
    let process = open(number, PROCESS_QUERY_LIMITED_INFORMATION)?;
    let mut times = [FILETIME::default(); 4];
    let [started, ended, kernel, user] = &mut times;
    // SAFETY: the handle is open, and the times are ours to be filled.
    checked(unsafe { GetProcessTimes(process.as_raw_handle(), started, ended, kernel, user) })?;
    let started = u64::from(started.dwHighDateTime) << 32 | u64::from(started.dwLowDateTime);
    Ok(Origin { parent: parent(number)?, started })
}

/// Whether a process of this number lives. One that this user may not look at does.
#[must_use]
pub fn is_alive(number: u32) -> bool {
    match open(number, PROCESS_SYNCHRONIZE) {
        // SAFETY: the handle is open. One that has ended can be waited for without waiting.
        Ok(process) => unsafe { WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_TIMEOUT },
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// A variable of a process's environment, as it was started with; none if it has no such variable.
///
/// # Errors
/// When there is no such process, or this user may not look into it.
pub fn variable(number: u32, name: &str) -> io::Result<Option<OsString>> {
    let process = open(number, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_VM_READ)?;
    let mut basic = PROCESS_BASIC_INFORMATION::default();
    let size = mem::size_of_val(&basic) as u32;
    // SAFETY: the handle is open, and `basic` is ours to be filled, whose size is told.
    let status = unsafe {
        NtQueryInformationProcess(
            process.as_raw_handle(),
            ProcessBasicInformation,
            (&raw mut basic).cast(),
            size,
            ptr::null_mut(),
        )
    };
    if status < 0 || basic.PebBaseAddress.is_null() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let parameters =
        read_address(&process, basic.PebBaseAddress as usize + offset_of!(PEB, ProcessParameters))?;
    // The environment's address stands behind what is documented of this. So it has been in all
    // versions since Windows Vista, and tools that show environments rely on it.
    let behind = mem::size_of::<RTL_USER_PROCESS_PARAMETERS>();
    let environment = read_address(&process, parameters + behind)?;
    let wanted: Vec<u16> = OsStr::new(name).encode_wide().chain([u16::from(b'=')]).collect();
    let mut units = Units { process: &process, at: environment, read: 0, page: Vec::new() };
    // Strings that end with a zero, and a zero.
    loop {
        let mut entry = Vec::new();
        while let Some(unit) = units.next()?.filter(|unit| *unit != 0) {
            entry.push(unit);
        }
        if entry.is_empty() {
            return Ok(None);
        }
        if let Some(value) = entry.strip_prefix(wanted.as_slice()) {
            return Ok(Some(OsString::from_wide(value)));
        }
    }
}

/// The machine's name in the domain name system, without its domain.
///
/// # Errors
/// When it has none.
pub fn host_name() -> io::Result<String> {
    let mut name = [0; 256];
    let mut length = name.len() as u32;
    // SAFETY: `name` is as long as is told, and `length` ours to be filled.
    checked(unsafe {
        GetComputerNameExW(ComputerNameDnsHostname, name.as_mut_ptr(), &raw mut length)
    })?;
    Ok(String::from_utf16_lossy(&name[..(length as usize).min(name.len())]))
}

/// Has this thread stand back behind others for good, with what it asks of disks and memory.
pub fn stand_back() {
    // SAFETY: the pseudo handle is that of this thread, for which alone this can be asked. Where it
    // is refused, the thread goes on as it was.
    unsafe { SetThreadPriority(GetCurrentThread(), THREAD_MODE_BACKGROUND_BEGIN) };
}

fn open(number: u32, access: u32) -> io::Result<OwnedHandle> {
    // SAFETY: no pointers are given; what is returned is null or an open handle that is ours.
    unsafe {
        let handle = OpenProcess(access, 0, number);
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedHandle::from_raw_handle(handle))
    }
}

fn parent(number: u32) -> io::Result<u32> {
    // SAFETY: no pointers are given; what is returned is invalid or an open handle that is ours.
    let all = unsafe {
        let handle = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
        if handle == INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        OwnedHandle::from_raw_handle(handle)
    };
    let size = mem::size_of::<PROCESSENTRY32W>() as u32;
    let mut entry = PROCESSENTRY32W { dwSize: size, ..Default::default() };
    // SAFETY: the handle is open, and `entry` ours to be filled, which says its size.
    let mut found = unsafe { Process32FirstW(all.as_raw_handle(), &raw mut entry) };
    while found != 0 {
        if entry.th32ProcessID == number {
            return Ok(entry.th32ParentProcessID);
        }
        // SAFETY: as above.
        found = unsafe { Process32NextW(all.as_raw_handle(), &raw mut entry) };
    }
    Err(io::ErrorKind::NotFound.into())
}

fn read_address(process: &OwnedHandle, at: usize) -> io::Result<usize> {
    let mut bytes = [0; mem::size_of::<usize>()];
    if read(process, at, &mut bytes)? < bytes.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(usize::from_le_bytes(bytes))
}

/// Copies another process's memory, and tells how much of it there was.
fn read(process: &OwnedHandle, at: usize, bytes: &mut [u8]) -> io::Result<usize> {
    let mut copied = 0;
    // SAFETY: the handle is open, and `bytes` as long as is told. The address is of the other
    // process: a wrong one is an error there.
    checked(unsafe {
        let (from, to) = (ptr::without_provenance(at), bytes.as_mut_ptr().cast());
        ReadProcessMemory(process.as_raw_handle(), from, to, bytes.len(), &raw mut copied)
    })?;
    Ok(copied)
}

/// Another process's memory as units of 16 bits, read a page at a time: what lies behind the page
/// may be no memory.
struct Units<'a> {
    process: &'a OwnedHandle,
    at: usize,
    read: usize,
    page: Vec<u8>,
}

impl Units<'_> {
    fn next(&mut self) -> io::Result<Option<u16>> {
        const PAGE: usize = 4096;
        if self.page.len() < 2 {
            if self.read >= LONGEST {
                return Ok(None);
            }
            let mut page = vec![0; PAGE - self.at % PAGE];
            let length = read(self.process, self.at, &mut page)?;
            page.truncate(length);
            page.reverse();
            self.at += length;
            self.read += length;
            self.page = page;
        }
        let (low, high) = (self.page.pop(), self.page.pop());
        Ok(low.zip(high).map(|(low, high)| u16::from_le_bytes([low, high])))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_is_of_this_process_and_has_the_environment_it_was_given() {
        let mut child = Command::new("cmd")
            .args(["/c", "pause"])
            .env("PKGFS_TESTED", "Grüße = ja")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (own, number) = (origin(std::process::id()).unwrap(), child.id());
        let of_child = origin(number).unwrap();
        assert_eq!(of_child.parent, std::process::id());
        assert!(of_child.started >= own.started);
        assert!(is_alive(number));
        assert_eq!(variable(number, "PKGFS_TESTED").unwrap().unwrap(), "Grüße = ja");
        assert_eq!(variable(number, "PKGFS_UNHEARD_OF").unwrap(), None);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_alive(number));
    }

    #[test]
    fn the_machine_has_a_name() {
        assert!(!host_name().unwrap().is_empty());
    }
}
