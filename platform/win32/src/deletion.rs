//! Deleting files that others have open, and such as are read-only.
//!
//! Since Windows 10 version 1607 NTFS takes a name away at once, whoever still has the file open,
//! and cares for no read-only attribute if it is told so (FILE_DISPOSITION_INFORMATION_EX). Where the
//! file system does not do that, the attribute is lifted for the moment in which the file is marked
//! for deletion; its name goes with the last handle.

#![allow(unsafe_code)]

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::windows::{
        fs::{MetadataExt, OpenOptionsExt},
        io::AsRawHandle,
    },
    path::Path,
};

use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_ATTRIBUTE_NORMAL, FILE_ATTRIBUTE_READONLY, FILE_BASIC_INFO,
    FILE_DISPOSITION_FLAG_DELETE, FILE_DISPOSITION_FLAG_IGNORE_READONLY_ATTRIBUTE,
    FILE_DISPOSITION_FLAG_POSIX_SEMANTICS, FILE_DISPOSITION_INFO, FILE_DISPOSITION_INFO_EX,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_INFO_BY_HANDLE_CLASS,
    FILE_READ_ATTRIBUTES, FILE_WRITE_ATTRIBUTES, FileBasicInfo, FileDispositionInfo,
    FileDispositionInfoEx, SetFileInformationByHandle,
};

use crate::wide::checked;

/// Deletes a file, a link or an empty directory, read-only or not, so that its name is free at once.
/// False if the file system does not do that: nothing has changed then.
///
/// # Errors
/// When it is not there, or somebody has it open and does not share its deletion.
pub fn delete_at_once(path: &Path) -> io::Result<bool> {
    Ok(marked_at_once(&open(path)?))
}

/// Deletes a file, a link or an empty directory, read-only or not. Where the file system cannot do
/// better its name is neither free nor to be opened until nobody has the file open any more. A file
/// with another name stays read-only under that.
///
/// # Errors
/// When it is not there, or somebody has it open and does not share its deletion.
pub fn delete(path: &Path) -> io::Result<()> {
    let file = open(path)?;
    if marked_at_once(&file) {
        return Ok(());
    }
    let attributes = file.metadata()?.file_attributes();
    let is_read_only = attributes & FILE_ATTRIBUTE_READONLY != 0;
    if is_read_only {
        set_attributes(&file, attributes & !FILE_ATTRIBUTE_READONLY)?;
    }
    let marked = set(&file, FileDispositionInfo, &FILE_DISPOSITION_INFO { DeleteFile: true });
    if is_read_only {
        // Of no concern where nothing is left that could be written to.
        let _ = set_attributes(&file, attributes);
    }
    marked
}

fn open(path: &Path) -> io::Result<File> {
    let open = |access| {
        OpenOptions::new()
            .access_mode(access)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
            .open(path)
    };
    match open(DELETE | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES) {
        // Who may delete a file need not be one who may change its attributes.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open(DELETE | FILE_READ_ATTRIBUTES)
        }
        opened => opened,
    }
}

/// Any refusal has another reason than the file if it is one that the other way meets, too.
fn marked_at_once(file: &File) -> bool {
    let flags = FILE_DISPOSITION_FLAG_DELETE
        | FILE_DISPOSITION_FLAG_POSIX_SEMANTICS
        | FILE_DISPOSITION_FLAG_IGNORE_READONLY_ATTRIBUTE;
    set(file, FileDispositionInfoEx, &FILE_DISPOSITION_INFO_EX { Flags: flags }).is_ok()
}

/// Makes a file read-only, or lets it be written again; a directory's attribute binds only who
/// deletes it.
///
/// # Errors
/// When its attributes cannot be changed.
pub fn set_read_only(path: &Path, read_only: bool) -> io::Result<()> {
    let mut permissions = fs::symlink_metadata(path)?.permissions();
    if permissions.readonly() == read_only {
        return Ok(());
    }
    permissions.set_readonly(read_only);
    fs::set_permissions(path, permissions)
}

fn set_attributes(file: &File, attributes: u32) -> io::Result<()> {
    // Zero would leave them as they are. Times of zero stay.
    let attributes = if attributes == 0 { FILE_ATTRIBUTE_NORMAL } else { attributes };
    set(file, FileBasicInfo, &FILE_BASIC_INFO { FileAttributes: attributes, ..Default::default() })
}

fn set<T>(file: &File, class: FILE_INFO_BY_HANDLE_CLASS, info: &T) -> io::Result<()> {
    let size = size_of::<T>() as u32;
    // SAFETY: the handle is open while `file` is borrowed, and `info` is what the class wants, whose
    // size is told: each caller names the two together.
    checked(unsafe {
        SetFileInformationByHandle(
            file.as_raw_handle(),
            class,
            std::ptr::from_ref(info).cast(),
            size,
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_read_only_file_goes_while_somebody_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "bytes").unwrap();
        set_read_only(&path, true).unwrap();
        let mut reader = File::open(&path).unwrap();
        delete(&path).unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bytes");
        drop(reader);
        assert!(!path.exists());
    }

    #[test]
    fn the_other_name_of_a_file_stays_read_only() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        fs::write(&a, "bytes").unwrap();
        fs::hard_link(&a, &b).unwrap();
        set_read_only(&a, true).unwrap();
        delete(&a).unwrap();
        assert!(!a.exists());
        assert!(fs::metadata(&b).unwrap().permissions().readonly());
        assert!(fs::write(&b, "other").is_err());
        delete(&b).unwrap();
    }

    #[test]
    fn an_empty_directory_goes_and_one_that_holds_something_stays() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("file"), "").unwrap();
        assert!(delete(&inner).is_err());
        fs::remove_file(inner.join("file")).unwrap();
        delete(&inner).unwrap();
        assert!(!inner.exists());
    }
}
