//! Whose a file is, and directories that are one user's alone.
//!
//! A private directory has an access list of its own, protected from what its parent would hand
//! down: this user, the system and the administrators may do everything, others nothing. What is
//! made in it inherits that. (Whoever may take ownership anyway is not kept out by leaving them out.)

#![allow(unsafe_code)]

use std::{
    fs::OpenOptions,
    io,
    os::windows::{
        fs::OpenOptionsExt,
        io::{AsRawHandle, FromRawHandle, OwnedHandle},
    },
    path::Path,
    ptr,
};

use windows_sys::Win32::{
    Foundation::{LocalFree, NO_ERROR},
    Security::{
        ACCESS_ALLOWED_ACE, ACE_HEADER, ACL,
        Authorization::{
            ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW,
            GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT, SetNamedSecurityInfoW,
        },
        DACL_SECURITY_INFORMATION, GetAce, GetSecurityDescriptorControl, GetSecurityDescriptorDacl,
        GetTokenInformation, OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION,
        PSECURITY_DESCRIPTOR, PSID, SE_DACL_PROTECTED, SECURITY_ATTRIBUTES, SetFileSecurityW,
        TOKEN_QUERY, TOKEN_USER, TokenUser,
    },
    Storage::FileSystem::{
        CreateDirectoryW, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, READ_CONTROL,
    },
    System::{
        SystemServices::{ACCESS_ALLOWED_ACE_TYPE, ACCESS_DENIED_ACE_TYPE},
        Threading::{GetCurrentProcess, OpenProcessToken},
    },
};

use crate::wide::{checked, wide, wide_path};

/// The system, the administrators, and what installs Windows itself ("Well-known SIDs").
const SYSTEM: [&str; 3] =
    ["S-1-5-18", "S-1-5-32-544", "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"];

/// All there are ("Well-known SIDs").
const EVERYONE: &str = "S-1-1-0";

/// The user that this process runs as, as the text of its security identifier.
///
/// # Errors
/// When the system does not tell.
pub fn own_user() -> io::Result<String> {
    let mut token = ptr::null_mut();
    // SAFETY: the pseudo handle of this process needs no closing, and `token` is ours to be filled;
    // it is an open handle then, which nobody else closes.
    let token = unsafe {
        checked(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token))?;
        OwnedHandle::from_raw_handle(token)
    };
    // Aligned as a `TOKEN_USER` must be, and longer than one with the longest identifier (68 bytes).
    let mut user = [0_u64; 32];
    let size = size_of_val(&user) as u32;
    let mut length = 0;
    // SAFETY: the token is open, and `user` as long as is told; filled, it begins with a
    // `TOKEN_USER`, whose identifier lies behind it.
    unsafe {
        let memory = user.as_mut_ptr().cast();
        checked(GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            memory,
            size,
            &raw mut length,
        ))?;
        text_of((*memory.cast::<TOKEN_USER>()).User.Sid)
    }
}

/// Whose a file or directory is, as the text of a security identifier; a link's own, not that of
/// where it leads.
///
/// # Errors
/// When it is not there, or does not tell.
pub fn owner(path: &Path) -> io::Result<String> {
    let security = Security::of(path, OWNER_SECURITY_INFORMATION)?;
    // SAFETY: the owner lies in the descriptor, which lives.
    unsafe { text_of(security.owner) }
}

/// Whether that is the system itself, or those who administer it.
#[must_use]
pub fn is_system(user: &str) -> bool {
    SYSTEM.contains(&user)
}

/// Makes a private directory. It has never been anything else.
///
/// # Errors
/// When it is there, or cannot be made.
pub fn make_private_dir(path: &Path) -> io::Result<()> {
    let private = Descriptor::private()?;
    let path = wide_path(path)?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: private.0,
        bInheritHandle: 0,
    };
    // SAFETY: `path` ends with a zero, and the descriptor lives until after the call.
    checked(unsafe { CreateDirectoryW(path.as_ptr(), &raw const attributes) })
}

/// Whether nobody but this user, the system and its administrators may do anything with a
/// directory, whatever becomes of those above it.
///
/// # Errors
/// When it is not there, or does not tell.
pub fn is_private(path: &Path) -> io::Result<bool> {
    let security = Security::of(path, DACL_SECURITY_INFORMATION)?;
    let (mut control, mut revision) = (0, 0);
    // SAFETY: the descriptor lives, and the numbers are ours to be filled.
    checked(unsafe {
        GetSecurityDescriptorControl(security.descriptor.0, &raw mut control, &raw mut revision)
    })?;
    Ok(control & SE_DACL_PROTECTED != 0 && security.others()?.is_empty())
}

/// Who may do anything with a file or directory, but for this user, the system and its
/// administrators.
///
/// # Errors
/// When it is not there, or does not tell.
pub fn others(path: &Path) -> io::Result<Vec<String>> {
    Security::of(path, DACL_SECURITY_INFORMATION)?.others()
}

