//! Directories of one user in which others work, too.
//!
//! Such a directory has an access list of its own, protected from what its parent would hand down.
//! Its user, the system and the administrators may do everything. What is made in it inherits the
//! list; the directory itself is theirs alone to rename and to delete.

#![allow(unsafe_code)]

use std::{io, path::Path};

use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;

use crate::{
    descriptor::Descriptor,
    ownership::own_user,
    wide::{checked, wide_path},
};

/// Makes such a directory: everyone reads and runs; who is logged on also makes, changes and deletes
/// what is in it. It has never been anything else.
///
/// # Errors
/// When it is there, or cannot be made.
pub fn make(path: &Path) -> io::Result<()> {
    let descriptor = Descriptor::of(&text(&own_user()?))?;
    let path = wide_path(path)?;
    let attributes = descriptor.attributes();
    // SAFETY: `path` ends with a zero, and the descriptor lives until after the call.
    checked(unsafe { CreateDirectoryW(path.as_ptr(), &raw const attributes) })
}

/// The list as text ("ACE Strings"): FA is everything, FR, FW and FX are to read, write and run, SD is
/// to delete; an entry with IO is only inherited.
fn text(own: &str) -> String {
    let own = format!("(A;OICI;FA;;;{own})(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)");
    format!("D:P{own}(A;;FRFWFX;;;AU)(A;OICIIO;FRFWFXSD;;;AU)(A;OICI;FRFX;;;WD)")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;
    use crate::ownership;

    /// `S-1-1-0`
    const EVERYONE: &str = "S-1-1-0";

    #[test]
    fn who_makes_it_works_in_it_and_others_get_in() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shared");
        make(&path).unwrap();
        assert!(make(&path).is_err());
        let file = path.join("below").join("file");
        fs::create_dir(path.join("below")).unwrap();
        fs::write(&file, "bytes").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"bytes");
        let found = ownership::others(&path).unwrap();
        assert!(found.iter().any(|other| other == EVERYONE), "{found:?}");
        assert!(!ownership::is_private(&path).unwrap());
        fs::remove_dir_all(&path).unwrap();
    }

    /// What Windows makes of the text, whatever a file system keeps of it.
    #[test]
    fn only_who_is_logged_on_may_write_and_nobody_else_takes_the_directory_away() {
        let own = own_user().unwrap();
        // FILE_GENERIC_READ, _WRITE and _EXECUTE, and DELETE.
        let (read, work, delete) = (0x0012_00A9_u32, 0x0012_01BF, 0x0001_0000);
        let allowed = Descriptor::of(&text(&own)).unwrap().allowed();
        assert_eq!(allowed.len(), 6);
        // Of the directory itself, and of what is in it.
        assert_eq!(allowed[3..], [(0, work), (0xB, work | delete), (0x3, read)]);
    }
}
