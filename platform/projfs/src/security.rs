//! Who may do what to a payload, as a security descriptor.
//!
//! ProjFS tells a provider of a new file only when it is there, so what must not be made is kept out by
//! the descriptor of the directory (MS-DTYP 2.4 for the layout; "File Access Rights Constants" for the
//! bits). A payload's denies to everyone whatever would change it, and allows reading and running. Where
//! origin's own descriptors are kept, the same denial stands before their entries: order decides, and a
//! denial that is read first holds.

use std::sync::Arc;

/// Bits of an access mask that change a file: `FILE_WRITE_DATA`, `FILE_APPEND_DATA`, `FILE_WRITE_EA`.
/// For a directory the same bits are `FILE_ADD_FILE`, `FILE_ADD_SUBDIRECTORY` and `FILE_WRITE_EA`.
const WRITE: u32 = 0x2 | 0x4 | 0x10;
/// `FILE_DELETE_CHILD`
const DELETE_CHILD: u32 = 0x40;
/// `FILE_WRITE_ATTRIBUTES`
const WRITE_ATTRIBUTES: u32 = 0x100;
/// `DELETE`
const DELETE: u32 = 0x0001_0000;
/// `WRITE_DAC | WRITE_OWNER`: whoever may change the descriptor may change all.
const OPEN_UP: u32 = 0x0004_0000 | 0x0008_0000;
/// `FILE_GENERIC_READ | FILE_GENERIC_EXECUTE`
const READ_AND_RUN: u32 = 0x0012_0089 | 0x0012_00A0;

/// What nobody may do to a file of a payload.
pub(crate) const DENIED_FILE: u32 = WRITE | WRITE_ATTRIBUTES | DELETE | OPEN_UP;
/// What nobody may do to a directory of one.
pub(crate) const DENIED_DIRECTORY: u32 = WRITE | WRITE_ATTRIBUTES | DELETE_CHILD | DELETE | OPEN_UP;

/// `S-1-1-0`, everyone.
const EVERYONE: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];

const ALLOW: u8 = 0;
const DENY: u8 = 1;
const HEADER: usize = 20;
const ACL_HEADER: usize = 8;
/// `SE_DACL_PRESENT | SE_DACL_PROTECTED | SE_SELF_RELATIVE`
const CONTROL: u16 = 0x0004 | 0x1000 | 0x8000;
/// `ACL_REVISION`, and `ACL_REVISION_DS`, which may hold entries of objects.
const REVISIONS: [u8; 2] = [2, 4];

/// Descriptors of payloads.
#[derive(Debug, Clone)]
pub(crate) struct Descriptors {
    pub(crate) file: Arc<[u8]>,
    pub(crate) directory: Arc<[u8]>,
}

impl Default for Descriptors {
    fn default() -> Self {
        let of = |denied| descriptor(denied, &ace(ALLOW, READ_AND_RUN), 1, 2, &[], &[]).into();
        Self { file: of(DENIED_FILE), directory: of(DENIED_DIRECTORY) }
    }
}

/// The descriptor that origin's file has, with the denial before its entries; `None` for one that makes
/// no sense, or allows all to everyone by having no list.
pub(crate) fn with_denial(origin: &[u8], directory: bool) -> Option<Arc<[u8]>> {
    let word =
        |at: usize| Some(u32::from_le_bytes(origin.get(at..at + 4)?.try_into().ok()?) as usize);
    if origin.len() < HEADER || origin[0] != 1 {
        return None;
    }
    let (owner, group, list) = (word(4)?, word(8)?, word(16)?);
    let sid = |at: usize| -> Option<&[u8]> {
        if at == 0 {
            return Some(&[]);
        }
        let authorities = usize::from(*origin.get(at + 1)?);
        (authorities <= 15).then(|| origin.get(at..at + 8 + 4 * authorities)).flatten()
    };
    if list == 0 {
        return None;
    }
    let head = origin.get(list..list + ACL_HEADER)?;
    let size = usize::from(u16::from_le_bytes([head[2], head[3]]));
    let count = u16::from_le_bytes([head[4], head[5]]);
    let entries = origin.get(list + ACL_HEADER..list + size)?;
    let revision = REVISIONS.contains(&head[0]).then_some(head[0])?;
    // Each entry says how long it is; together they are what the list says it is.
    let mut at = 0;
    for _ in 0..count {
        let length =
            usize::from(u16::from_le_bytes([*entries.get(at + 2)?, *entries.get(at + 3)?]));
        at = (length >= 4).then(|| at.checked_add(length)).flatten()?;
    }
    let entries = entries.get(..at)?;
    let denied = if directory { DENIED_DIRECTORY } else { DENIED_FILE };
    let made = descriptor(denied, entries, count, revision, sid(owner)?, sid(group)?);
    (made.len() <= usize::from(u16::MAX)).then(|| made.into())
}

