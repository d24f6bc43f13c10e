//! A virtualization instance: started over a root, asked through its functions, stopped once.
#![allow(unsafe_code)]

use std::{
    cmp::Ordering,
    mem::offset_of,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicPtr, AtomicU32, Ordering as Memory},
    },
};

use parking_lot::Mutex;
use windows_sys::{
    Win32::Storage::ProjectedFileSystem::{
        PRJ_FILE_STATE_TOMBSTONE, PRJ_FLAG_NONE, PRJ_NAMESPACE_VIRTUALIZATION_CONTEXT,
        PRJ_NOTIFICATION_MAPPING, PRJ_NOTIFY_FILE_HANDLE_CLOSED_FILE_DELETED,
        PRJ_NOTIFY_FILE_HANDLE_CLOSED_FILE_MODIFIED, PRJ_NOTIFY_FILE_HANDLE_CLOSED_NO_MODIFICATION,
        PRJ_NOTIFY_FILE_OVERWRITTEN, PRJ_NOTIFY_FILE_PRE_CONVERT_TO_FULL, PRJ_NOTIFY_FILE_RENAMED,
        PRJ_NOTIFY_HARDLINK_CREATED, PRJ_NOTIFY_NEW_FILE_CREATED, PRJ_NOTIFY_PRE_DELETE,
        PRJ_NOTIFY_PRE_RENAME, PRJ_NOTIFY_PRE_SET_HARDLINK, PRJ_PLACEHOLDER_INFO,
        PRJ_PLACEHOLDER_INFO_1, PRJ_PLACEHOLDER_VERSION_INFO, PRJ_STARTVIRTUALIZING_OPTIONS,
        PRJ_UPDATE_ALLOW_DIRTY_METADATA, PRJ_UPDATE_ALLOW_READ_ONLY, PRJ_UPDATE_ALLOW_TOMBSTONE,
        PRJ_UPDATE_TYPES, PRJ_VIRTUALIZATION_INSTANCE_INFO,
    },
    core::GUID,
};

use crate::{
    api::{Api, terminated, terminated_path},
    callbacks::{TABLE, basic_info, context, link_info, link_target},
    codes::Win32,
    commands::{Completes, Outcome},
    error::MountError,
    names::Rules,
    path::TREES,
    placeholder::{Placeholder, Version},
    projection::{Answers, Projection, Stream},
};

type Context = PRJ_NAMESPACE_VIRTUALIZATION_CONTEXT;

/// What is told of what rez does.
const ALL: u32 = PRJ_NOTIFY_NEW_FILE_CREATED
    | PRJ_NOTIFY_FILE_OVERWRITTEN
    | PRJ_NOTIFY_PRE_DELETE
    | PRJ_NOTIFY_PRE_RENAME
    | PRJ_NOTIFY_PRE_SET_HARDLINK
    | PRJ_NOTIFY_FILE_RENAMED
    | PRJ_NOTIFY_HARDLINK_CREATED
    | PRJ_NOTIFY_FILE_HANDLE_CLOSED_NO_MODIFICATION
    | PRJ_NOTIFY_FILE_HANDLE_CLOSED_FILE_MODIFIED
    | PRJ_NOTIFY_FILE_HANDLE_CLOSED_FILE_DELETED
    | PRJ_NOTIFY_FILE_PRE_CONVERT_TO_FULL;
/// In trees nothing happens; what would is refused.
const REFUSED: u32 = PRJ_NOTIFY_PRE_DELETE
    | PRJ_NOTIFY_PRE_RENAME
    | PRJ_NOTIFY_PRE_SET_HARDLINK
    | PRJ_NOTIFY_FILE_PRE_CONVERT_TO_FULL;

/// What callbacks find by the pointer that the instance was started with.
pub(crate) struct Served {
    pub(crate) answers: Box<dyn Answers>,
    pub(crate) api: Api,
    context: Arc<AtomicPtr<std::ffi::c_void>>,
}

impl Served {
    /// Callbacks come before the start has returned the instance they are of.
    pub(crate) fn is_in(&self, context: Context) {
        self.context.store(context, Memory::Release);
    }
}

/// One root's instance.
pub(crate) struct Instance {
    api: Api,
    root: PathBuf,
    /// Its GUID.
    number: u128,
    context: Arc<AtomicPtr<std::ffi::c_void>>,
    alignment: AtomicU32,
    /// What callbacks find, while there may be any.
    served: Mutex<Option<Arc<Served>>>,
}

impl Instance {
    pub(crate) fn new(api: Api, root: PathBuf, number: u128) -> Arc<Self> {
        Arc::new(Self {
            api,
            root,
            number,
            context: Arc::default(),
            alignment: AtomicU32::new(1),
            served: Mutex::default(),
        })
    }

