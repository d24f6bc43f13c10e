//! The provider's callbacks, as the engine's [`Provider`].

use std::{
    ffi::c_void,
    sync::{Arc, Mutex},
};

use pkgfs_projfs_engine::{
    Code, EntryBuffer, Provider, Wide,
    provider::{Asker, Listing, Notice},
    records::Version,
};
use windows_sys::Win32::Storage::ProjectedFileSystem::{
    PRJ_CALLBACK_DATA, PRJ_CALLBACKS, PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN,
    PRJ_CB_DATA_FLAG_ENUM_RETURN_SINGLE_ENTRY, PRJ_NOTIFICATION_PARAMETERS,
    PRJ_PLACEHOLDER_VERSION_INFO,
};

use crate::{
    buffers,
    commands::{Commands, Outcome},
    strings,
};

/// What tells the number of a program from the provider's own.
const PROGRAM: u32 = 0x4000_0000;

/// A pointer of the provider's, given back to it from any thread as the documentation says.
#[derive(Clone, Copy)]
pub(crate) struct Pointer(pub(crate) *mut c_void);

// SAFETY: never followed here; the provider knows that its callbacks come from several threads.
unsafe impl Send for Pointer {}
// SAFETY: as above.
unsafe impl Sync for Pointer {}

impl Pointer {
    pub(crate) fn get(self) -> *mut c_void {
        self.0
    }
}

/// Who is called, and with what.
pub(crate) struct Callbacks {
    pub(crate) table: PRJ_CALLBACKS,
    /// The instance, as the provider knows it.
    pub(crate) instance: Pointer,
    pub(crate) context: Pointer,
    pub(crate) commands: Arc<Commands>,
}

/// What a callback is told beside its own parameters.
pub(crate) struct Data {
    pub(crate) path: Wide,
    pub(crate) version: Option<Version>,
    pub(crate) stream: u64,
    pub(crate) flags: i32,
}

impl Data {
    fn of(path: &Wide) -> Self {
        Self { path: path.clone(), version: None, stream: 0, flags: 0 }
    }

    fn with(path: &Wide, version: &Version) -> Self {
        Self { version: Some(version.clone()), ..Self::of(path) }
    }

    /// Calls `callback` with a `PRJ_CALLBACK_DATA` that is good for this call only; afterwards its
    /// strings are overwritten, so that a provider that keeps a pointer is found out.
    pub(crate) fn give(
        &self,
        number: i32,
        instance: Pointer,
        context: Pointer,
        callback: impl FnOnce(*const PRJ_CALLBACK_DATA) -> i32,
    ) -> i32 {
        let mut path = strings::terminated(&self.path);
        let mut image = strings::terminated(&Wide::from(r"\Device\HarddiskVolume1\program.exe"));
        let mut version: Option<PRJ_PLACEHOLDER_VERSION_INFO> =
            self.version.as_ref().map(strings::version_info);
        let mut data = PRJ_CALLBACK_DATA {
            Size: std::mem::size_of::<PRJ_CALLBACK_DATA>() as u32,
            Flags: self.flags,
            NamespaceVirtualizationContext: instance.get(),
            CommandId: number,
            FileId: strings::guid(u128::from(self.stream) << 64 | 1),
            DataStreamId: strings::guid(u128::from(self.stream)),
            FilePathName: path.as_ptr(),
            VersionInfo: version.as_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut),
            // Never the provider's own: programs are elsewhere.
            TriggeringProcessId: std::process::id() ^ PROGRAM,
            TriggeringProcessImageFileName: image.as_ptr(),
            InstanceContext: context.get(),
        };
        let result = callback(&data);
        data = PRJ_CALLBACK_DATA::default();
        let end = path.len() - 1;
        path[..end].fill(0xDEAD);
        let end = image.len() - 1;
        image[..end].fill(0xDEAD);
        std::hint::black_box((&data, &path, &image));
        result
    }
}

impl Callbacks {
    /// Makes one callback and waits for it.
    fn call(
        &self,
        asker: &Asker,
        data: Data,
        callback: impl FnOnce(*const PRJ_CALLBACK_DATA) -> i32 + Send + 'static,
    ) -> Result<u32, Code> {
        let (instance, context) = (self.instance, self.context);
        self.commands.call(asker, move |number| -> Outcome {
            (data.give(number, instance, context, callback), 0)
        })
    }
}

