//! The one place where the view's errors become codes of Windows.
//!
//! ProjFS wants an `HRESULT` of facility Win32 from each callback and gives the program behind the
//! request the matching error. What a program then does goes by the code, so three rules hold: origin
//! that did not answer is never "file not found" (a program would go on without the module); what rez
//! would retry is never "access denied" (its `rename` falls back to `robocopy /move` on that alone,
//! rez/utils/filesystem.py); and what was refused because it is a payload is "access denied" where
//! somebody edits, which every program understands.

use pkgfs_view::ViewError;

/// A Win32 error code (winerror.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Win32(pub u32);

impl Win32 {
    /// `ERROR_FILE_NOT_FOUND`
    pub const FILE_NOT_FOUND: Self = Self(2);
    /// `ERROR_PATH_NOT_FOUND`
    pub const PATH_NOT_FOUND: Self = Self(3);
    /// `ERROR_ACCESS_DENIED`
    pub const ACCESS_DENIED: Self = Self(5);
    /// `ERROR_SHARING_VIOLATION`
    pub const SHARING_VIOLATION: Self = Self(32);
    /// `ERROR_NOT_SUPPORTED`
    pub const NOT_SUPPORTED: Self = Self(50);
    /// `ERROR_FILE_EXISTS`
    pub const FILE_EXISTS: Self = Self(80);
    /// `ERROR_INVALID_PARAMETER`
    pub const INVALID_PARAMETER: Self = Self(87);
    /// `ERROR_DISK_FULL`
    pub const DISK_FULL: Self = Self(112);
    /// `ERROR_SEM_TIMEOUT`: what Windows itself says when a request to a server timed out.
    pub const SEM_TIMEOUT: Self = Self(121);
    /// `ERROR_INSUFFICIENT_BUFFER`
    pub const INSUFFICIENT_BUFFER: Self = Self(122);
    /// `ERROR_DIR_NOT_EMPTY`
    pub const DIR_NOT_EMPTY: Self = Self(145);
    /// `ERROR_ALREADY_EXISTS`
    pub const ALREADY_EXISTS: Self = Self(183);
    /// `ERROR_FILENAME_EXCED_RANGE`
    pub const NAME_TOO_LONG: Self = Self(206);
    /// `ERROR_FILE_TOO_LARGE`
    pub const FILE_TOO_LARGE: Self = Self(223);
    /// `ERROR_DIRECTORY`
    pub const NOT_A_DIRECTORY: Self = Self(267);
    /// `ERROR_FILE_SYSTEM_VIRTUALIZATION_UNAVAILABLE`: what Windows says where no provider runs.
    pub const PROVIDER_UNAVAILABLE: Self = Self(369);
    /// `ERROR_DIRECTORY_NOT_SUPPORTED`
    pub const IS_A_DIRECTORY: Self = Self(336);
    /// `ERROR_OPERATION_ABORTED`
    pub const OPERATION_ABORTED: Self = Self(995);
    /// `ERROR_IO_PENDING`
    pub const IO_PENDING: Self = Self(997);
    /// `ERROR_FILE_INVALID`: "the volume for a file has been externally altered so that the opened
    /// file is no longer valid"
    pub const FILE_INVALID: Self = Self(1006);
    /// `ERROR_IO_DEVICE`
    pub const IO_DEVICE: Self = Self(1117);
    /// `ERROR_NOT_FOUND`
    pub const NOT_FOUND: Self = Self(1168);
    /// `ERROR_RETRY`
    pub const RETRY: Self = Self(1237);
    /// `ERROR_REPARSE_POINT_ENCOUNTERED`
    pub const REPARSE_POINT_ENCOUNTERED: Self = Self(4395);

    /// `HRESULT_FROM_WIN32`.
    #[must_use]
    pub const fn hresult(self) -> i32 {
        if self.0 == 0 { 0 } else { (self.0 & 0xffff | 0x8007_0000).cast_signed() }
    }

