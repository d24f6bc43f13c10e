//! Error codes, access rights and attributes, by the names Windows gives them.
//!
//! Values are those of `winerror.h` and `winnt.h` ("System Error Codes", "File Access Rights
//! Constants", "File Attribute Constants").

use serde::{Deserialize, Serialize};

/// A Win32 error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(pub u32);

macro_rules! codes {
    ($($name:ident = $value:literal;)*) => {
        #[allow(missing_docs)]
        impl Code {
            $(pub const $name: Self = Self($value);)*

            /// The name in `winerror.h`.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(concat!("ERROR_", stringify!($name))),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    INVALID_FUNCTION = 1;
    FILE_NOT_FOUND = 2;
    PATH_NOT_FOUND = 3;
    ACCESS_DENIED = 5;
    INVALID_HANDLE = 6;
    NOT_SAME_DEVICE = 17;
    NO_MORE_FILES = 18;
    SHARING_VIOLATION = 32;
    HANDLE_EOF = 38;
    NOT_SUPPORTED = 50;
    FILE_EXISTS = 80;
    INVALID_PARAMETER = 87;
    INSUFFICIENT_BUFFER = 122;
    INVALID_NAME = 123;
    DIR_NOT_EMPTY = 145;
    ALREADY_EXISTS = 183;
    DIRECTORY = 267;
    DELETE_PENDING = 303;
    OFFSET_ALIGNMENT_VIOLATION = 327;
    FILE_SYSTEM_VIRTUALIZATION_UNAVAILABLE = 369;
    FILE_SYSTEM_VIRTUALIZATION_METADATA_CORRUPT = 370;
    FILE_SYSTEM_VIRTUALIZATION_BUSY = 371;
    FILE_SYSTEM_VIRTUALIZATION_PROVIDER_UNKNOWN = 372;
    FILE_SYSTEM_VIRTUALIZATION_INVALID_OPERATION = 380;
    OPERATION_ABORTED = 995;
    IO_PENDING = 997;
    CANT_ACCESS_FILE = 1920;
    CANT_RESOLVE_FILENAME = 1921;
    GEN_FAILURE = 31;
    NOT_A_REPARSE_POINT = 4390;
    REPARSE_TAG_MISMATCH = 4394;
    REPARSE_POINT_ENCOUNTERED = 4395;
}

impl Code {
    /// The HRESULT of this code, as `HRESULT_FROM_WIN32` makes it.
    #[must_use]
    pub const fn hresult(self) -> i32 {
        if self.0 == 0 { 0 } else { (self.0 & 0xFFFF | 0x8007_0000) as i32 }
    }

    /// What a program sees of a callback that failed with `hresult`.
    #[must_use]
    pub const fn from_hresult(hresult: i32) -> Self {
        if (hresult as u32) & 0xFFFF_0000 == 0x8007_0000 {
            Self(hresult as u32 & 0xFFFF)
        } else {
            Self::GEN_FAILURE
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl std::error::Error for Code {}

impl From<std::io::Error> for Code {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        match error.kind() {
            Kind::NotFound => Self::FILE_NOT_FOUND,
            Kind::PermissionDenied => Self::ACCESS_DENIED,
            Kind::AlreadyExists => Self::ALREADY_EXISTS,
            Kind::DirectoryNotEmpty => Self::DIR_NOT_EMPTY,
            _ => Self::GEN_FAILURE,
        }
    }
}

/// Access rights to files and directories.
#[allow(missing_docs)]
pub mod right {
    pub const READ_DATA: u32 = 0x1;
    pub const LIST_DIRECTORY: u32 = 0x1;
    pub const WRITE_DATA: u32 = 0x2;
    pub const ADD_FILE: u32 = 0x2;
    pub const APPEND_DATA: u32 = 0x4;
    pub const ADD_SUBDIRECTORY: u32 = 0x4;
    pub const READ_EA: u32 = 0x8;
    pub const WRITE_EA: u32 = 0x10;
    pub const EXECUTE: u32 = 0x20;
    pub const DELETE_CHILD: u32 = 0x40;
    pub const READ_ATTRIBUTES: u32 = 0x80;
    pub const WRITE_ATTRIBUTES: u32 = 0x100;
    pub const DELETE: u32 = 0x1_0000;
    pub const READ_CONTROL: u32 = 0x2_0000;
    pub const WRITE_DAC: u32 = 0x4_0000;
    pub const WRITE_OWNER: u32 = 0x8_0000;
    pub const SYNCHRONIZE: u32 = 0x10_0000;
    pub const ALL: u32 = 0x1F_01FF;
    pub const GENERIC_READ: u32 = 0x8000_0000;
    pub const GENERIC_WRITE: u32 = 0x4000_0000;
    pub const GENERIC_EXECUTE: u32 = 0x2000_0000;
    pub const GENERIC_ALL: u32 = 0x1000_0000;
}

/// Sharing modes of `CreateFileW`.
#[allow(missing_docs)]
pub mod share {
    pub const READ: u32 = 1;
    pub const WRITE: u32 = 2;
    pub const DELETE: u32 = 4;
    pub const ALL: u32 = 7;
}

/// File attributes.
#[allow(missing_docs)]
pub mod attribute {
    pub const READONLY: u32 = 0x1;
    pub const HIDDEN: u32 = 0x2;
    pub const SYSTEM: u32 = 0x4;
    pub const DIRECTORY: u32 = 0x10;
    pub const ARCHIVE: u32 = 0x20;
    pub const NORMAL: u32 = 0x80;
    pub const REPARSE_POINT: u32 = 0x400;
}
