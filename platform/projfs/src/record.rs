//! What a root is remembered by: a hidden file in it.
//!
//! ProjFS knows a root by the GUID of its instance, which must be the same whenever it is served, and
//! trees of one life of a mount must not be taken for those of another. Both stand in `.pkgfs-mount`, an
//! ordinary file, which can be read while nobody serves the root, and goes with it.

use std::{fs, io, path::Path};

/// The name of the record.
pub(crate) const RECORD: &str = ".pkgfs-mount";
const HEAD: &str = "pkgfs mount 1";

/// What is remembered of a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The GUID of its instance, as 128 bits.
    pub(crate) instance: u128,
    /// How often it was mounted.
    pub(crate) life: u32,
}

impl Record {
    /// Of a root that was never mounted.
    pub(crate) fn new() -> Self {
        // Version 4, variant 1 (RFC 9562).
        let random = fastrand::u128(..);
        let instance = random & !(0xF000 << 64) & !(0xC << 60) | 0x4000 << 64 | 0x8 << 60;
        Self { instance, life: 0 }
    }

    /// The record of a root; `None` where there is none that makes sense.
    pub(crate) fn read(root: &Path) -> io::Result<Option<Self>> {
        match fs::read_to_string(root.join(RECORD)) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The record of the next life, written down before anything is shown in it.
    pub(crate) fn begin_life(root: &Path) -> io::Result<Self> {
        let mut record = Self::read(root)?.unwrap_or_else(Self::new);
        record.life = record.life.saturating_add(1);
        let new = root.join(format!("{RECORD}.new"));
        fs::write(&new, record.text())?;
        fs::rename(&new, root.join(RECORD))?;
        Ok(record)
    }

    fn text(&self) -> String {
        format!("{HEAD}\n{:032x}\n{}\n", self.instance, self.life)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (HEAD, instance, life) = (lines.next()?, lines.next()?, lines.next()?) else {
            return None;
        };
        Some(Self { instance: u128::from_str_radix(instance, 16).ok()?, life: life.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_keeps_its_number_and_counts_its_lives() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Record::read(root.path()).unwrap(), None);
        let first = Record::begin_life(root.path()).unwrap();
        let second = Record::begin_life(root.path()).unwrap();
        assert_eq!((first.life, second.life), (1, 2));
        assert_eq!(first.instance, second.instance);
        assert_eq!(Record::read(root.path()).unwrap(), Some(second));
        assert_eq!(first.instance >> 76 & 0xF, 4);
    }

    #[test]
    fn a_damaged_record_is_none() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(RECORD), b"pkgfs mount 1\nxyz\n1\n").unwrap();
        assert_eq!(Record::read(root.path()).unwrap(), None);
        fs::write(root.path().join(RECORD), b"\xFF").unwrap();
        assert_eq!(Record::read(root.path()).unwrap(), None);
    }
}
