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

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the system gave it to be freed like that, and nobody has it any more.
        unsafe { LocalFree(self.0) };
    }
}
