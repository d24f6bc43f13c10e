//! A process that gets two handles and nothing else, and ends with whoever started it.
//!
//! The standard library hands every inheritable handle of the parent to a child. This one gets a
//! list with just its standard input and output ("UpdateProcThreadAttribute",
//! `PROC_THREAD_ATTRIBUTE_HANDLE_LIST`), and begins its life in a job that kills all processes in
//! it when the last handle of it is closed ("Job Objects", `KILL_ON_JOB_CLOSE`), which the system
//! does for a parent that dies. Whatever the child starts is in that job, too.

#![allow(unsafe_code)]

use std::{
    ffi::{OsStr, OsString},
    io, mem,
    os::windows::{
        ffi::OsStrExt,
        io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle},
    },
    path::Path,
    ptr,
    sync::Arc,
    time::Duration,
};

use windows_sys::Win32::{
    Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE, WAIT_OBJECT_0, WAIT_TIMEOUT},
    System::{
        JobObjects::{
            CreateJobObjectW, JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION,
            JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
            JobObjectExtendedLimitInformation, SetInformationJobObject, TerminateJobObject,
        },
        Threading::{
            CREATE_NO_WINDOW, CREATE_UNICODE_ENVIRONMENT, CreateProcessW,
            DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT, GetCurrentProcess,
            GetExitCodeProcess, INFINITE, InitializeProcThreadAttributeList,
            LPPROC_THREAD_ATTRIBUTE_LIST, OpenProcess, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
            PROC_THREAD_ATTRIBUTE_JOB_LIST, PROCESS_INFORMATION, PROCESS_SYNCHRONIZE,
            PROCESS_TERMINATE, STARTF_USESTDHANDLES, STARTUPINFOEXW, TerminateProcess,
            UpdateProcThreadAttribute, WaitForSingleObject,
        },
    },
};

use crate::wide::{checked, wide};

/// What a process that was killed ends with.
const KILLED: u32 = 1;

/// A process of its own, and what it starts. Clones are the same process; it is killed when the
/// last of them is dropped.
#[derive(Debug, Clone)]
pub struct Child(Arc<Handles>);

#[derive(Debug)]
struct Handles {
    process: OwnedHandle,
    job: OwnedHandle,
    id: u32,
}