    /// The Win32 error in a result of a `Prj` function; `None` for success. A failure of another
    /// facility is kept as an error of the device.
    #[must_use]
    pub const fn of_hresult(result: i32) -> Option<Self> {
        let bits = result.cast_unsigned();
        match (result < 0, bits >> 16) {
            (false, _) => None,
            (true, 0x8007) => Some(Self(bits & 0xffff)),
            // E_NOTIMPL, E_INVALIDARG and E_OUTOFMEMORY are the only others that are documented.
            (true, _) => Some(Self::IO_DEVICE),
        }
    }

    /// Whether it says that there is no such thing.
    #[must_use]
    pub fn is_missing(self) -> bool {
        matches!(self, Self::FILE_NOT_FOUND | Self::PATH_NOT_FOUND | Self::NOT_FOUND)
    }
}

impl std::fmt::Display for Win32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", std::io::Error::from_raw_os_error(self.0.cast_signed()))
    }
}

/// What a program hears of an operation on the view that failed.
pub(crate) fn win32(error: &ViewError) -> Win32 {
    match error {
        ViewError::NotFound | ViewError::NoAttribute => Win32::FILE_NOT_FOUND,
        ViewError::ReadOnly | ViewError::Denied => Win32::ACCESS_DENIED,
        ViewError::Exists => Win32::ALREADY_EXISTS,
        ViewError::NotEmpty => Win32::DIR_NOT_EMPTY,
        ViewError::IsADirectory => Win32::IS_A_DIRECTORY,
        ViewError::NotADirectory => Win32::NOT_A_DIRECTORY,
        ViewError::NameTooLong => Win32::NAME_TOO_LONG,
        ViewError::Stale => Win32::FILE_INVALID,
        ViewError::Unsupported => Win32::NOT_SUPPORTED,
        ViewError::Invalid => Win32::INVALID_PARAMETER,
        ViewError::NoSpace => Win32::DISK_FULL,
        ViewError::TooLarge => Win32::FILE_TOO_LARGE,
        ViewError::TimedOut => Win32::SEM_TIMEOUT,
        ViewError::Failed | ViewError::NotKept => Win32::IO_DEVICE,
    }
}

/// The same for a move or removal that rez makes: a refusal must not look like one that goes away
/// when it is tried again, or when each file is moved by itself.
pub(crate) fn win32_for_rez(error: &ViewError) -> Win32 {
    match win32(error) {
        Win32::ACCESS_DENIED => Win32::NOT_SUPPORTED,
        code => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_read_back_as_the_code_it_was_made_of() {
        for code in [Win32::FILE_NOT_FOUND, Win32::IO_PENDING, Win32::REPARSE_POINT_ENCOUNTERED] {
            assert_eq!(Win32::of_hresult(code.hresult()), Some(code));
        }
        assert_eq!(Win32::ACCESS_DENIED.hresult().cast_unsigned(), 0x8007_0005);
        assert_eq!(Win32::NOT_SUPPORTED.hresult().cast_unsigned(), 0x8007_0032);
        assert_eq!(Win32::of_hresult(0), None);
        assert_eq!(Win32::of_hresult(1), None);
        assert_eq!(Win32::of_hresult(0x8000_4001_u32.cast_signed()), Some(Win32::IO_DEVICE));
    }

    #[test]
    fn storage_that_does_not_answer_is_never_a_file_that_does_not_exist() {
        let troubles = [
            ViewError::TimedOut,
            ViewError::Failed,
            ViewError::Stale,
            ViewError::NotKept,
            ViewError::NoSpace,
        ];
        assert!(troubles.iter().all(|error| !win32(error).is_missing()));
    }

    #[test]
    fn what_rez_would_retry_is_not_called_access_denied() {
        for error in [ViewError::ReadOnly, ViewError::Denied] {
            assert_eq!(win32(&error), Win32::ACCESS_DENIED);
            assert_eq!(win32_for_rez(&error), Win32::NOT_SUPPORTED);
        }
    }
}
