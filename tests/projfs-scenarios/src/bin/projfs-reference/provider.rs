//! The callbacks. File data are given asynchronously and in parts, everything else at once.

use std::{
    collections::{HashMap, HashSet},
    ffi::c_void,
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    os::windows::ffi::OsStrExt as _,
    path::Path,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
};

use anyhow::bail;
use pkgfs_projfs_engine::{Code, Wide, wide};
use windows_sys::{
    Win32::{
        Foundation::{E_INVALIDARG, S_OK},
        Security::Authorization::{
            ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
        },
        Storage::{
            FileSystem::{FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_READONLY},
            ProjectedFileSystem::*,
        },
    },
    core::{GUID, HRESULT, PCWSTR},
};

use crate::packages::{self, Node, Package, TREES, What};

/// How much is given at once.
const PART: u64 = 64 * 1024;
/// Reading and passing through is all that anybody may; the owner may not change that.
const SEALED: &str = "D:P(A;OICI;0x1200a9;;;WD)(A;OICI;RC;;;OW)";

static PROVIDER: OnceLock<Provider> = OnceLock::new();

pub(crate) struct Provider {
    packages: Vec<Package>,
    sealed: Vec<u8>,
    context: OnceLock<usize>,
    listings: Mutex<HashMap<u128, Listing>>,
    cancelled: Mutex<HashSet<i32>>,
}

struct Listing {
    nodes: Vec<Node>,
    pattern: Option<Wide>,
    at: usize,
    begun: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn terminated(text: &Wide) -> Vec<u16> {
    let mut units = text.0.clone();
    units.push(0);
    units
}

/// Starts showing the packages of `repository` in `root`.
pub(crate) fn start(
    repository: &Path,
    root: &Path,
    store: &Path,
) -> anyhow::Result<&'static Provider> {
    fs::create_dir_all(root)?;
    let provider = PROVIDER.get_or_init(|| Provider {
        packages: packages::packages(repository).unwrap_or_default(),
        sealed: sealed(),
        context: OnceLock::new(),
        listings: Mutex::default(),
        cancelled: Mutex::default(),
    });
    let name: Vec<u16> = root.as_os_str().encode_wide().chain([0]).collect();
    let instance = instance(store)?;
    // SAFETY: terminated strings, and an identifier that lives through the call.
    let marked = unsafe {
        PrjMarkDirectoryAsPlaceholder(name.as_ptr(), std::ptr::null(), std::ptr::null(), &instance)
    };
    if marked != S_OK && marked != Code::REPARSE_POINT_ENCOUNTERED.hresult() {
        bail!("cannot mark the root: {marked:08x}");
    }
    let callbacks = PRJ_CALLBACKS {
        StartDirectoryEnumerationCallback: Some(start_listing),
        EndDirectoryEnumerationCallback: Some(end_listing),
        GetDirectoryEnumerationCallback: Some(list),
        GetPlaceholderInfoCallback: Some(placeholder),
        GetFileDataCallback: Some(data),
        QueryFileNameCallback: Some(query),
        NotificationCallback: Some(notify),
        CancelCommandCallback: Some(cancel),
    };
    let everywhere = terminated(&Wide::default());
    let mut mapping = PRJ_NOTIFICATION_MAPPING {
        NotificationBitMask: PRJ_NOTIFY_PRE_DELETE
            | PRJ_NOTIFY_PRE_RENAME
            | PRJ_NOTIFY_PRE_SET_HARDLINK
            | PRJ_NOTIFY_FILE_PRE_CONVERT_TO_FULL
            | PRJ_NOTIFY_NEW_FILE_CREATED
            | PRJ_NOTIFY_FILE_RENAMED
            | PRJ_NOTIFY_HARDLINK_CREATED
            | PRJ_NOTIFY_FILE_HANDLE_CLOSED_FILE_MODIFIED
            | PRJ_NOTIFY_FILE_HANDLE_CLOSED_FILE_DELETED,
        NotificationRoot: everywhere.as_ptr(),
    };
    let options = PRJ_STARTVIRTUALIZING_OPTIONS {
        Flags: PRJ_FLAG_NONE,
        PoolThreadCount: 4,
        ConcurrentThreadCount: 4,
        NotificationMappings: &mut mapping,
        NotificationMappingsCount: 1,
    };
    let mut context = std::ptr::null_mut();
    // SAFETY: everything pointed to lives through the call, the functions for ever.
    let started = unsafe {
        PrjStartVirtualizing(name.as_ptr(), &callbacks, std::ptr::null(), &options, &mut context)
    };
    if started != S_OK {
        bail!("cannot start: {started:08x}");
    }
    provider.context.set(context as usize).ok();
    Ok(provider)
}

