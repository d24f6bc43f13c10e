//! Security descriptors: what a provider gives with a placeholder, what is inherited, and what they
//! allow ("Security Descriptors", "How AccessCheck Works", "ACE Inheritance Rules").
//!
//! One user exists here, an ordinary one: not an administrator, without privileges.

use serde::{Deserialize, Serialize};

use crate::codes::right;

/// Who the programs run as.
pub const USER: &str = "S-1-5-21-1000-1000-1000-1001";
const EVERYONE: &str = "S-1-1-0";
const OWNER_RIGHTS: &str = "S-1-3-4";
const CREATOR_OWNER: &str = "S-1-3-0";
/// Everyone, Authenticated Users, Users, Interactive, Local.
const GROUPS: [&str; 5] = [EVERYONE, "S-1-5-11", "S-1-5-32-545", "S-1-5-4", "S-1-2-0"];

const ALLOWED: u8 = 0;
const DENIED: u8 = 1;
const OBJECT_INHERIT: u8 = 1;
const CONTAINER_INHERIT: u8 = 2;
const NO_PROPAGATE: u8 = 4;
const INHERIT_ONLY: u8 = 8;
const INHERITED: u8 = 0x10;
const DACL_PRESENT: u16 = 4;

/// One entry of an access-control list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ace {
    /// Whether it denies.
    pub deny: bool,
    /// Inheritance flags.
    pub flags: u8,
    /// Rights.
    pub mask: u32,
    /// Whose.
    pub sid: String,
}

/// What a descriptor says that matters here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Who owns it.
    pub owner: String,
    /// The list; without one everything is allowed.
    pub dacl: Option<Vec<Ace>>,
}

impl Descriptor {
    /// What a directory has that anybody may fill.
    #[must_use]
    pub fn open() -> Self {
        let everyone = Ace {
            deny: false,
            flags: OBJECT_INHERIT | CONTAINER_INHERIT,
            mask: right::ALL,
            sid: EVERYONE.into(),
        };
        Self { owner: USER.into(), dacl: Some(vec![everyone]) }
    }

    /// Reads a self-relative `SECURITY_DESCRIPTOR`; `None` where it is none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let control = short(bytes, 2)?;
        let owner = match long(bytes, 4)? {
            0 => USER.into(),
            at => sid(bytes.get(at as usize..)?)?,
        };
        if control & DACL_PRESENT == 0 {
            return Some(Self { owner, dacl: None });
        }
        let dacl = match long(bytes, 16)? {
            0 => None,
            at => Some(aces(bytes.get(at as usize..)?)?),
        };
        Some(Self { owner, dacl })
    }

    /// What a child that is created below gets.
    #[must_use]
    pub fn inherited(&self, directory: bool) -> Self {
        let Some(dacl) = &self.dacl else { return Self { owner: USER.into(), dacl: None } };
        let passed = |ace: &Ace| {
            let mine = if directory { CONTAINER_INHERIT } else { OBJECT_INHERIT };
            let through =
                directory && ace.flags & OBJECT_INHERIT != 0 && ace.flags & NO_PROPAGATE == 0;
            if ace.flags & mine == 0 && !through {
                return None;
            }
            let kept = if !directory || ace.flags & NO_PROPAGATE != 0 {
                0
            } else {
                ace.flags & (OBJECT_INHERIT | CONTAINER_INHERIT)
            };
            let only = if ace.flags & mine == 0 { INHERIT_ONLY } else { 0 };
            let sid = if ace.sid == CREATOR_OWNER { USER.into() } else { ace.sid.clone() };
            Some(Ace { flags: kept | only | INHERITED, sid, ..ace.clone() })
        };
        let mut dacl: Vec<Ace> = dacl.iter().filter_map(passed).collect();
        if dacl.is_empty() {
            // Nothing is inherited: the default of the user's token.
            dacl = vec![Ace { deny: false, flags: 0, mask: right::ALL, sid: USER.into() }];
        }
        Self { owner: USER.into(), dacl: Some(dacl) }
    }

    /// Which of the rights in `wanted` the user does not get.
    #[must_use]
    pub fn missing(&self, wanted: u32) -> u32 {
        let Some(dacl) = &self.dacl else { return 0 };
        let mut left = generic(wanted);
        let owner_rights_said = dacl.iter().any(|ace| ace.sid == OWNER_RIGHTS);
        if self.owner == USER && !owner_rights_said {
            left &= !(right::READ_CONTROL | right::WRITE_DAC);
        }
        let mut refused = 0;
        for ace in dacl.iter().filter(|ace| ace.flags & INHERIT_ONLY == 0 && self.is_user(&ace.sid))
        {
            let mask = generic(ace.mask);
            if ace.deny {
                refused |= left & mask;
            } else {
                left &= !mask | refused;
            }
        }
        left
    }

    fn is_user(&self, sid: &str) -> bool {
        sid == USER || GROUPS.contains(&sid) || (sid == OWNER_RIGHTS && self.owner == USER)
    }
}