impl Provider for Callbacks {
    fn placeholder(&self, asker: &Asker, path: &Wide, parent: &Version) -> Result<(), Code> {
        let callback = self.table.GetPlaceholderInfoCallback.ok_or(Code::NOT_SUPPORTED)?;
        // SAFETY: the provider's function, with what its documentation says.
        self.call(asker, Data::with(path, parent), move |data| unsafe { callback(data) }).map(drop)
    }

    fn start_listing(&self, asker: &Asker, listing: &Listing) -> Result<(), Code> {
        let callback = self.table.StartDirectoryEnumerationCallback.ok_or(Code::NOT_SUPPORTED)?;
        let session = strings::guid(listing.session);
        let data = Data::with(&listing.path, &listing.version);
        // SAFETY: as above.
        self.call(asker, data, move |data| unsafe { callback(data, &session) }).map(drop)
    }

    fn list(
        &self,
        asker: &Asker,
        listing: &Listing,
        pattern: Option<&Wide>,
        restart: bool,
        single: bool,
        buffer: &Arc<Mutex<EntryBuffer>>,
    ) -> Result<(), Code> {
        let callback = self.table.GetDirectoryEnumerationCallback.ok_or(Code::NOT_SUPPORTED)?;
        let session = strings::guid(listing.session);
        let mut data = Data::with(&listing.path, &listing.version);
        if restart {
            data.flags |= PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN;
        }
        if single {
            data.flags |= PRJ_CB_DATA_FLAG_ENUM_RETURN_SINGLE_ENTRY;
        }
        let pattern = pattern.map(strings::terminated);
        let handle = Pointer(buffers::offer(buffer));
        let answer = self.call(asker, data, move |data| {
            let pattern = pattern.as_ref().map_or(std::ptr::null(), |pattern| pattern.as_ptr());
            // SAFETY: as above; the pattern lives until the call returns.
            unsafe { callback(data, &session, pattern, handle.get()) }
        });
        buffers::withdraw(handle.get());
        answer.map(drop)
    }

    fn end_listing(&self, listing: &Listing) {
        if let Some(callback) = self.table.EndDirectoryEnumerationCallback {
            let session = strings::guid(listing.session);
            let data = Data::with(&listing.path, &listing.version);
            // A handle is closed also when its program has gone: nobody can cancel this.
            // SAFETY: as above.
            self.call(&Asker::default(), data, move |data| unsafe { callback(data, &session) })
                .ok();
        }
    }

    fn data(
        &self,
        asker: &Asker,
        path: &Wide,
        version: &Version,
        stream: u64,
        offset: u64,
        length: u32,
    ) -> Result<(), Code> {
        let callback = self.table.GetFileDataCallback.ok_or(Code::NOT_SUPPORTED)?;
        let data = Data { stream, ..Data::with(path, version) };
        // SAFETY: as above.
        self.call(asker, data, move |data| unsafe { callback(data, offset, length) }).map(drop)
    }

    fn exists(&self, asker: &Asker, path: &Wide) -> Option<Result<bool, Code>> {
        let callback = self.table.QueryFileNameCallback?;
        // SAFETY: as above.
        Some(match self.call(asker, Data::of(path), move |data| unsafe { callback(data) }) {
            Ok(_) => Ok(true),
            Err(Code::FILE_NOT_FOUND | Code::PATH_NOT_FOUND) => Ok(false),
            Err(code) => Err(code),
        })
    }

    fn is_notified(&self) -> bool {
        self.table.NotificationCallback.is_some()
    }

    fn notify(&self, asker: &Asker, notice: &Notice) -> Result<u32, Code> {
        let Some(callback) = self.table.NotificationCallback else { return Ok(0) };
        let (instance, context) = (self.instance, self.context);
        let data = Data::of(&notice.path);
        let destination = notice.destination.as_ref().map(strings::terminated);
        let (directory, notification, modified) =
            (notice.directory, notice.notification as i32, notice.modified);
        self.commands.call(asker, move |number| {
            let mut parameters = PRJ_NOTIFICATION_PARAMETERS::default();
            parameters.FileDeletedOnHandleClose.IsFileModified = modified && notification == 0x800;
            let destination = destination.as_ref().map_or(std::ptr::null(), |name| name.as_ptr());
            let result = data.give(number, instance, context, |data| {
                // SAFETY: as above; what is pointed to lives until the call returns.
                unsafe { callback(data, directory, notification, destination, &mut parameters) }
            });
            // SAFETY: both structures begin with the mask.
            (result, unsafe { parameters.PostCreate.NotificationMask })
        })
    }
}
