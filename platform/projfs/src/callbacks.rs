//! What ProjFS calls: each copies what it is told, for that is good only while the call lasts, and asks
//! the [`Answers`] of the instance. A panic costs the call.
#![allow(unsafe_code)]

use std::{
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
};

use windows_sys::{
    Win32::Storage::ProjectedFileSystem::{
        PRJ_CALLBACK_DATA, PRJ_CALLBACKS, PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN,
        PRJ_CB_DATA_FLAG_ENUM_RETURN_SINGLE_ENTRY, PRJ_DIR_ENTRY_BUFFER_HANDLE,
        PRJ_EXT_INFO_TYPE_SYMLINK, PRJ_EXTENDED_INFO, PRJ_EXTENDED_INFO_0, PRJ_EXTENDED_INFO_0_0,
        PRJ_FILE_BASIC_INFO, PRJ_NOTIFICATION, PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_FILE_DELETED,
        PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_FILE_MODIFIED,
        PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_NO_MODIFICATION, PRJ_NOTIFICATION_FILE_OPENED,
        PRJ_NOTIFICATION_FILE_OVERWRITTEN, PRJ_NOTIFICATION_FILE_PRE_CONVERT_TO_FULL,
        PRJ_NOTIFICATION_FILE_RENAMED, PRJ_NOTIFICATION_HARDLINK_CREATED,
        PRJ_NOTIFICATION_NEW_FILE_CREATED, PRJ_NOTIFICATION_PARAMETERS,
        PRJ_NOTIFICATION_PRE_DELETE, PRJ_NOTIFICATION_PRE_RENAME,
        PRJ_NOTIFICATION_PRE_SET_HARDLINK, PRJ_PLACEHOLDER_VERSION_INFO,
    },
    core::{GUID, HRESULT, PCWSTR},
};

use crate::{
    api::{Api, terminated},
    codes::Win32,
    commands::Outcome,
    enumeration::{Asked, Buffer, Item},
    instance::Served,
    placeholder::{Basic, Kind, Version},
    projection::{Event, Request},
};

/// All of them.
pub(crate) const TABLE: PRJ_CALLBACKS = PRJ_CALLBACKS {
    StartDirectoryEnumerationCallback: Some(start_listing),
    EndDirectoryEnumerationCallback: Some(end_listing),
    GetDirectoryEnumerationCallback: Some(next_listing),
    GetPlaceholderInfoCallback: Some(placeholder),
    GetFileDataCallback: Some(file_data),
    QueryFileNameCallback: Some(query),
    NotificationCallback: Some(notify),
    CancelCommandCallback: Some(cancel),
};

/// Runs one call.
fn answer(
    data: *const PRJ_CALLBACK_DATA,
    work: impl FnOnce(&Served, &PRJ_CALLBACK_DATA) -> Outcome,
) -> HRESULT {
    let called = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: ProjFS gives a structure that is good while the call lasts (PRJ_CALLBACK_DATA), and
        // in it the pointer that the instance was started with, which lives until it has stopped.
        let (data, served) = unsafe {
            let data = &*data;
            (data, &*data.InstanceContext.cast::<Served>())
        };
        served.is_in(data.NamespaceVirtualizationContext);
        work(served, data)
    }));
    // A panic was told by its hook.
    match called.unwrap_or(Err(Win32::IO_DEVICE)) {
        Ok(()) => 0,
        Err(code) => code.hresult(),
    }
}

/// What is told of a request, in memory of its own.
fn request(data: &PRJ_CALLBACK_DATA) -> Request {
    // SAFETY: as above; a version, where there is one, is as good as the structure.
    let version = unsafe { data.VersionInfo.as_ref() };
    Request {
        command: data.CommandId,
        path: units(data.FilePathName).into(),
        pid: data.TriggeringProcessId,
        version: version.map(|info: &PRJ_PLACEHOLDER_VERSION_INFO| Version {
            provider: info.ProviderID,
            content: info.ContentID,
        }),
    }
}

/// The units before the NUL; none for a null pointer.
fn units(text: PCWSTR) -> Vec<u16> {
    if text.is_null() {
        return Vec::new();
    }
    let mut units = Vec::new();
    let mut at = text;
    loop {
        // SAFETY: ProjFS ends each text with NUL, and nothing behind that is read.
        let unit = unsafe { *at };
        if unit == 0 {
            return units;
        }
        units.push(unit);
        // SAFETY: as above.
        at = unsafe { at.add(1) };
    }
}

/// A GUID by its bytes.
fn number(guid: *const GUID) -> [u8; 16] {
    // SAFETY: ProjFS gives one that is good while the call lasts.
    let Some(guid) = (unsafe { guid.as_ref() }) else { return [0; 16] };
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&guid.data1.to_le_bytes());
    bytes[4..6].copy_from_slice(&guid.data2.to_le_bytes());
    bytes[6..8].copy_from_slice(&guid.data3.to_le_bytes());
    bytes[8..].copy_from_slice(&guid.data4);
    bytes
}

unsafe extern "system" fn start_listing(
    data: *const PRJ_CALLBACK_DATA,
    session: *const GUID,
) -> HRESULT {
    answer(data, |served, data| served.answers.start_listing(request(data), number(session)))
}

unsafe extern "system" fn end_listing(
    data: *const PRJ_CALLBACK_DATA,
    session: *const GUID,
) -> HRESULT {
    answer(data, |served, _| {
        served.answers.end_listing(&number(session));
        Ok(())
    })
}

