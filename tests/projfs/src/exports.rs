//! The functions of `projectedfslib.dll`, as `projectedfslib.h` declares them. What each must do is said
//! on the page of its name at learn.microsoft.com/windows/win32/api/projectedfslib; the rules
//! themselves are in the engine.

use std::{ffi::c_void, path::PathBuf};

use pkgfs_projfs_engine::{Code, Wide, listing::Entry, supply, wide};
use windows_sys::{
    Win32::{
        Foundation::{E_INVALIDARG, S_OK},
        Storage::ProjectedFileSystem::{
            PRJ_CALLBACKS, PRJ_COMPLETE_COMMAND_EXTENDED_PARAMETERS,
            PRJ_COMPLETE_COMMAND_TYPE_NOTIFICATION, PRJ_DIR_ENTRY_BUFFER_HANDLE, PRJ_EXTENDED_INFO,
            PRJ_FILE_BASIC_INFO, PRJ_FILE_STATE, PRJ_FLAG_USE_NEGATIVE_PATH_CACHE,
            PRJ_NAMESPACE_VIRTUALIZATION_CONTEXT, PRJ_PLACEHOLDER_INFO,
            PRJ_PLACEHOLDER_VERSION_INFO, PRJ_STARTVIRTUALIZING_OPTIONS, PRJ_UPDATE_FAILURE_CAUSES,
            PRJ_UPDATE_TYPES, PRJ_VIRTUALIZATION_INSTANCE_INFO,
        },
    },
    core::{GUID, HRESULT, PCWSTR},
};

use crate::{
    buffers::{self, lock},
    callbacks::Pointer,
    instance::{self, Instance, Start},
    strings,
};

type Context = PRJ_NAMESPACE_VIRTUALIZATION_CONTEXT;

/// How many callbacks run at once where the provider leaves it open.
const THREADS: usize = 4;
/// What file data in memory must be aligned to at least: a sector.
const SECTOR: usize = 512;

fn hresult(result: Result<(), Code>) -> HRESULT {
    result.map_or_else(Code::hresult, |()| S_OK)
}