/// Makes a directory private that is there, with all that lies in it and has no list of its own.
///
/// # Errors
/// When it is not there, or this user may not decide who gets in.
pub fn make_private(path: &Path) -> io::Result<()> {
    let private = Descriptor::private()?;
    let list = private.list()?;
    let path = wide_path(path)?;
    // SAFETY: `path` ends with a zero, and the list lies in the descriptor, which lives until after
    // the call.
    let error = unsafe {
        SetNamedSecurityInfoW(
            path.as_ptr(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
            ptr::null_mut(),
            ptr::null_mut(),
            list,
            ptr::null(),
        )
    };
    told(error)?;
    // Once more, for the directory alone: not every system keeps to it that nothing is inherited
    // where the list is handed down, too.
    // SAFETY: as above.
    checked(unsafe { SetFileSecurityW(path.as_ptr(), DACL_SECURITY_INFORMATION, private.0) })
}

/// Memory that the system gave with a descriptor in it.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    /// That of a private directory: protected, and inherited by files and directories in it.
    fn private() -> io::Result<Self> {
        let own = own_user()?;
        let text = format!("D:P(A;OICI;FA;;;{own})(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)");
        let (text, mut descriptor) = (wide(text)?, Self(ptr::null_mut()));
        // SAFETY: the text ends with a zero, and the pointer is ours to be filled; its size is not
        // asked.
        checked(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor.0,
                ptr::null_mut(),
            )
        })?;
        Ok(descriptor)
    }

    /// Its list of who may do what, which lives as long as it does.
    fn list(&self) -> io::Result<*const ACL> {
        let (mut present, mut defaulted, mut list) = (0, 0, ptr::null_mut());
        // SAFETY: the descriptor lives, and the rest is ours to be filled.
        checked(unsafe {
            GetSecurityDescriptorDacl(self.0, &raw mut present, &raw mut list, &raw mut defaulted)
        })?;
        Ok(list)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the system gave it to be freed like that, and nobody has a part of it any more.
        unsafe { LocalFree(self.0) };
    }
}

/// What a file says of who may do what. Owner and list lie in the descriptor.
struct Security {
    descriptor: Descriptor,
    owner: PSID,
    list: *mut ACL,
}

impl Security {
    fn of(path: &Path, parts: u32) -> io::Result<Self> {
        let file = OpenOptions::new()
            .access_mode(READ_CONTROL)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
            .open(path)?;
        let mut security = Self {
            descriptor: Descriptor(ptr::null_mut()),
            owner: ptr::null_mut(),
            list: ptr::null_mut(),
        };
        // SAFETY: the handle is open until after the call, and the pointers are ours to be filled.
        let error = unsafe {
            GetSecurityInfo(
                file.as_raw_handle(),
                SE_FILE_OBJECT,
                parts,
                &raw mut security.owner,
                ptr::null_mut(),
                &raw mut security.list,
                ptr::null_mut(),
                &raw mut security.descriptor.0,
            )
        };
        told(error).map(|()| security)
    }

    fn others(&self) -> io::Result<Vec<String>> {
        let own = own_user()?;
        // No list at all lets everybody in.
        if self.list.is_null() {
            return Ok(vec![EVERYONE.to_owned()]);
        }
        let mut others = Vec::new();
        // SAFETY: the list lies in the descriptor, which lives.
        let entries = unsafe { (*self.list).AceCount };
        for n in 0..u32::from(entries) {
            let mut entry = ptr::null_mut();
            // SAFETY: the list lives, and has so many entries; each begins with its header.
            let kind = unsafe {
                checked(GetAce(self.list, n, &raw mut entry))?;
                u32::from((*entry.cast::<ACE_HEADER>()).AceType)
            };
            match kind {
                ACCESS_ALLOWED_ACE_TYPE => {
                    // SAFETY: an entry of this type is an `ACCESS_ALLOWED_ACE`, whose identifier
                    // begins with its last member.
                    let user = unsafe {
                        let allowed = entry.cast::<ACCESS_ALLOWED_ACE>();
                        text_of((&raw mut (*allowed).SidStart).cast())?
                    };
                    if user != own && !is_system(&user) {
                        others.push(user);
                    }
                }
                ACCESS_DENIED_ACE_TYPE => {}
                // What such an entry asks for may hold for anybody.
                _ => others.push(EVERYONE.to_owned()),
            }
        }
        Ok(others)
    }
}

/// What those calls say that give the error itself.
fn told(error: u32) -> io::Result<()> {
    match error {
        NO_ERROR => Ok(()),
        error => Err(io::Error::from_raw_os_error(error.cast_signed())),
    }
}

/// The text of a security identifier.
///
/// # Safety
/// It must be a whole one, or null, which is refused.
unsafe fn text_of(user: PSID) -> io::Result<String> {
    if user.is_null() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut text = ptr::null_mut();
    // SAFETY: as promised, and `text` is ours to be filled; it ends with a zero then.
    unsafe {
        checked(ConvertSidToStringSidW(user, &raw mut text))?;
        let length = (0..).take_while(|n| *text.add(*n) != 0).count();
        let copy = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        Ok(copy)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_this_user_makes_is_this_users() {
        let dir = tempfile::tempdir().unwrap();
        let (own, owner) = (own_user().unwrap(), owner(dir.path()).unwrap());
        assert!(own.starts_with("S-1-"), "{own}");
        assert!(owner == own || is_system(&owner), "{owner} is not {own}");
    }

    #[test]
    fn a_private_directory_is_private_from_the_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("private");
        make_private_dir(&path).unwrap();
        fs::write(path.join("file"), "bytes").unwrap();
        assert_eq!(fs::read(path.join("file")).unwrap(), b"bytes");
        assert!(make_private_dir(&path).is_err());
        make_private(&path).unwrap();
        assert_eq!(fs::read(path.join("file")).unwrap(), b"bytes");
    }
}