    /// Makes a directory a root, once for good.
    pub(crate) fn mark(api: &Api, root: &Path, instance: u128) -> Result<(), MountError> {
        let path = terminated_path(root);
        let instance = guid(instance);
        // SAFETY: the path ends with NUL; a null target means the root itself.
        let result =
            unsafe { (api.mark)(path.as_ptr(), std::ptr::null(), std::ptr::null(), &instance) };
        match Win32::of_hresult(result) {
            // Marked before.
            None | Some(Win32::REPARSE_POINT_ENCOUNTERED) => Ok(()),
            Some(code) => Err(refused(root, "made a root of projected files", code)),
        }
    }

    /// Has ProjFS call from now on.
    pub(crate) fn start(
        self: &Arc<Self>,
        answers: Box<dyn Answers>,
        threads: usize,
    ) -> Result<(), MountError> {
        let context_of = Arc::clone(&self.context);
        let served = Arc::new(Served { answers, api: self.api, context: context_of });
        *self.served.lock() = Some(Arc::clone(&served));
        let threads = u32::try_from(threads).unwrap_or(u32::MAX);
        let (root, everywhere) = (terminated_path(&self.root), [0_u16]);
        let trees = terminated(&crate::names::wide(TREES));
        let mut mappings = [
            PRJ_NOTIFICATION_MAPPING {
                NotificationBitMask: ALL,
                NotificationRoot: everywhere.as_ptr(),
            },
            PRJ_NOTIFICATION_MAPPING {
                NotificationBitMask: REFUSED,
                NotificationRoot: trees.as_ptr(),
            },
        ];
        let options = PRJ_STARTVIRTUALIZING_OPTIONS {
            Flags: PRJ_FLAG_NONE,
            PoolThreadCount: threads.saturating_mul(2),
            ConcurrentThreadCount: threads,
            NotificationMappings: mappings.as_mut_ptr(),
            NotificationMappingsCount: mappings.len() as u32,
        };
        let mut started: Context = std::ptr::null_mut();
        // SAFETY: all that is pointed to outlives the call, and what callbacks are given lives until
        // the instance has stopped, which alone lets go of it.
        let result = unsafe {
            (self.api.start)(root.as_ptr(), &TABLE, context(&served), &options, &mut started)
        };
        if let Some(code) = Win32::of_hresult(result) {
            return Err(refused(&self.root, "served", code));
        }
        self.context.store(started, Memory::Release);
        let mut info = PRJ_VIRTUALIZATION_INSTANCE_INFO::default();
        // SAFETY: the instance runs, and the structure is of the right kind.
        let result = unsafe { (self.api.info)(started, &mut info) };
        if Win32::of_hresult(result).is_none() {
            self.alignment.store(info.WriteAlignment.max(1), Memory::Relaxed);
        }
        Ok(())
    }

    /// Has ProjFS call no more; returns when no callback runs.
    pub(crate) fn stop(&self) {
        let context = self.context.swap(std::ptr::null_mut(), Memory::AcqRel);
        if !context.is_null() {
            // SAFETY: it runs, and nobody else stops it, since the pointer was taken.
            unsafe { (self.api.stop)(context) };
        }
        self.served.lock().take();
    }

    /// The instance, while it runs.
    fn context(&self) -> Result<Context, Win32> {
        let context = self.context.load(Memory::Acquire);
        if context.is_null() { Err(Win32::PROVIDER_UNAVAILABLE) } else { Ok(context) }
    }

    fn delete_with(&self, path: &[u16], flags: PRJ_UPDATE_TYPES) -> Outcome {
        let path = terminated(path);
        let mut cause = 0;
        // SAFETY: the instance runs, the path ends with NUL, and there is room for a cause.
        let result =
            unsafe { (self.api.delete)(self.context()?, path.as_ptr(), flags, &mut cause) };
        done(result)
    }
}

fn done(result: i32) -> Outcome {
    Win32::of_hresult(result).map_or(Ok(()), Err)
}

fn refused(root: &Path, action: &'static str, code: Win32) -> MountError {
    MountError::Refused { mountpoint: root.to_owned(), action, code }
}

fn guid(number: u128) -> GUID {
    GUID::from_u128(number)
}

fn version_info(version: &Version) -> PRJ_PLACEHOLDER_VERSION_INFO {
    PRJ_PLACEHOLDER_VERSION_INFO { ProviderID: version.provider, ContentID: version.content }
}

impl Completes for Instance {
    fn complete(&self, command: i32, outcome: Outcome) {
        let result = match outcome {
            Ok(()) => 0,
            Err(code) => code.hresult(),
        };
        let Ok(context) = self.context() else { return };
        // SAFETY: the instance runs; nothing that is completed needs more than its result.
        let told = unsafe { (self.api.complete)(context, command, result, std::ptr::null()) };
        if let Some(code) = Win32::of_hresult(told) {
            tracing::debug!(command, %code, "a command was not completed");
        }
    }
}

impl Projection for Instance {
    fn has_links(&self) -> bool {
        self.api.fill2.is_some() && self.api.write_placeholder2.is_some()
    }

    fn alignment(&self) -> u32 {
        self.alignment.load(Memory::Relaxed)
    }