/// The same identifier each time, for roots of the same store.
fn instance(store: &Path) -> anyhow::Result<GUID> {
    let file = store.join("instance");
    if !file.exists() {
        let number = u128::from(std::process::id()) << 64 | 0x5aa5_0ff0;
        fs::write(&file, number.to_string())?;
    }
    Ok(GUID::from_u128(fs::read_to_string(&file)?.trim().parse()?))
}

fn sealed() -> Vec<u8> {
    let text = terminated(&Wide::from(SEALED));
    let mut descriptor = std::ptr::null_mut();
    let mut length = 0;
    // SAFETY: a terminated string, and two places to write to. What comes back is `length` bytes, which
    // are never freed: this is done once.
    unsafe {
        if ConvertStringSecurityDescriptorToSecurityDescriptorW(
            text.as_ptr(),
            SDDL_REVISION_1,
            &mut descriptor,
            &mut length,
        ) == 0
        {
            return Vec::new();
        }
        std::slice::from_raw_parts(descriptor.cast::<u8>(), length as usize).to_vec()
    }
}

impl Provider {
    fn context(&self) -> *mut c_void {
        self.context.get().copied().unwrap_or_default() as *mut c_void
    }

    pub(crate) fn stop(&self) {
        // SAFETY: the context of the one start.
        unsafe { PrjStopVirtualizing(self.context()) };
    }

    /// Takes back what is local of a package, deepest first.
    pub(crate) fn flush(&self, name: &str) {
        let trees = self.packages.iter().enumerate().filter(|(_, package)| package.name == name);
        for (tree, _) in trees {
            self.take_back(&Wide::from(format!(r"{TREES}\{tree}").as_str()));
        }
    }

    fn take_back(&self, path: &Wide) {
        for child in packages::children(&self.packages, path).unwrap_or_default() {
            self.take_back(&child.path);
        }
        let name = terminated(path);
        let flags = PRJ_UPDATE_ALLOW_READ_ONLY
            | PRJ_UPDATE_ALLOW_DIRTY_METADATA
            | PRJ_UPDATE_ALLOW_TOMBSTONE;
        // SAFETY: a terminated string; the cause is not asked for.
        let result =
            unsafe { PrjDeleteFile(self.context(), name.as_ptr(), flags, std::ptr::null_mut()) };
        if result != S_OK
            && result != Code::FILE_NOT_FOUND.hresult()
            && result != Code::PATH_NOT_FOUND.hresult()
        {
            eprintln!("projfs-reference: cannot take back {path}: {result:08x}");
        }
    }
}

impl Node {
    fn basic(&self) -> PRJ_FILE_BASIC_INFO {
        let directory = matches!(self.what, What::Directory | What::Link { directory: true, .. });
        let size = match &self.what {
            What::File { size, .. } => *size,
            What::Text(text) => text.len() as u64,
            What::Directory | What::Link { .. } => 0,
        };
        let mut attributes = if directory { FILE_ATTRIBUTE_DIRECTORY } else { 0 };
        if self.sealed && !directory {
            attributes |= FILE_ATTRIBUTE_READONLY;
        }
        PRJ_FILE_BASIC_INFO {
            IsDirectory: directory,
            FileSize: size as i64,
            CreationTime: self.written,
            LastAccessTime: self.written,
            LastWriteTime: self.written,
            ChangeTime: self.written,
            FileAttributes: attributes,
        }
    }

    /// Sixteen bytes that differ where contents do, taken from the bytes themselves.
    fn digest(&self) -> [u8; 8] {
        let bytes = match &self.what {
            What::File { at, .. } => fs::read(at).unwrap_or_default(),
            What::Text(text) => text.clone().into_bytes(),
            What::Directory | What::Link { .. } => Vec::new(),
        };
        let sum = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, sum).to_le_bytes()
    }
}

const INFO_SIZE: usize = std::mem::size_of::<PRJ_PLACEHOLDER_INFO>();

fn provider() -> Option<&'static Provider> {
    PROVIDER.get()
}

/// # Safety
/// `text` points to a terminated string.
unsafe fn read(text: PCWSTR) -> Wide {
    let mut units = Vec::new();
    for at in 0.. {
        // SAFETY: not beyond the end, where this returns.
        match unsafe { *text.add(at) } {
            0 => break,
            unit => units.push(unit),
        }
    }
    Wide(units)
}