/// A path on the real disk, beyond the limits of Win32 names.
fn on_disk(path: &Wide) -> PathBuf {
    let plain = Wide(wide::plain(&path.0).to_vec()).to_string();
    PathBuf::from(format!(r"\\?\{}", plain.replace('/', r"\").trim_end_matches('\\')))
}

// Every function below is called by a provider that has read the page of its name. What pointers must
// point to is said there, and `SAFETY: as documented` means that promise.

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjMarkDirectoryAsPlaceholder(
    root: PCWSTR,
    target: PCWSTR,
    version: *const PRJ_PLACEHOLDER_VERSION_INFO,
    instance: *const GUID,
) -> HRESULT {
    // SAFETY: as documented.
    let (root, target) = unsafe { (strings::read(root), strings::read(target)) };
    let Some(root) = root.filter(|_| !instance.is_null()) else { return E_INVALIDARG };
    if let Some(target) = target.filter(|target| !target.is_empty()) {
        // SAFETY: as documented.
        let version = unsafe { version.as_ref() }.map(strings::version).unwrap_or_default();
        let marked =
            instance::volume_of(&target).and_then(|(volume, path)| volume.mark(&path, version));
        return hresult(marked);
    }
    // SAFETY: as documented, and not null.
    let number = strings::number(unsafe { &*instance });
    hresult(supply::mark(&on_disk(&root), &number.to_le_bytes()))
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjStartVirtualizing(
    root: PCWSTR,
    callbacks: *const PRJ_CALLBACKS,
    context: *const c_void,
    options: *const PRJ_STARTVIRTUALIZING_OPTIONS,
    instance: *mut Context,
) -> HRESULT {
    // SAFETY: as documented.
    let (root, table, options) =
        unsafe { (strings::read(root), callbacks.as_ref(), options.as_ref()) };
    let (Some(root), Some(table)) = (root, table) else { return E_INVALIDARG };
    // These five are not optional ("PRJ_CALLBACKS").
    let complete = table.StartDirectoryEnumerationCallback.is_some()
        && table.EndDirectoryEnumerationCallback.is_some()
        && table.GetDirectoryEnumerationCallback.is_some()
        && table.GetPlaceholderInfoCallback.is_some()
        && table.GetFileDataCallback.is_some();
    if instance.is_null() || !complete {
        return E_INVALIDARG;
    }
    let mut start = Start {
        table: *table,
        context: Pointer(context.cast_mut()),
        mappings: Vec::new(),
        negative_cache: false,
        threads: THREADS,
    };
    if let Some(options) = options {
        start.negative_cache = options.Flags & PRJ_FLAG_USE_NEGATIVE_PATH_CACHE != 0;
        if options.PoolThreadCount != 0 && options.ConcurrentThreadCount > options.PoolThreadCount {
            return E_INVALIDARG;
        }
        if options.ConcurrentThreadCount != 0 {
            start.threads = options.ConcurrentThreadCount as usize;
        }
        for at in 0..options.NotificationMappingsCount as usize {
            // SAFETY: as documented, so many mappings are there.
            let mapping = unsafe { &*options.NotificationMappings.add(at) };
            // SAFETY: as documented.
            let root = unsafe { strings::read(mapping.NotificationRoot) }.unwrap_or_default();
            start.mappings.push((root, mapping.NotificationBitMask));
        }
    }
    match Instance::start(&on_disk(&root), start) {
        Ok(started) => {
            // SAFETY: not null, and as documented.
            unsafe { *instance = started };
            S_OK
        }
        Err(code) => code.hresult(),
    }
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjStopVirtualizing(instance: Context) {
    // SAFETY: as documented.
    if let Some(instance) = unsafe { Instance::of(instance) } {
        instance.stop();
    }
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjGetVirtualizationInstanceInfo(
    instance: Context,
    info: *mut PRJ_VIRTUALIZATION_INSTANCE_INFO,
) -> HRESULT {
    // SAFETY: as documented.
    let Some(instance) = (unsafe { Instance::of(instance) }).filter(|_| !info.is_null()) else {
        return E_INVALIDARG;
    };
    let Ok(volume) = instance.volume() else { return E_INVALIDARG };
    let bytes = <[u8; 16]>::try_from(volume.instance()).unwrap_or_default();
    // SAFETY: not null, and as documented.
    unsafe {
        (*info).InstanceID = strings::guid(u128::from_le_bytes(bytes));
        (*info).WriteAlignment = buffers::ALIGNMENT as u32;
    }
    S_OK
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjWritePlaceholderInfo(
    instance: Context,
    path: PCWSTR,
    info: *const PRJ_PLACEHOLDER_INFO,
    size: u32,
) -> HRESULT {
    // SAFETY: as documented.
    unsafe { PrjWritePlaceholderInfo2(instance, path, info, size, std::ptr::null()) }
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjWritePlaceholderInfo2(
    instance: Context,
    path: PCWSTR,
    info: *const PRJ_PLACEHOLDER_INFO,
    size: u32,
    extended: *const PRJ_EXTENDED_INFO,
) -> HRESULT {
    // SAFETY: as documented.
    let (instance, path, target) =
        unsafe { (Instance::of(instance), strings::read(path), strings::target(extended)) };
    let (Some(instance), Some(path), Ok(target)) = (instance, path, target) else {
        return E_INVALIDARG;
    };
    // SAFETY: as documented.
    let Some(info) = (unsafe { strings::info(info, size, target) }) else { return E_INVALIDARG };
    hresult(instance.volume().and_then(|volume| volume.write_placeholder(&path, info)))
}

/// Ends a change by the provider: its result, and the cause where that is wanted.
///
/// # Safety
/// `cause` is null or can be written to.
unsafe fn updated(
    result: Result<(), (Code, u32)>,
    cause: *mut PRJ_UPDATE_FAILURE_CAUSES,
) -> HRESULT {
    let (result, why) = match result {
        Ok(()) => (S_OK, supply::cause::NONE),
        Err((code, why)) => (code.hresult(), why),
    };
    // SAFETY: as promised by the caller.
    if let Some(cause) = unsafe { cause.as_mut() } {
        *cause = why as i32;
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjUpdateFileIfNeeded(
    instance: Context,
    path: PCWSTR,
    info: *const PRJ_PLACEHOLDER_INFO,
    size: u32,
    flags: PRJ_UPDATE_TYPES,
    cause: *mut PRJ_UPDATE_FAILURE_CAUSES,
) -> HRESULT {
    // SAFETY: as documented.
    let (instance, path, info) =
        unsafe { (Instance::of(instance), strings::read(path), strings::info(info, size, None)) };
    let (Some(instance), Some(path), Some(info)) = (instance, path, info) else {
        return E_INVALIDARG;
    };
    let Ok(volume) = instance.volume() else { return E_INVALIDARG };
    // SAFETY: as documented.
    unsafe { updated(volume.update(&path, info, flags as u32), cause) }
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjDeleteFile(
    instance: Context,
    path: PCWSTR,
    flags: PRJ_UPDATE_TYPES,
    cause: *mut PRJ_UPDATE_FAILURE_CAUSES,
) -> HRESULT {
    // SAFETY: as documented.
    let (instance, path) = unsafe { (Instance::of(instance), strings::read(path)) };
    let (Some(instance), Some(path)) = (instance, path) else { return E_INVALIDARG };
    let Ok(volume) = instance.volume() else { return E_INVALIDARG };
    // SAFETY: as documented.
    unsafe { updated(volume.take_back(&path, flags as u32), cause) }
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjWriteFileData(
    instance: Context,
    stream: *const GUID,
    buffer: *const c_void,
    offset: u64,
    length: u32,
) -> HRESULT {
    // SAFETY: as documented.
    let (instance, stream) = unsafe { (Instance::of(instance), stream.as_ref()) };
    let (Some(instance), Some(stream)) = (instance, stream) else { return E_INVALIDARG };
    if buffer.is_null() || !(buffer as usize).is_multiple_of(SECTOR) {
        return E_INVALIDARG;
    }
    // SAFETY: as documented, so many bytes are there.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), length as usize) };
    let stream = strings::number(stream) as u64;
    hresult(instance.volume().and_then(|volume| volume.write_data(stream, offset, bytes)))
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjGetOnDiskFileState(
    path: PCWSTR,
    state: *mut PRJ_FILE_STATE,
) -> HRESULT {
    // SAFETY: as documented.
    let Some(path) = (unsafe { strings::read(path) }).filter(|_| !state.is_null()) else {
        return E_INVALIDARG;
    };
    match instance::volume_of(&path).and_then(|(volume, below)| volume.file_state(&below)) {
        Ok(found) => {
            // SAFETY: not null, and as documented.
            unsafe { *state = found as i32 };
            S_OK
        }
        Err(code) => code.hresult(),
    }
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjAllocateAlignedBuffer(_instance: Context, size: usize) -> *mut c_void {
    buffers::allocate(size)
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjFreeAlignedBuffer(buffer: *const c_void) {
    buffers::free(buffer);
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjCompleteCommand(
    instance: Context,
    number: i32,
    result: HRESULT,
    parameters: *const PRJ_COMPLETE_COMMAND_EXTENDED_PARAMETERS,
) -> HRESULT {
    // SAFETY: as documented.
    let (instance, parameters) = unsafe { (Instance::of(instance), parameters.as_ref()) };
    let Some(instance) = instance else { return E_INVALIDARG };
    let mask = match parameters {
        Some(parameters) if parameters.CommandType == PRJ_COMPLETE_COMMAND_TYPE_NOTIFICATION => {
            // SAFETY: of this type, the union holds a notification's mask.
            unsafe { parameters.Anonymous.Notification.NotificationMask }
        }
        _ => 0,
    };
    if !instance.commands.complete(number, (result, mask))
        && let Ok(volume) = instance.volume()
    {
        volume.note("completed late".to_owned());
    }
    S_OK
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjFillDirEntryBuffer(
    name: PCWSTR,
    info: *const PRJ_FILE_BASIC_INFO,
    buffer: PRJ_DIR_ENTRY_BUFFER_HANDLE,
) -> HRESULT {
    // SAFETY: as documented.
    unsafe { PrjFillDirEntryBuffer2(buffer, name, info, std::ptr::null()) }
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjFillDirEntryBuffer2(
    buffer: PRJ_DIR_ENTRY_BUFFER_HANDLE,
    name: PCWSTR,
    info: *const PRJ_FILE_BASIC_INFO,
    extended: *const PRJ_EXTENDED_INFO,
) -> HRESULT {
    // SAFETY: as documented.
    let (name, info, target) =
        unsafe { (strings::read(name), info.as_ref(), strings::target(extended)) };
    let (Some(name), Ok(target), Some(buffer)) = (name, target, buffers::offered(buffer)) else {
        return E_INVALIDARG;
    };
    let info = info.copied().unwrap_or_default();
    let entry = Entry {
        name,
        directory: info.IsDirectory,
        size: u64::try_from(info.FileSize).unwrap_or(0),
        attributes: info.FileAttributes,
        times: strings::times(&info),
        target,
    };
    hresult(lock(&buffer).fill(entry))
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjFileNameMatch(name: PCWSTR, pattern: PCWSTR) -> bool {
    // SAFETY: as documented.
    let (name, pattern) = unsafe { (strings::read(name), strings::read(pattern)) };
    name.zip(pattern).is_some_and(|(name, pattern)| wide::matches(&name.0, &pattern.0))
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjFileNameCompare(a: PCWSTR, b: PCWSTR) -> i32 {
    // SAFETY: as documented.
    let (a, b) = unsafe { (strings::read(a), strings::read(b)) };
    wide::compare(&a.unwrap_or_default().0, &b.unwrap_or_default().0) as i32
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjDoesNameContainWildCards(name: PCWSTR) -> bool {
    // SAFETY: as documented.
    unsafe { strings::read(name) }.is_some_and(|name| wide::has_wildcards(&name.0))
}

#[unsafe(no_mangle)]
unsafe extern "system" fn PrjClearNegativePathCache(instance: Context, count: *mut u32) -> HRESULT {
    // SAFETY: as documented.
    let (instance, count) = unsafe { (Instance::of(instance), count.as_mut()) };
    let Some(Ok(volume)) = instance.map(Instance::volume) else { return E_INVALIDARG };
    let forgotten = volume.forget_negative();
    if let Some(count) = count {
        *count = forgotten;
    }
    S_OK
}
