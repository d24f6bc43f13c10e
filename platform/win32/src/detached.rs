//! Processes that live on by themselves: without a terminal, and with no handle of whoever starts them
//! but the three they are given.
//!
//! The standard library hands every inheritable handle of this process to a child, and with them the
//! pipe of a shell that waits for its end (`program | more`). Here a list names the only ones
//! ("UpdateProcThreadAttribute", `PROC_THREAD_ATTRIBUTE_HANDLE_LIST`).

#![allow(unsafe_code)]

use std::{
    fs::{File, OpenOptions},
    io::{self, PipeReader, PipeWriter},
    mem,
    os::windows::io::{
        AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, IntoRawHandle, OwnedHandle,
    },
    path::Path,
    ptr,
    time::Duration,
};

use windows_sys::Win32::{
    Foundation::{
        CloseHandle, ERROR_ACCESS_DENIED, HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation,
        WAIT_OBJECT_0, WAIT_TIMEOUT,
    },
    System::{
        Console::{GetStdHandle, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, SetStdHandle},
        Threading::{
            CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CREATE_UNICODE_ENVIRONMENT,
            CreateProcessW, DETACHED_PROCESS, DeleteProcThreadAttributeList,
            EXTENDED_STARTUPINFO_PRESENT, GetExitCodeProcess, INFINITE,
            InitializeProcThreadAttributeList, OpenProcess, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
            PROCESS_INFORMATION, PROCESS_SYNCHRONIZE, STARTF_USESTDHANDLES, STARTUPINFOEXW,
            TerminateProcess, UpdateProcThreadAttribute, WaitForSingleObject,
        },
    },
};

use crate::wide::{checked, wide};

/// A process that was started, or found.
#[derive(Debug)]
pub struct Process(OwnedHandle);

/// A process that was just started, with the other ends of its input and output.
#[derive(Debug)]
pub struct Started {
    /// What it reads.
    pub stdin: Option<PipeWriter>,
    /// What it says.
    pub stdout: Option<PipeReader>,
    process: Process,
}

impl Started {
    /// Ends it by force.
    ///
    /// # Errors
    /// When it has ended.
    pub fn kill(&mut self) -> io::Result<()> {
        // SAFETY: the handle is open, and of a process that was started with every right to it.
        checked(unsafe { TerminateProcess(self.process.0.as_raw_handle(), 1) })
    }

    /// Waits for its end, and tells the code it ended with.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn wait(&mut self) -> io::Result<u32> {
        self.process.wait(None)?;
        let mut code = 0;
        // SAFETY: as above, and `code` is ours to be filled.
        checked(unsafe { GetExitCodeProcess(self.process.0.as_raw_handle(), &raw mut code) })?;
        Ok(code)
    }
}