fn ace(kind: u8, mask: u32) -> Vec<u8> {
    let size = (8 + EVERYONE.len()) as u16;
    let mut ace = vec![kind, 0];
    ace.extend(size.to_le_bytes());
    ace.extend(mask.to_le_bytes());
    ace.extend(EVERYONE);
    ace
}

fn descriptor(
    denied: u32,
    entries: &[u8],
    count: u16,
    revision: u8,
    owner: &[u8],
    group: &[u8],
) -> Vec<u8> {
    let denial = ace(DENY, denied);
    let size = ACL_HEADER + denial.len() + entries.len();
    let at_owner = HEADER + size;
    let at_group = at_owner + owner.len();
    let offset = |at: usize, sid: &[u8]| if sid.is_empty() { 0 } else { at as u32 };
    let mut bytes = vec![1, 0];
    bytes.extend(CONTROL.to_le_bytes());
    for at in [offset(at_owner, owner), offset(at_group, group), 0, HEADER as u32] {
        bytes.extend(at.to_le_bytes());
    }
    bytes.extend([revision, 0]);
    bytes.extend((size as u16).to_le_bytes());
    bytes.extend(count.saturating_add(1).to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(denial);
    bytes.extend(entries);
    bytes.extend(owner);
    bytes.extend(group);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn everyone_is_denied_to_write_before_anything_is_allowed() {
        let Descriptors { file, directory } = Descriptors::default();
        for (bytes, denied) in [(file, DENIED_FILE), (directory, DENIED_DIRECTORY)] {
            assert_eq!(bytes.len(), HEADER + ACL_HEADER + 2 * 20);
            assert_eq!(bytes[HEADER + ACL_HEADER], DENY);
            let mask = &bytes[HEADER + ACL_HEADER + 4..][..4];
            assert_eq!(mask, denied.to_le_bytes());
            assert_eq!(bytes[HEADER + ACL_HEADER + 20], ALLOW);
        }
    }

    #[test]
    fn the_denial_stands_before_what_origin_has() {
        let user = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 33, 2, 0, 0];
        let origin = descriptor(0x1, &ace(ALLOW, 0x001F_01FF), 1, 2, &user, &user);
        let made = with_denial(&origin, true).unwrap();
        assert_eq!(made[HEADER + ACL_HEADER], DENY);
        assert_eq!(made[HEADER + ACL_HEADER + 4..][..4], DENIED_DIRECTORY.to_le_bytes());
        assert_eq!(made.len(), origin.len() + 20);
        assert!(made.ends_with(&[user, user].concat()));
    }

    proptest! {
        #[test]
        fn nothing_that_origin_says_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = with_denial(&bytes, false);
        }

        #[test]
        fn a_damaged_descriptor_is_none_or_denies(at in 0_usize..68, to in any::<u8>()) {
            let mut origin = descriptor(0x1, &ace(ALLOW, 0x1), 1, 2, &[], &[]);
            let last = origin.len() - 1;
            origin[at.min(last)] = to;
            if let Some(made) = with_denial(&origin, false) {
                prop_assert_eq!(made[HEADER + ACL_HEADER], DENY);
            }
        }
    }
}