    fn write_placeholder(&self, path: &[u16], placeholder: &Placeholder) -> Outcome {
        const DATA: usize = offset_of!(PRJ_PLACEHOLDER_INFO, VariableData);
        let security = placeholder.security.as_deref().unwrap_or_default();
        let length = size_of::<PRJ_PLACEHOLDER_INFO>().max(DATA + security.len());
        // Whole structures, so that the first of them is aligned.
        let count = length.div_ceil(size_of::<PRJ_PLACEHOLDER_INFO>());
        let mut room = vec![PRJ_PLACEHOLDER_INFO::default(); count];
        room[0].FileBasicInfo = basic_info(&placeholder.basic);
        room[0].VersionInfo = version_info(&placeholder.version);
        if !security.is_empty() {
            room[0].SecurityInformation = PRJ_PLACEHOLDER_INFO_1 {
                SecurityBufferSize: security.len() as u32,
                OffsetToSecurityDescriptor: DATA as u32,
            };
            // SAFETY: the room is at least so long from there on, and is bytes to whoever reads it.
            unsafe {
                let data = room.as_mut_ptr().cast::<u8>().add(DATA);
                std::ptr::copy_nonoverlapping(security.as_ptr(), data, security.len());
            }
        }
        let (path, target) = (terminated(path), link_target(&placeholder.basic));
        let extended = target.as_ref().map(|target| link_info(target));
        let context = self.context()?;
        let result = match (self.api.write_placeholder2, &extended) {
            // SAFETY: the instance runs, texts end with NUL, and the room is as long as is said.
            (Some(write), Some(extended)) => unsafe {
                write(context, path.as_ptr(), room.as_ptr(), length as u32, extended)
            },
            // SAFETY: as above.
            _ => unsafe {
                (self.api.write_placeholder)(context, path.as_ptr(), room.as_ptr(), length as u32)
            },
        };
        done(result)
    }

    fn write_data(&self, stream: &Stream, offset: u64, data: &[u8]) -> Outcome {
        let context = self.context()?;
        let stream = stream_guid(stream);
        // SAFETY: the instance runs.
        let buffer = unsafe { (self.api.allocate)(context, data.len()) };
        if buffer.is_null() {
            return Err(Win32::INSUFFICIENT_BUFFER);
        }
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        // SAFETY: the buffer has room for all of the data, is written once and freed once.
        let result = unsafe {
            std::ptr::copy_nonoverlapping(data.as_ptr(), buffer.cast(), data.len());
            let result = (self.api.write_data)(context, &stream, buffer, offset, length);
            (self.api.free)(buffer);
            result
        };
        done(result)
    }

    fn delete(&self, path: &[u16]) -> Outcome {
        let flags = PRJ_UPDATE_ALLOW_READ_ONLY
            | PRJ_UPDATE_ALLOW_DIRTY_METADATA
            | PRJ_UPDATE_ALLOW_TOMBSTONE;
        self.delete_with(path, flags)
    }

    fn delete_tombstone(&self, path: &[u16]) -> Outcome {
        let below = String::from_utf16_lossy(path);
        let absolute = terminated_path(&self.root.join(below));
        let mut state = 0;
        // SAFETY: the path ends with NUL, and there is room for the state.
        done(unsafe { (self.api.state)(absolute.as_ptr(), &mut state) })?;
        if state & PRJ_FILE_STATE_TOMBSTONE == 0 {
            return Ok(());
        }
        self.delete_with(path, PRJ_UPDATE_ALLOW_TOMBSTONE)
    }

    fn mark_directory(&self, path: &[u16], version: &Version) -> Outcome {
        let target = self.root.join(String::from_utf16_lossy(path));
        let (root, path) = (terminated_path(&self.root), terminated_path(&target));
        let (version, instance) = (version_info(version), guid(self.number));
        // SAFETY: texts end with NUL, and the rest is of the right kind.
        done(unsafe { (self.api.mark)(root.as_ptr(), path.as_ptr(), &version, &instance) })
    }
}

fn stream_guid(bytes: &Stream) -> GUID {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *bytes;
    GUID {
        data1: u32::from_le_bytes([a, b, c, d]),
        data2: u16::from_le_bytes([e, f]),
        data3: u16::from_le_bytes([g, h]),
        data4: rest,
    }
}

/// Names as ProjFS itself compares them.
pub(crate) struct Native(pub(crate) Api);

impl Rules for Native {
    fn compare(&self, one: &[u16], other: &[u16]) -> Ordering {
        let (one, other) = (terminated(one), terminated(other));
        // SAFETY: both end with NUL.
        unsafe { (self.0.compare)(one.as_ptr(), other.as_ptr()) }.cmp(&0)
    }

    fn matches(&self, name: &[u16], expression: &[u16]) -> bool {
        let (name, expression) = (terminated(name), terminated(expression));
        // SAFETY: both end with NUL.
        unsafe { (self.0.matches)(name.as_ptr(), expression.as_ptr()) != 0 }
    }
}