/// # Safety
/// As ProjFS calls it.
unsafe extern "system" fn placeholder(data: *const PRJ_CALLBACK_DATA) -> HRESULT {
    // SAFETY: ProjFS gives data that are good during the call.
    let path = unsafe { read((*data).FilePathName) };
    let Some(provider) = provider() else { return E_INVALIDARG };
    let Some(node) = packages::find(&provider.packages, &path) else {
        return Code::FILE_NOT_FOUND.hresult();
    };
    let mut info = PRJ_PLACEHOLDER_INFO { FileBasicInfo: node.basic(), ..Default::default() };
    info.VersionInfo.ContentID[..8].copy_from_slice(&node.digest());
    let extra: &[u8] = if node.sealed { &provider.sealed } else { &[] };
    if !extra.is_empty() {
        info.SecurityInformation.SecurityBufferSize = extra.len() as u32;
        info.SecurityInformation.OffsetToSecurityDescriptor = INFO_SIZE as u32;
    }
    let mut buffer = vec![0_u64; (INFO_SIZE + extra.len()).div_ceil(8)];
    let name = terminated(&node.path);
    let target = match &node.what {
        What::Link { target, .. } => Some(terminated(target)),
        _ => None,
    };
    let mut extended =
        PRJ_EXTENDED_INFO { InfoType: PRJ_EXT_INFO_TYPE_SYMLINK, ..Default::default() };
    if let Some(target) = &target {
        extended.Anonymous.Symlink.TargetName = target.as_ptr();
    }
    // SAFETY: the buffer has room for both, and is aligned as the structure wants; strings are
    // terminated.
    unsafe {
        buffer.as_mut_ptr().cast::<PRJ_PLACEHOLDER_INFO>().write(info);
        let after = buffer.as_mut_ptr().cast::<u8>().add(INFO_SIZE);
        after.copy_from_nonoverlapping(extra.as_ptr(), extra.len());
        let size = (INFO_SIZE + extra.len()) as u32;
        let context = (*data).NamespaceVirtualizationContext;
        let extended = if target.is_some() { &raw const extended } else { std::ptr::null() };
        PrjWritePlaceholderInfo2(context, name.as_ptr(), buffer.as_ptr().cast(), size, extended)
    }
}

/// # Safety
/// As ProjFS calls it.
unsafe extern "system" fn query(data: *const PRJ_CALLBACK_DATA) -> HRESULT {
    // SAFETY: as above.
    let path = unsafe { read((*data).FilePathName) };
    match provider().and_then(|provider| packages::find(&provider.packages, &path)) {
        Some(_) => S_OK,
        None => Code::FILE_NOT_FOUND.hresult(),
    }
}

fn session(id: &GUID) -> u128 {
    u128::from(id.data1) << 96
        | u128::from(id.data2) << 80
        | u128::from(id.data3) << 64
        | u128::from(u64::from_be_bytes(id.data4))
}

/// # Safety
/// As ProjFS calls it.
unsafe extern "system" fn start_listing(
    data: *const PRJ_CALLBACK_DATA,
    id: *const GUID,
) -> HRESULT {
    // SAFETY: as above.
    let (path, id) = unsafe { (read((*data).FilePathName), session(&*id)) };
    let Some(provider) = provider() else { return E_INVALIDARG };
    let Some(nodes) = packages::children(&provider.packages, &path) else {
        return Code::FILE_NOT_FOUND.hresult();
    };
    lock(&provider.listings).insert(id, Listing { nodes, pattern: None, at: 0, begun: false });
    S_OK
}

/// # Safety
/// As ProjFS calls it.
unsafe extern "system" fn end_listing(_: *const PRJ_CALLBACK_DATA, id: *const GUID) -> HRESULT {
    if let Some(provider) = provider() {
        // SAFETY: as above.
        lock(&provider.listings).remove(&session(unsafe { &*id }));
    }
    S_OK
}

/// # Safety
/// As ProjFS calls it.
unsafe extern "system" fn list(
    data: *const PRJ_CALLBACK_DATA,
    id: *const GUID,
    pattern: PCWSTR,
    buffer: PRJ_DIR_ENTRY_BUFFER_HANDLE,
) -> HRESULT {
    let Some(provider) = provider() else { return E_INVALIDARG };
    let mut listings = lock(&provider.listings);
    // SAFETY: as above.
    let (flags, id) = unsafe { ((*data).Flags, session(&*id)) };
    let Some(listing) = listings.get_mut(&id) else { return E_INVALIDARG };
    if !listing.begun || flags & PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN != 0 {
        // SAFETY: as above.
        listing.pattern = (!pattern.is_null()).then(|| unsafe { read(pattern) });
        listing.at = 0;
        listing.begun = true;
    }
    let mut filled = false;
    while let Some(node) = listing.nodes.get(listing.at) {
        let name = node.path.split().1;
        let wanted =
            listing.pattern.as_ref().is_none_or(|pattern| wide::matches(&name.0, &pattern.0));
        if wanted {
            let result = fill(node, &name, buffer);
            if result == Code::INSUFFICIENT_BUFFER.hresult() {
                return if filled { S_OK } else { result };
            }
            if result != S_OK {
                return result;
            }
            filled = true;
        }
        listing.at += 1;
    }
    S_OK
}