unsafe extern "system" fn next_listing(
    data: *const PRJ_CALLBACK_DATA,
    session: *const GUID,
    expression: PCWSTR,
    buffer: PRJ_DIR_ENTRY_BUFFER_HANDLE,
) -> HRESULT {
    answer(data, |served, data| {
        let asked = Asked {
            restart: data.Flags & PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN != 0,
            single: data.Flags & PRJ_CB_DATA_FLAG_ENUM_RETURN_SINGLE_ENTRY != 0,
        };
        let expression = (!expression.is_null()).then(|| units(expression));
        let mut room = Room { api: served.api, buffer };
        served.answers.next_listing(&number(session), asked, expression.as_deref(), &mut room)
    })
}

unsafe extern "system" fn placeholder(data: *const PRJ_CALLBACK_DATA) -> HRESULT {
    answer(data, |served, data| served.answers.placeholder(request(data)))
}

unsafe extern "system" fn query(data: *const PRJ_CALLBACK_DATA) -> HRESULT {
    answer(data, |served, data| served.answers.query(request(data)))
}

unsafe extern "system" fn file_data(
    data: *const PRJ_CALLBACK_DATA,
    offset: u64,
    length: u32,
) -> HRESULT {
    answer(data, |served, data| {
        let stream = number(&data.DataStreamId);
        served.answers.file_data(request(data), stream, offset, length)
    })
}

unsafe extern "system" fn notify(
    data: *const PRJ_CALLBACK_DATA,
    directory: bool,
    notification: PRJ_NOTIFICATION,
    destination: PCWSTR,
    _parameters: *mut PRJ_NOTIFICATION_PARAMETERS,
) -> HRESULT {
    answer(data, |served, data| {
        let Some(event) = event(notification) else { return Ok(()) };
        let destination = (!destination.is_null()).then(|| units(destination).into());
        served.answers.notify(request(data), directory, event, destination)
    })
}

unsafe extern "system" fn cancel(data: *const PRJ_CALLBACK_DATA) {
    answer(data, |served, data| {
        served.answers.cancel(data.CommandId);
        Ok(())
    });
}

fn event(notification: PRJ_NOTIFICATION) -> Option<Event> {
    Some(match notification {
        PRJ_NOTIFICATION_FILE_OPENED => Event::Opened,
        PRJ_NOTIFICATION_NEW_FILE_CREATED => Event::Created,
        PRJ_NOTIFICATION_FILE_OVERWRITTEN => Event::Overwritten,
        PRJ_NOTIFICATION_PRE_DELETE => Event::PreDelete,
        PRJ_NOTIFICATION_PRE_RENAME => Event::PreRename,
        PRJ_NOTIFICATION_PRE_SET_HARDLINK => Event::PreSetHardlink,
        PRJ_NOTIFICATION_FILE_RENAMED => Event::Renamed,
        PRJ_NOTIFICATION_HARDLINK_CREATED => Event::HardlinkCreated,
        PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_NO_MODIFICATION => Event::ClosedUnmodified,
        PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_FILE_MODIFIED => Event::ClosedModified,
        PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_FILE_DELETED => Event::ClosedDeleted,
        PRJ_NOTIFICATION_FILE_PRE_CONVERT_TO_FULL => Event::PreConvertToFull,
        _ => return None,
    })
}

/// A buffer of ProjFS for a listing.
struct Room {
    api: Api,
    buffer: PRJ_DIR_ENTRY_BUFFER_HANDLE,
}

impl Buffer for Room {
    fn add(&mut self, item: &Item) -> Result<(), Win32> {
        let name = terminated(&item.name);
        let basic = basic_info(&item.basic);
        let target = link_target(&item.basic);
        let extended = target.as_ref().map(|target| link_info(target));
        let result = match (self.api.fill2, &extended) {
            // SAFETY: the buffer is ProjFS's own while the call lasts, and what is pointed to lives on.
            (Some(fill), Some(extended)) => unsafe {
                fill(self.buffer, name.as_ptr(), &basic, extended)
            },
            // SAFETY: as above.
            _ => unsafe { (self.api.fill)(name.as_ptr(), &basic, self.buffer) },
        };
        Win32::of_hresult(result).map_or(Ok(()), Err)
    }
}

/// Where a link leads, ending with NUL.
pub(crate) fn link_target(basic: &Basic) -> Option<Vec<u16>> {
    match &basic.kind {
        Kind::Link { target, .. } => Some(terminated(target)),
        _ => None,
    }
}

/// Points to the target, which must live as long.
pub(crate) fn link_info(target: &[u16]) -> PRJ_EXTENDED_INFO {
    PRJ_EXTENDED_INFO {
        InfoType: PRJ_EXT_INFO_TYPE_SYMLINK,
        NextInfoOffset: 0,
        Anonymous: PRJ_EXTENDED_INFO_0 {
            Symlink: PRJ_EXTENDED_INFO_0_0 { TargetName: target.as_ptr() },
        },
    }
}

pub(crate) fn basic_info(basic: &Basic) -> PRJ_FILE_BASIC_INFO {
    let time = basic.time();
    PRJ_FILE_BASIC_INFO {
        IsDirectory: basic.is_directory(),
        FileSize: i64::try_from(basic.size).unwrap_or(i64::MAX),
        CreationTime: time,
        LastAccessTime: time,
        LastWriteTime: time,
        ChangeTime: time,
        FileAttributes: basic.attributes,
    }
}

/// The pointer that an instance is started with.
pub(crate) fn context(served: &std::sync::Arc<Served>) -> *const c_void {
    std::sync::Arc::as_ptr(served).cast()
}
