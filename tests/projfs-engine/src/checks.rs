//! What refuses an open before anybody is asked: descriptors, attributes, sharing.

use crate::{
    Code, Volume,
    codes::{attribute, right, share},
    records::Record,
    volume::Inside,
};

impl Volume {
    /// Refuses where the item's descriptor does, and its directory's does not allow what it can.
    pub(crate) fn check(&self, parent: &Record, item: &Record, wanted: u32) -> Result<(), Code> {
        if !self.switches().descriptors {
            return Ok(());
        }
        let mut missing = self.security(item).missing(wanted);
        if missing & (right::DELETE | right::READ_ATTRIBUTES) != 0 {
            let above = self.security(parent);
            if above.missing(right::DELETE_CHILD) == 0 {
                missing &= !right::DELETE;
            }
            if above.missing(right::LIST_DIRECTORY) == 0 {
                missing &= !right::READ_ATTRIBUTES;
            }
        }
        if missing == 0 { Ok(()) } else { Err(Code::ACCESS_DENIED) }
    }

    /// Refuses where a directory's descriptor does.
    pub(crate) fn check_in(&self, directory: &Record, right: u32) -> Result<(), Code> {
        if self.switches().descriptors && self.security(directory).missing(right) != 0 {
            return Err(Code::ACCESS_DENIED);
        }
        Ok(())
    }

    pub(crate) fn is_read_only(&self, item: &Record) -> bool {
        self.switches().attributes
            && !item.is_directory()
            && item.attributes & attribute::READONLY != 0
    }

    /// "CreateFileW", dwShareMode.
    pub(crate) fn share_check(
        &self,
        inside: &Inside,
        id: u64,
        access: u32,
        share: u32,
    ) -> Result<(), Code> {
        let needs = |access: u32| {
            let mut needs = 0;
            if access & (right::READ_DATA | right::EXECUTE) != 0 {
                needs |= share::READ;
            }
            if access & (right::WRITE_DATA | right::APPEND_DATA) != 0 {
                needs |= share::WRITE;
            }
            if access & right::DELETE != 0 {
                needs |= share::DELETE;
            }
            needs
        };
        // Handles to attributes alone neither share nor exclude.
        let others =
            inside.handles.values().filter(|handle| handle.id == id && needs(handle.access) != 0);
        for other in others {
            if needs(access) != 0
                && (needs(access) & !other.share != 0 || needs(other.access) & !share != 0)
            {
                return Err(Code::SHARING_VIOLATION);
            }
        }
        Ok(())
    }
}
