//! The functions of `projectedfslib.dll`, found when they are needed.
//!
//! The library is there where the feature is enabled, so it is loaded and not linked: a program that
//! does not mount runs without it, and one that does can say what to do. From the system's directory
//! alone, so that no library of that name elsewhere is taken for it; but tests name a stand-in.
#![allow(unsafe_code)]

use std::{
    ffi::{OsStr, c_void},
    os::windows::ffi::OsStrExt,
    path::Path,
};

use windows_sys::{
    Win32::{
        Foundation::HMODULE,
        Storage::ProjectedFileSystem::{
            PRJ_CALLBACKS, PRJ_COMPLETE_COMMAND_EXTENDED_PARAMETERS, PRJ_DIR_ENTRY_BUFFER_HANDLE,
            PRJ_EXTENDED_INFO, PRJ_FILE_BASIC_INFO, PRJ_FILE_STATE,
            PRJ_NAMESPACE_VIRTUALIZATION_CONTEXT, PRJ_PLACEHOLDER_INFO,
            PRJ_PLACEHOLDER_VERSION_INFO, PRJ_STARTVIRTUALIZING_OPTIONS, PRJ_UPDATE_FAILURE_CAUSES,
            PRJ_UPDATE_TYPES, PRJ_VIRTUALIZATION_INSTANCE_INFO,
        },
        System::LibraryLoader::{
            GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LOAD_WITH_ALTERED_SEARCH_PATH,
            LoadLibraryExW,
        },
    },
    core::{GUID, HRESULT, PCWSTR},
};

use crate::error::MountError;

/// A library for tests, in place of the system's.
const INSTEAD: &str = "PKGFS_PROJFS_LIBRARY";
const LIBRARY: &str = "projectedfslib.dll";

type Context = PRJ_NAMESPACE_VIRTUALIZATION_CONTEXT;

/// Declares the table, and how it is filled.
macro_rules! functions {
    ($($field:ident = $name:literal: fn($($argument:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        /// What the library exports.
        #[derive(Clone, Copy)]
        pub(crate) struct Api {
            $(pub(crate) $field: unsafe extern "system" fn($($argument),*) $(-> $result)?,)*
            /// From Windows 10 version 2004 on.
            pub(crate) fill2: Option<unsafe extern "system" fn(
                PRJ_DIR_ENTRY_BUFFER_HANDLE, PCWSTR, *const PRJ_FILE_BASIC_INFO,
                *const PRJ_EXTENDED_INFO,
            ) -> HRESULT>,
            /// From Windows 10 version 2004 on.
            pub(crate) write_placeholder2: Option<unsafe extern "system" fn(
                Context, PCWSTR, *const PRJ_PLACEHOLDER_INFO, u32, *const PRJ_EXTENDED_INFO,
            ) -> HRESULT>,
        }

        impl Api {
            fn of(library: HMODULE) -> Result<Self, MountError> {
                Ok(Self {
                    $($field: {
                        let found = function(library, concat!($name, "\0"))
                            .ok_or(MountError::Outdated { function: $name })?;
                        // SAFETY: the export of this name has this signature (projectedfslib.h).
                        unsafe {
                            std::mem::transmute::<
                                unsafe extern "system" fn() -> isize,
                                unsafe extern "system" fn($($argument),*) $(-> $result)?,
                            >(found)
                        }
                    },)*
                    fill2: function(library, "PrjFillDirEntryBuffer2\0").map(|found| {
                        // SAFETY: as above.
                        unsafe { std::mem::transmute(found) }
                    }),
                    write_placeholder2: function(library, "PrjWritePlaceholderInfo2\0").map(|found| {
                        // SAFETY: as above.
                        unsafe { std::mem::transmute(found) }
                    }),
                })
            }
        }
    };
}

functions! {
    mark = "PrjMarkDirectoryAsPlaceholder":
        fn(PCWSTR, PCWSTR, *const PRJ_PLACEHOLDER_VERSION_INFO, *const GUID) -> HRESULT;
    start = "PrjStartVirtualizing":
        fn(PCWSTR, *const PRJ_CALLBACKS, *const c_void, *const PRJ_STARTVIRTUALIZING_OPTIONS, *mut Context) -> HRESULT;
    stop = "PrjStopVirtualizing": fn(Context);
    info = "PrjGetVirtualizationInstanceInfo":
        fn(Context, *mut PRJ_VIRTUALIZATION_INSTANCE_INFO) -> HRESULT;
    write_placeholder = "PrjWritePlaceholderInfo":
        fn(Context, PCWSTR, *const PRJ_PLACEHOLDER_INFO, u32) -> HRESULT;
    write_data = "PrjWriteFileData":
        fn(Context, *const GUID, *const c_void, u64, u32) -> HRESULT;
    delete = "PrjDeleteFile":
        fn(Context, PCWSTR, PRJ_UPDATE_TYPES, *mut PRJ_UPDATE_FAILURE_CAUSES) -> HRESULT;
    state = "PrjGetOnDiskFileState": fn(PCWSTR, *mut PRJ_FILE_STATE) -> HRESULT;
    allocate = "PrjAllocateAlignedBuffer": fn(Context, usize) -> *mut c_void;
    free = "PrjFreeAlignedBuffer": fn(*const c_void);
    complete = "PrjCompleteCommand":
        fn(Context, i32, HRESULT, *const PRJ_COMPLETE_COMMAND_EXTENDED_PARAMETERS) -> HRESULT;
    fill = "PrjFillDirEntryBuffer":
        fn(PCWSTR, *const PRJ_FILE_BASIC_INFO, PRJ_DIR_ENTRY_BUFFER_HANDLE) -> HRESULT;
    compare = "PrjFileNameCompare": fn(PCWSTR, PCWSTR) -> i32;
    matches = "PrjFileNameMatch": fn(PCWSTR, PCWSTR) -> u8;
}

impl Api {
    /// The library's functions.
    ///
    /// # Errors
    /// [`MountError::FeatureMissing`] says how to enable it.
    pub(crate) fn load() -> Result<Self, MountError> {
        let (name, flags) = match std::env::var_os(INSTEAD) {
            Some(path) => (path, LOAD_WITH_ALTERED_SEARCH_PATH),
            None => (LIBRARY.into(), LOAD_LIBRARY_SEARCH_SYSTEM32),
        };
        let name = terminated_os(&name);
        // SAFETY: the name ends with NUL, and the reserved handle is null.
        let library = unsafe { LoadLibraryExW(name.as_ptr(), std::ptr::null_mut(), flags) };
        if library.is_null() {
            return Err(MountError::FeatureMissing { source: std::io::Error::last_os_error() });
        }
        // Never unloaded: its threads may be in it until the process ends.
        Self::of(library)
    }
}

fn function(library: HMODULE, name: &'static str) -> Option<unsafe extern "system" fn() -> isize> {
    debug_assert!(name.ends_with('\0'));
    // SAFETY: the library is loaded, and the name ends with NUL.
    unsafe { GetProcAddress(library, name.as_ptr()) }
}

/// Units of UTF-16 with a NUL at the end.
pub(crate) fn terminated(units: &[u16]) -> Vec<u16> {
    units.iter().copied().chain([0]).collect()
}

/// A path with a NUL at the end.
pub(crate) fn terminated_path(path: &Path) -> Vec<u16> {
    terminated_os(path.as_os_str())
}

fn terminated_os(text: &OsStr) -> Vec<u16> {
    text.encode_wide().chain([0]).collect()
}
