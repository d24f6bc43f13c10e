//! Who may do what with an object, from its text ("Security Descriptor Definition Language").

#![allow(unsafe_code)]

use std::{io, ptr};

use windows_sys::Win32::{
    Foundation::LocalFree,
    Security::{
        Authorization::{ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1},
        PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES,
    },
};

use crate::wide::{checked, wide};

/// A descriptor of an object that is to be made.
#[derive(Debug)]
pub(crate) struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    /// Reads its text.
    pub(crate) fn of(text: &str) -> io::Result<Self> {
        let (text, mut read) = (wide(text)?, ptr::null_mut());
        // SAFETY: the text ends with a zero, and the pointer is ours to be filled; its size is not
        // asked.
        checked(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut read,
                ptr::null_mut(),
            )
        })?;
        Ok(Self(read))
    }

    /// What a call takes that makes an object; it points to this.
    pub(crate) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.0,
            bInheritHandle: 0,
        }
    }
}

#[cfg(test)]
impl Descriptor {
    /// Flags and rights of each entry of the list, all of which allow.
    pub(crate) fn allowed(&self) -> Vec<(u8, u32)> {
        use windows_sys::Win32::Security::{ACCESS_ALLOWED_ACE, GetAce, GetSecurityDescriptorDacl};
        let (mut present, mut defaulted, mut list) = (0, 0, ptr::null_mut());
        // SAFETY: the descriptor lives, and with it the list that lies in it; an entry that is there
        // and allows is an `ACCESS_ALLOWED_ACE`.
        unsafe {
            let (present, defaulted) = (&raw mut present, &raw mut defaulted);
            assert_ne!(GetSecurityDescriptorDacl(self.0, present, &raw mut list, defaulted), 0);
            let entries = u32::from((*list).AceCount);
            let entry = |n| {
                let mut entry = ptr::null_mut();
                assert_ne!(GetAce(list, n, &raw mut entry), 0);
                let entry = &*entry.cast::<ACCESS_ALLOWED_ACE>();
                assert_eq!(entry.Header.AceType, 0);
                (entry.Header.AceFlags, entry.Mask)
            };
            (0..entries).map(entry).collect()
        }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the system gave it to be freed like that, and nobody has it any more.
        unsafe { LocalFree(self.0) };
    }
}