impl Child {
    /// Starts a program, which is not looked for: a file, by its path. It has these handles as its
    /// standard input and output, no standard error, no window, and no others.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(
        program: &Path,
        arguments: &[OsString],
        directory: &Path,
        stdin: BorrowedHandle<'_>,
        stdout: BorrowedHandle<'_>,
    ) -> io::Result<Self> {
        let job = job()?;
        // Inheritable only for the moment, and only the list decides who inherits them.
        let (stdin, stdout) = (inheritable(stdin)?, inheritable(stdout)?);
        let handles = [stdin.as_raw_handle(), stdout.as_raw_handle()];
        let jobs = [job.as_raw_handle()];
        let mut attributes = Attributes::new(2)?;
        attributes.add(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, &handles)?;
        attributes.add(PROC_THREAD_ATTRIBUTE_JOB_LIST, &jobs)?;
        let mut startup = STARTUPINFOEXW::default();
        startup.StartupInfo.cb = mem::size_of::<STARTUPINFOEXW>() as u32;
        startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
        startup.StartupInfo.hStdInput = handles[0];
        startup.StartupInfo.hStdOutput = handles[1];
        startup.lpAttributeList = attributes.list();
        let mut command = wide(command_line(program.as_os_str(), arguments))?;
        let (program, directory) = (wide(program)?, wide(directory)?);
        let mut started = PROCESS_INFORMATION::default();
        // SAFETY: all strings end with a zero and live until after the call, the command line may be
        // written to, the attribute list holds what it was made for, and its values live, too.
        checked(unsafe {
            CreateProcessW(
                program.as_ptr(),
                command.as_mut_ptr(),
                ptr::null(),
                ptr::null(),
                1,
                CREATE_NO_WINDOW | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT,
                ptr::null(),
                directory.as_ptr(),
                (&raw const startup).cast(),
                &raw mut started,
            )
        })?;
        // SAFETY: both are open handles that nobody else closes.
        let (process, _thread) = unsafe {
            (
                OwnedHandle::from_raw_handle(started.hProcess),
                OwnedHandle::from_raw_handle(started.hThread),
            )
        };
        Ok(Self(Arc::new(Handles { process, job, id: started.dwProcessId })))
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id
    }

    /// Kills it with all that it started. That takes as long as the system takes to let go of what
    /// its threads wait for, which is not waited for.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn kill(&self) -> io::Result<()> {
        // SAFETY: the handle is open.
        checked(unsafe { TerminateJobObject(self.0.job.as_raw_handle(), KILLED) })
    }

    /// Waits for its end, for that long or for ever. What it ended with, if it did.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn wait(&self, patience: Option<Duration>) -> io::Result<Option<u32>> {
        let process = self.0.process.as_raw_handle();
        let patience = patience.map_or(INFINITE, milliseconds);
        // SAFETY: the handle is open, here and below.
        match unsafe { WaitForSingleObject(process, patience) } {
            WAIT_TIMEOUT => return Ok(None),
            WAIT_OBJECT_0 => {}
            _ => return Err(io::Error::last_os_error()),
        }
        let mut code = 0;
        // SAFETY: as above, and `code` is ours to be filled.
        checked(unsafe { GetExitCodeProcess(process, &raw mut code) })?;
        Ok(Some(code))
    }

    /// Gives it a handle of ours: the number by which it has it from now on.
    ///
    /// # Errors
    /// When it has ended, or the handle cannot be passed on.
    pub fn give(&self, handle: BorrowedHandle<'_>) -> io::Result<u64> {
        let given = duplicate(handle, self.0.process.as_raw_handle(), false)?;
        Ok(given as usize as u64)
    }
}

/// Kills a process by its number, and waits for its end for that long.
///
/// # Errors
/// When there is none, or it cannot be killed.
pub fn kill(id: u32, patience: Duration) -> io::Result<()> {
    // SAFETY: nothing is borrowed by it.
    let process = unsafe { OpenProcess(PROCESS_TERMINATE | PROCESS_SYNCHRONIZE, 0, id) };
    if process.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is open, and nobody else closes it.
    let process = unsafe { OwnedHandle::from_raw_handle(process) };
    // SAFETY: as above.
    unsafe {
        checked(TerminateProcess(process.as_raw_handle(), KILLED))?;
        WaitForSingleObject(process.as_raw_handle(), milliseconds(patience));
    }
    Ok(())
}

/// Whether a process of this number runs.
#[must_use]
pub fn exists(id: u32) -> bool {
    // SAFETY: nothing is borrowed by it.
    let process = unsafe { OpenProcess(PROCESS_SYNCHRONIZE, 0, id) };
    if process.is_null() {
        return false;
    }
    // SAFETY: the handle is open, and nobody else closes it.
    let process = unsafe { OwnedHandle::from_raw_handle(process) };
    // SAFETY: as above.
    unsafe { WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_TIMEOUT }
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(INFINITE - 1)
}

/// A job that kills all in it with its last handle, and shows nobody a box when one crashes.
fn job() -> io::Result<OwnedHandle> {
    // SAFETY: a job without a name and with the usual security.
    let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
    if job.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is open, and nobody else closes it.
    let job = unsafe { OwnedHandle::from_raw_handle(job) };
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags =
        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
    let size = mem::size_of_val(&limits) as u32;
    // SAFETY: the class takes such a structure, whose size is told.
    checked(unsafe {
        SetInformationJobObject(
            job.as_raw_handle(),
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            size,
        )
    })?;
    Ok(job)
}

