//! What origin says of one file: size, mode, owner, times.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A moment as file systems record it: seconds since 1970 (negative before) and
/// nanoseconds within that second.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp {
    /// Whole seconds since the Unix epoch, rounded down.
    pub secs: i64,
    /// Nanoseconds above `secs`, below 1,000,000,000.
    pub nanos: u32,
}

impl Timestamp {
    /// Now, by the system's wall clock.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// The same moment as the standard library's type. A moment that type cannot
    /// hold becomes the epoch.
    #[must_use]
    pub fn to_system_time(self) -> SystemTime {
        let nanos = Duration::from_nanos(u64::from(self.nanos));
        let whole = Duration::from_secs(self.secs.unsigned_abs());
        let base = if self.secs >= 0 {
            UNIX_EPOCH.checked_add(whole)
        } else {
            UNIX_EPOCH.checked_sub(whole)
        };
        base.and_then(|at| at.checked_add(nanos)).unwrap_or(UNIX_EPOCH)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(at: SystemTime) -> Self {
        match at.duration_since(UNIX_EPOCH) {
            Ok(since) => Self {
                secs: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                nanos: since.subsec_nanos(),
            },
            Err(before) => {
                let before = before.duration();
                let secs = -i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
                match before.subsec_nanos() {
                    0 => Self { secs, nanos: 0 },
                    nanos => Self { secs: secs - 1, nanos: 1_000_000_000 - nanos },
                }
            }
        }
    }
}

/// The attributes of one file or directory as origin gave them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attributes {
    /// Size in bytes.
    pub size: u64,
    /// The twelve permission bits as on origin, write bits included: showing a
    /// payload without them is the view's business.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last modification.
    pub mtime: Timestamp,
}

impl Attributes {
    /// What identifies the content these attributes go with.
    #[must_use]
    pub fn state(&self) -> FileState {
        FileState { size: self.size, mtime: self.mtime }
    }

    /// Whether a file can have them: beyond twelve bits of mode lies its kind, beyond
    /// 999,999,999 ns the next second.
    pub(crate) fn are_sound(&self) -> bool {
        self.mode <= 0o7777 && self.mtime.nanos < 1_000_000_000
    }
}

/// One state of a file's content, as far as size and modification time can tell.
///
/// Compared for difference only. Inode numbers are left out on purpose: network file
/// systems may give the same file another number after a while (sshfs does).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileState {
    /// Size in bytes.
    pub size: u64,
    /// Last modification.
    pub mtime: Timestamp,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn moments_before_the_epoch_survive_conversion() {
        // Windows counts in steps of 100 ns.
        let at = UNIX_EPOCH - Duration::new(3, 300);
        let stamp = Timestamp::from(at);
        assert_eq!(stamp, Timestamp { secs: -4, nanos: 999_999_700 });
        assert_eq!(stamp.to_system_time(), at);
    }
}