/// Generic rights as the rights of a file that they stand for ("File Security and Access Rights").
#[must_use]
pub fn generic(mask: u32) -> u32 {
    let mut specific = mask & 0x0FFF_FFFF;
    for (bit, rights) in [
        (right::GENERIC_READ, 0x12_0089),
        (right::GENERIC_WRITE, 0x12_0116),
        (right::GENERIC_EXECUTE, 0x12_00A0),
        (right::GENERIC_ALL, right::ALL),
    ] {
        if mask & bit != 0 {
            specific |= rights;
        }
    }
    specific
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A `SID`, as text.
fn sid(bytes: &[u8]) -> Option<String> {
    let count = usize::from(*bytes.get(1)?);
    let authority = bytes.get(2..8)?.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mut text = format!("S-{}-{authority}", bytes.first()?);
    for part in 0..count {
        text.push_str(&format!("-{}", long(bytes, 8 + 4 * part)?));
    }
    Some(text)
}

/// The entries of an `ACL`.
fn aces(bytes: &[u8]) -> Option<Vec<Ace>> {
    let mut at = 8;
    let mut aces = Vec::new();
    for _ in 0..short(bytes, 4)? {
        let kind = *bytes.get(at)?;
        if kind == ALLOWED || kind == DENIED {
            aces.push(Ace {
                deny: kind == DENIED,
                flags: *bytes.get(at + 1)?,
                mask: long(bytes, at + 4)?,
                sid: sid(bytes.get(at + 8..)?)?,
            });
        }
        at += usize::from(short(bytes, at + 2)?);
    }
    Some(aces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ace(deny: bool, mask: u32, sid: &str) -> Ace {
        Ace { deny, flags: 0, mask, sid: sid.into() }
    }

    fn descriptor(dacl: Vec<Ace>) -> Descriptor {
        Descriptor { owner: "S-1-5-18".into(), dacl: Some(dacl) }
    }

    #[test]
    fn a_denial_before_an_allowance_wins_and_after_it_does_not() {
        let first =
            descriptor(vec![ace(true, right::ADD_FILE, EVERYONE), ace(false, right::ALL, USER)]);
        assert_eq!(first.missing(right::ADD_FILE | right::LIST_DIRECTORY), right::ADD_FILE);
        let last =
            descriptor(vec![ace(false, right::ALL, USER), ace(true, right::ADD_FILE, EVERYONE)]);
        assert_eq!(last.missing(right::ADD_FILE), 0);
    }

    #[test]
    fn an_empty_list_allows_nothing_and_no_list_everything() {
        assert_eq!(descriptor(vec![]).missing(right::READ_DATA), right::READ_DATA);
        assert_eq!(Descriptor { owner: USER.into(), dacl: None }.missing(right::ALL), 0);
    }

    #[test]
    fn an_owner_may_change_the_list_unless_owner_rights_are_said() {
        let mut owned = Descriptor { owner: USER.into(), dacl: Some(vec![]) };
        assert_eq!(owned.missing(right::WRITE_DAC), 0);
        owned.dacl = Some(vec![ace(false, right::READ_CONTROL, OWNER_RIGHTS)]);
        assert_eq!(owned.missing(right::WRITE_DAC), right::WRITE_DAC);
    }

    #[test]
    fn a_child_gets_what_is_inheritable_and_else_the_token_s_default() {
        let mut denied = ace(true, right::ADD_FILE, EVERYONE);
        denied.flags = CONTAINER_INHERIT;
        let parent = descriptor(vec![denied, ace(false, right::ALL, EVERYONE)]);
        assert_eq!(parent.inherited(true).missing(right::ADD_FILE), right::ADD_FILE);
        assert_eq!(parent.inherited(false).missing(right::ALL), 0);
    }

    #[test]
    fn a_self_relative_descriptor_is_read() {
        let everyone = [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        let mut bytes = vec![1, 0, 4, 0x80];
        bytes.extend([0_u32, 0, 0, 20].iter().flat_map(|offset| offset.to_le_bytes()));
        bytes.extend([2, 0, 28, 0, 1, 0, 0, 0]);
        bytes.extend([1, 0, 20, 0]);
        bytes.extend(right::WRITE_DATA.to_le_bytes());
        bytes.extend(everyone);
        let read = Descriptor::parse(&bytes).expect("well-formed");
        assert_eq!(read.dacl, Some(vec![ace(true, right::WRITE_DATA, EVERYONE)]));
        assert_eq!(Descriptor::parse(&bytes[..30]), None);
    }
}