fn inheritable(handle: BorrowedHandle<'_>) -> io::Result<OwnedHandle> {
    // SAFETY: the pseudo handle of this process needs no closing.
    let copy = duplicate(handle, unsafe { GetCurrentProcess() }, true)?;
    // SAFETY: an open handle of this process, which nobody else closes.
    Ok(unsafe { OwnedHandle::from_raw_handle(copy) })
}

fn duplicate(handle: BorrowedHandle<'_>, to: HANDLE, inherit: bool) -> io::Result<HANDLE> {
    let mut copy = ptr::null_mut();
    // SAFETY: both processes' handles and that which is copied are open, and `copy` is ours.
    checked(unsafe {
        DuplicateHandle(
            GetCurrentProcess(),
            handle.as_raw_handle(),
            to,
            &raw mut copy,
            0,
            inherit.into(),
            DUPLICATE_SAME_ACCESS,
        )
    })?;
    Ok(copy)
}

/// What a process is started with.
struct Attributes(Box<[usize]>);

impl Attributes {
    fn new(count: u32) -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: asks for a size, and fails otherwise.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), count, 0, &raw mut size) };
        let mut memory = vec![0; size.div_ceil(mem::size_of::<usize>())].into_boxed_slice();
        // SAFETY: the memory is as long as was asked for, and aligned for any structure.
        checked(unsafe {
            InitializeProcThreadAttributeList(memory.as_mut_ptr().cast(), count, 0, &raw mut size)
        })?;
        Ok(Self(memory))
    }

    fn list(&mut self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.0.as_mut_ptr().cast()
    }

    /// The handles must live until the process is started: the list points to them.
    fn add(&mut self, attribute: u32, handles: &[HANDLE]) -> io::Result<()> {
        // SAFETY: the list is initialised for as many attributes as are added, and this one's value
        // is an array of handles, whose size is told.
        checked(unsafe {
            UpdateProcThreadAttribute(
                self.list(),
                0,
                attribute as usize,
                handles.as_ptr().cast(),
                mem::size_of_val(handles),
                ptr::null_mut(),
                ptr::null(),
            )
        })
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: it was initialised.
        unsafe { DeleteProcThreadAttributeList(self.list()) };
    }
}

/// A command line that a program takes apart into these ("Parsing C command-line arguments").
fn command_line(program: &OsStr, arguments: &[OsString]) -> OsString {
    let mut line = OsString::from("\"");
    line.push(program);
    line.push("\"");
    for argument in arguments {
        line.push(" ");
        line.push(quoted(argument));
    }
    line
}

/// In quotes where needed; backslashes count twice before a quote, and nowhere else.
fn quoted(argument: &OsStr) -> OsString {
    use std::os::windows::ffi::OsStringExt;
    let [quote, backslash] = ['"', '\\'].map(|letter| letter as u16);
    let special = |unit: u16| [' ', '\t', '\n', '\u{b}', '"'].iter().any(|&c| c as u16 == unit);
    let units: Vec<u16> = argument.encode_wide().collect();
    if !units.is_empty() && !units.iter().copied().any(special) {
        return argument.to_owned();
    }
    let mut line = vec![quote];
    let mut backslashes = 0;
    for unit in units {
        match unit {
            _ if unit == backslash => backslashes += 1,
            _ if unit == quote => {
                line.extend(std::iter::repeat_n(backslash, backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        line.push(unit);
    }
    line.extend(std::iter::repeat_n(backslash, backslashes));
    line.push(quote);
    OsString::from_wide(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_as_programs_take_them_apart() {
        for (argument, shown) in [
            ("plain", "plain"),
            (r"c:\dir\", r"c:\dir\"),
            ("", r#""""#),
            ("two words", r#""two words""#),
            (r"c:\two words\", r#""c:\two words\\""#),
            (r#"say "x""#, r#""say \"x\"""#),
            (r#"\\"#, r#"\\"#),
            (r#"a\"b c"#, r#""a\\\"b c""#),
        ] {
            assert_eq!(quoted(argument.as_ref()), shown);
        }
    }
}
