//! Which notifications a provider wants ("PRJ_NOTIFY_TYPES", "PRJ_NOTIFICATION_MAPPING", "File System
//! Operation Notifications").

use crate::Wide;

/// What is told. Values are those of `PRJ_NOTIFICATION`, which are the bits of `PRJ_NOTIFY_TYPES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Notification {
    FileOpened = 0x2,
    NewFileCreated = 0x4,
    FileOverwritten = 0x8,
    PreDelete = 0x10,
    PreRename = 0x20,
    PreSetHardlink = 0x40,
    FileRenamed = 0x80,
    HardlinkCreated = 0x100,
    ClosedNoModification = 0x200,
    ClosedFileModified = 0x400,
    ClosedFileDeleted = 0x800,
    PreConvertToFull = 0x1000,
}

/// No notifications, whatever other bits say.
pub const SUPPRESS: u32 = 1;
/// An answer that changes no mask.
pub const USE_EXISTING: u32 = u32::MAX;
/// What is sent where a provider names nothing.
const DEFAULT: u32 = Notification::FileOpened as u32
    | Notification::NewFileCreated as u32
    | Notification::FileOverwritten as u32;

/// The masks by subtree.
#[derive(Clone, Debug, Default)]
pub struct Mappings(Vec<(Wide, u32)>);

impl Mappings {
    /// As given to `PrjStartVirtualizing`; none means the default for everything.
    #[must_use]
    pub fn new(mappings: Vec<(Wide, u32)>) -> Self {
        if mappings.is_empty() { Self(vec![(Wide::default(), DEFAULT)]) } else { Self(mappings) }
    }

    /// The mask of a path: that of the deepest notification root it is at or below.
    #[must_use]
    pub fn mask(&self, path: &Wide) -> u32 {
        self.0
            .iter()
            .filter(|(root, _)| root.is_empty() || path.below(root).is_some())
            .max_by_key(|(root, _)| root.components().len())
            .map_or(0, |(_, mask)| *mask)
    }
}

/// Whether a mask asks for a notification.
#[must_use]
pub fn wants(mask: u32, notification: Notification) -> bool {
    mask & SUPPRESS == 0 && mask & notification as u32 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mapping_counts_and_suppression_overrides_all_bits() {
        let mappings = Mappings::new(vec![
            (Wide::from(""), Notification::PreDelete as u32),
            (Wide::from(r"a\b"), Notification::PreDelete as u32 | SUPPRESS),
        ]);
        assert!(wants(mappings.mask(&Wide::from("a")), Notification::PreDelete));
        assert!(wants(mappings.mask(&Wide::from(r"a\bc")), Notification::PreDelete));
        assert!(!wants(mappings.mask(&Wide::from(r"A\B\c")), Notification::PreDelete));
    }

    #[test]
    fn without_mappings_opens_creations_and_overwrites_are_told() {
        let mask = Mappings::new(vec![]).mask(&Wide::from("x"));
        assert!(wants(mask, Notification::FileOpened));
        assert!(!wants(mask, Notification::PreDelete));
    }
}