fn fill(node: &Node, name: &Wide, buffer: PRJ_DIR_ENTRY_BUFFER_HANDLE) -> HRESULT {
    let (name, basic) = (terminated(name), node.basic());
    let mut extended =
        PRJ_EXTENDED_INFO { InfoType: PRJ_EXT_INFO_TYPE_SYMLINK, ..Default::default() };
    let target = match &node.what {
        What::Link { target, .. } => terminated(target),
        // SAFETY: a terminated string and a handle that ProjFS gave for this call.
        _ => {
            return unsafe {
                PrjFillDirEntryBuffer2(buffer, name.as_ptr(), &basic, std::ptr::null())
            };
        }
    };
    extended.Anonymous.Symlink.TargetName = target.as_ptr();
    // SAFETY: as above; the target lives through the call.
    unsafe { PrjFillDirEntryBuffer2(buffer, name.as_ptr(), &basic, &extended) }
}

/// # Safety
/// As ProjFS calls it.
unsafe extern "system" fn data(
    data: *const PRJ_CALLBACK_DATA,
    offset: u64,
    length: u32,
) -> HRESULT {
    // SAFETY: as above; copied, since it is used after the call.
    let (path, stream, command) =
        unsafe { (read((*data).FilePathName), (*data).DataStreamId, (*data).CommandId) };
    let Some(provider) = provider() else { return E_INVALIDARG };
    thread::spawn(move || {
        let given = give(provider, &path, &stream, command, offset, u64::from(length));
        let result = given.map_or_else(|code| code.hresult(), |()| S_OK);
        lock(&provider.cancelled).remove(&command);
        // SAFETY: the context of the one start, and the command of this callback.
        unsafe { PrjCompleteCommand(provider.context(), command, result, std::ptr::null()) };
    });
    Code::IO_PENDING.hresult()
}

fn give(
    provider: &Provider,
    path: &Wide,
    stream: &GUID,
    command: i32,
    offset: u64,
    length: u64,
) -> Result<(), Code> {
    let node = packages::find(&provider.packages, path).ok_or(Code::FILE_NOT_FOUND)?;
    let end = offset + length;
    let mut at = offset;
    while at < end {
        if lock(&provider.cancelled).contains(&command) {
            return Err(Code::OPERATION_ABORTED);
        }
        let part = PART.min(end - at);
        let bytes = match &node.what {
            What::File { at: place, .. } => {
                let mut file = File::open(place)?;
                file.seek(SeekFrom::Start(at))?;
                let mut bytes = Vec::new();
                file.take(part).read_to_end(&mut bytes)?;
                bytes
            }
            What::Text(text) => text.as_bytes()[at as usize..(at + part) as usize].to_vec(),
            What::Directory | What::Link { .. } => return Err(Code::INVALID_PARAMETER),
        };
        // SAFETY: the buffer is `bytes.len()` long, and freed once.
        let result = unsafe {
            let buffer = PrjAllocateAlignedBuffer(provider.context(), bytes.len());
            buffer.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            let result =
                PrjWriteFileData(provider.context(), stream, buffer, at, bytes.len() as u32);
            PrjFreeAlignedBuffer(buffer);
            result
        };
        if result != S_OK {
            return Err(Code::from_hresult(result));
        }
        at += part;
    }
    Ok(())
}

/// # Safety
/// As ProjFS calls it.
unsafe extern "system" fn notify(
    data: *const PRJ_CALLBACK_DATA,
    _directory: bool,
    notification: PRJ_NOTIFICATION,
    _destination: PCWSTR,
    _parameters: *mut PRJ_NOTIFICATION_PARAMETERS,
) -> HRESULT {
    // SAFETY: as above.
    let path = unsafe { read((*data).FilePathName) };
    let sealed = path.below(&Wide::from(TREES)).is_some();
    match notification {
        PRJ_NOTIFICATION_PRE_DELETE
        | PRJ_NOTIFICATION_PRE_RENAME
        | PRJ_NOTIFICATION_PRE_SET_HARDLINK
        | PRJ_NOTIFICATION_FILE_PRE_CONVERT_TO_FULL
            if sealed =>
        {
            Code::ACCESS_DENIED.hresult()
        }
        _ => S_OK,
    }
}

/// # Safety
/// As ProjFS calls it.
unsafe extern "system" fn cancel(data: *const PRJ_CALLBACK_DATA) {
    if let Some(provider) = provider() {
        // SAFETY: as above.
        lock(&provider.cancelled).insert(unsafe { (*data).CommandId });
    }
}
