//! Strings and structures as they cross the boundary.

use pkgfs_projfs_engine::{
    Wide,
    access::Descriptor,
    records::{Times, Version},
    supply::Info,
};
use windows_sys::{
    Win32::Storage::ProjectedFileSystem::{
        PRJ_EXT_INFO_TYPE_SYMLINK, PRJ_EXTENDED_INFO, PRJ_FILE_BASIC_INFO, PRJ_PLACEHOLDER_INFO,
        PRJ_PLACEHOLDER_VERSION_INFO,
    },
    core::{GUID, PCWSTR},
};

/// Reads a null-terminated string; nothing where the pointer is null.
///
/// # Safety
/// `text` is null or points to a null-terminated string.
pub(crate) unsafe fn read(text: PCWSTR) -> Option<Wide> {
    if text.is_null() {
        return None;
    }
    let mut units = Vec::new();
    let mut at = text;
    loop {
        // SAFETY: not beyond the null, where the loop ends.
        let unit = unsafe { *at };
        if unit == 0 {
            return Some(Wide(units));
        }
        units.push(unit);
        // SAFETY: the string goes on until its null.
        at = unsafe { at.add(1) };
    }
}

/// With a null at the end.
pub(crate) fn terminated(text: &Wide) -> Vec<u16> {
    let mut units = text.0.clone();
    units.push(0);
    units
}

pub(crate) fn guid(number: u128) -> GUID {
    GUID::from_u128(number)
}

pub(crate) fn number(guid: &GUID) -> u128 {
    let tail = u64::from_be_bytes(guid.data4);
    u128::from(guid.data1) << 96
        | u128::from(guid.data2) << 80
        | u128::from(guid.data3) << 64
        | u128::from(tail)
}

pub(crate) fn version(info: &PRJ_PLACEHOLDER_VERSION_INFO) -> Version {
    Version { provider: info.ProviderID.to_vec(), content: info.ContentID.to_vec() }
}

pub(crate) fn version_info(version: &Version) -> PRJ_PLACEHOLDER_VERSION_INFO {
    let mut info = PRJ_PLACEHOLDER_VERSION_INFO::default();
    for (to, from) in
        [(&mut info.ProviderID, &version.provider), (&mut info.ContentID, &version.content)]
    {
        if from.len() == to.len() {
            to.copy_from_slice(from);
        }
    }
    info
}

pub(crate) fn times(info: &PRJ_FILE_BASIC_INFO) -> Times {
    Times {
        creation: info.CreationTime,
        access: info.LastAccessTime,
        write: info.LastWriteTime,
        change: info.ChangeTime,
    }
}

/// Where a link leads, as the one structure of extended information says. An error where its type is
/// unknown.
///
/// # Safety
/// `extended` is null or points to a `PRJ_EXTENDED_INFO`.
pub(crate) unsafe fn target(extended: *const PRJ_EXTENDED_INFO) -> Result<Option<Wide>, ()> {
    if extended.is_null() {
        return Ok(None);
    }
    // SAFETY: as promised by the caller.
    let info = unsafe { &*extended };
    if info.InfoType != PRJ_EXT_INFO_TYPE_SYMLINK {
        return Err(());
    }
    // SAFETY: of this type, the union holds the symlink's target.
    Ok(unsafe { read(info.Anonymous.Symlink.TargetName) })
}

/// What a `PRJ_PLACEHOLDER_INFO` of `size` bytes says; nothing where it is malformed.
///
/// # Safety
/// `info` is null or points to `size` bytes.
pub(crate) unsafe fn info(
    info: *const PRJ_PLACEHOLDER_INFO,
    size: u32,
    target: Option<Wide>,
) -> Option<Info> {
    let bytes = size as usize;
    // The variable data begin within the padding of the structure; a size up to them is enough.
    if info.is_null() || bytes < std::mem::offset_of!(PRJ_PLACEHOLDER_INFO, VariableData) {
        return None;
    }
    // SAFETY: `size` bytes are there, as promised by the caller.
    let raw = unsafe { std::slice::from_raw_parts(info.cast::<u8>(), bytes) };
    // SAFETY: all fields but the variable data lie within what was just measured, and they are plain.
    let (basic, security, version_of) = unsafe {
        (
            std::ptr::addr_of!((*info).FileBasicInfo).read_unaligned(),
            std::ptr::addr_of!((*info).SecurityInformation).read_unaligned(),
            std::ptr::addr_of!((*info).VersionInfo).read_unaligned(),
        )
    };
    let security = match security.SecurityBufferSize {
        0 => None,
        length => {
            let start = security.OffsetToSecurityDescriptor as usize;
            Some(Descriptor::parse(raw.get(start..start.checked_add(length as usize)?)?)?)
        }
    };
    Some(Info {
        directory: basic.IsDirectory,
        size: u64::try_from(basic.FileSize).ok()?,
        attributes: basic.FileAttributes,
        times: times(&basic),
        security,
        version: version(&version_of),
        target,
    })
}