impl Process {
    /// The process that has this number now.
    ///
    /// # Errors
    /// When there is none, or this user may not wait for it.
    pub fn find(number: u32) -> io::Result<Self> {
        // SAFETY: nothing is borrowed by it.
        let handle = unsafe { OpenProcess(PROCESS_SYNCHRONIZE, 0, number) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle is open, and nobody else closes it.
        Ok(Self(unsafe { OwnedHandle::from_raw_handle(handle) }))
    }

    /// Waits for its end, for that long or for ever. False if it has not ended then.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn wait(&self, at_most: Option<Duration>) -> io::Result<bool> {
        let patience = at_most.map_or(INFINITE, |time| {
            u32::try_from(time.as_millis()).unwrap_or(INFINITE).min(INFINITE - 1)
        });
        // SAFETY: the handle is open.
        match unsafe { WaitForSingleObject(self.0.as_raw_handle(), patience) } {
            WAIT_OBJECT_0 => Ok(true),
            WAIT_TIMEOUT => Ok(false),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Starts a program with words that need no quotes, with pipes as its input and output, and its errors
/// going to a file. It is in no terminal, and in no job of this process's if that is allowed.
///
/// # Errors
/// When the program cannot be started.
pub fn start(program: &Path, words: &[&str], errors: &File) -> io::Result<Started> {
    let (their_stdin, stdin) = io::pipe()?;
    let (stdout, their_stdout) = io::pipe()?;
    let theirs = [their_stdin.as_handle(), their_stdout.as_handle(), errors.as_handle()];
    let handles = theirs.map(|handle| handle.as_raw_handle());
    for handle in theirs {
        set_inheritable(handle)?;
    }
    let mut list = HandleList::new(&handles)?;
    let mut startup = STARTUPINFOEXW::default();
    startup.StartupInfo.cb = mem::size_of::<STARTUPINFOEXW>() as u32;
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    [
        startup.StartupInfo.hStdInput,
        startup.StartupInfo.hStdOutput,
        startup.StartupInfo.hStdError,
    ] = handles;
    startup.lpAttributeList = list.0.as_mut_ptr().cast();
    let line = format!("\"{}\" {}", program.display(), words.join(" "));
    let program = wide(program)?;
    let alone = DETACHED_PROCESS
        | CREATE_NEW_PROCESS_GROUP
        | CREATE_UNICODE_ENVIRONMENT
        | EXTENDED_STARTUPINFO_PRESENT;
    let create = |flags| -> io::Result<PROCESS_INFORMATION> {
        let mut line = wide(&line)?;
        let mut started = PROCESS_INFORMATION::default();
        // SAFETY: both strings end with a zero and live until after the call, the line may be written
        // to, and the list and what it points to live, too.
        checked(unsafe {
            CreateProcessW(
                program.as_ptr(),
                line.as_mut_ptr(),
                ptr::null(),
                ptr::null(),
                1,
                flags,
                ptr::null(),
                ptr::null(),
                (&raw const startup).cast(),
                &raw mut started,
            )
        })?;
        Ok(started)
    };
    let denied = ERROR_ACCESS_DENIED.cast_signed();
    let started = match create(alone | CREATE_BREAKAWAY_FROM_JOB) {
        // The job that this process is in lets nobody go.
        Err(error) if error.raw_os_error() == Some(denied) => create(alone)?,
        created => created?,
    };
    // SAFETY: both are open handles that nobody else closes.
    let process = unsafe {
        CloseHandle(started.hThread);
        OwnedHandle::from_raw_handle(started.hProcess)
    };
    Ok(Started { stdin: Some(stdin), stdout: Some(stdout), process: Process(process) })
}

/// Lets go of this process's standard input and output: whoever is at their other ends is told that
/// nothing more comes.
///
/// # Errors
/// When there is nothing to put in their place.
pub fn let_go_of_streams() -> io::Result<()> {
    for which in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE] {
        let nothing = OpenOptions::new().read(true).write(true).open("NUL")?;
        let nothing = OwnedHandle::from(nothing).into_raw_handle();
        // SAFETY: the new handle is open and stays so; the former one is closed once, after the
        // standard library, which asks for it each time, can have it no more.
        unsafe {
            let former = GetStdHandle(which);
            checked(SetStdHandle(which, nothing))?;
            if !former.is_null() {
                CloseHandle(former);
            }
        }
    }
    Ok(())
}

fn set_inheritable(handle: BorrowedHandle<'_>) -> io::Result<()> {
    // SAFETY: the handle is open while it is borrowed.
    checked(unsafe {
        SetHandleInformation(handle.as_raw_handle(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)
    })
}

/// The handles that a process inherits, as it is to be told.
struct HandleList(Box<[usize]>);

impl HandleList {
    /// The handles must live for as long as the list: it points to them.
    fn new(handles: &[HANDLE; 3]) -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: asks for a size, and fails otherwise.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), 1, 0, &raw mut size) };
        let mut memory = vec![0; size.div_ceil(mem::size_of::<usize>())].into_boxed_slice();
        let list = memory.as_mut_ptr().cast();
        // SAFETY: the memory is as long as was asked for, and aligned for any structure.
        checked(unsafe { InitializeProcThreadAttributeList(list, 1, 0, &raw mut size) })?;
        // From here on it is to be taken apart.
        let made = Self(memory);
        // SAFETY: the list has room for one, and its value is an array of handles, whose size is told.
        checked(unsafe {
            UpdateProcThreadAttribute(
                list,
                0,
                PROC_THREAD_ATTRIBUTE_HANDLE_LIST as usize,
                handles.as_ptr().cast(),
                mem::size_of_val(handles),
                ptr::null_mut(),
                ptr::null(),
            )
        })?;
        Ok(made)
    }
}

impl Drop for HandleList {
    fn drop(&mut self) {
        // SAFETY: it was initialised.
        unsafe { DeleteProcThreadAttributeList(self.0.as_mut_ptr().cast()) };
    }
}
