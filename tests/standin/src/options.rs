//! What a stand-in costs and how long the kernel may keep its answers: one definition for the
//! flags of the program and for the library.

use std::ffi::OsString;
use std::time::Duration;

/// The largest READ that the kernel sends, in bytes: what NFS calls `rsize`. It is the limit
/// of FUSE (256 pages); a read-ahead of less than this makes READs smaller.
pub const MAX_READ: u32 = 1024 * 1024;

const DELAY_US: u64 = 500;
const SLOTS: usize = 16;
const TTL_MS: u64 = 3000;
const READ_AHEAD_KB: u32 = 1024;

/// The cost model and cache times of a stand-in.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Options {
    /// Microseconds that each operation spends in service.
    #[arg(long, default_value_t = DELAY_US)]
    pub delay_us: u64,
    /// Operations in service at a time; the rest wait in order of arrival.
    #[arg(long, default_value_t = SLOTS)]
    pub slots: usize,
    /// Bytes a second that READ answers share; unlimited without it.
    #[arg(long)]
    pub bandwidth: Option<u64>,
    /// How long the kernel keeps attributes (NFS: acregmin, 3 s).
    #[arg(long, default_value_t = TTL_MS)]
    pub attr_ttl_ms: u64,
    /// How long the kernel keeps a name that was found.
    #[arg(long, default_value_t = TTL_MS)]
    pub entry_ttl_ms: u64,
    /// How long the kernel keeps a name that was not found; NFS keeps misses too.
    #[arg(long, default_value_t = TTL_MS)]
    pub negative_ttl_ms: u64,
    /// Drop cached data at every open, also of an unchanged file (NFS drops it only when the
    /// file changed).
    #[arg(long)]
    pub reread_at_open: bool,
    /// Kernel read-ahead in KiB; more than 128 takes effect only as root.
    #[arg(long, default_value_t = READ_AHEAD_KB)]
    pub read_ahead_kb: u32,
    /// Let other users than the mounting one in.
    #[arg(long)]
    pub allow_other: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            delay_us: DELAY_US,
            slots: SLOTS,
            bandwidth: None,
            attr_ttl_ms: TTL_MS,
            entry_ttl_ms: TTL_MS,
            negative_ttl_ms: TTL_MS,
            reread_at_open: false,
            read_ahead_kb: READ_AHEAD_KB,
            allow_other: false,
        }
    }
}

impl Options {
    /// No delay and nothing kept by the kernel: for tests that count or change files.
    pub fn uncached() -> Self {
        Self { delay_us: 0, attr_ttl_ms: 0, entry_ttl_ms: 0, negative_ttl_ms: 0, ..Self::default() }
    }

    /// The flags that give the program these options.
    pub fn to_flags(&self) -> Vec<OsString> {
        let mut flags = vec![
            format!("--delay-us={}", self.delay_us),
            format!("--slots={}", self.slots),
            format!("--attr-ttl-ms={}", self.attr_ttl_ms),
            format!("--entry-ttl-ms={}", self.entry_ttl_ms),
            format!("--negative-ttl-ms={}", self.negative_ttl_ms),
            format!("--read-ahead-kb={}", self.read_ahead_kb),
        ];
        if let Some(bandwidth) = self.bandwidth {
            flags.push(format!("--bandwidth={bandwidth}"));
        }
        if self.reread_at_open {
            flags.push("--reread-at-open".to_owned());
        }
        if self.allow_other {
            flags.push("--allow-other".to_owned());
        }
        flags.into_iter().map(OsString::from).collect()
    }

    pub(crate) fn attr_ttl(&self) -> Duration {
        Duration::from_millis(self.attr_ttl_ms)
    }

    pub(crate) fn entry_ttl(&self) -> Duration {
        Duration::from_millis(self.entry_ttl_ms)
    }

    pub(crate) fn negative_ttl(&self) -> Duration {
        Duration::from_millis(self.negative_ttl_ms)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Options;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn flags_carry_every_option() {
        let options = Options {
            delay_us: 1,
            slots: 2,
            bandwidth: Some(3),
            attr_ttl_ms: 4,
            entry_ttl_ms: 5,
            negative_ttl_ms: 6,
            reread_at_open: true,
            read_ahead_kb: 7,
            allow_other: true,
        };
        let arguments = std::iter::once("standin".into()).chain(options.to_flags());
        assert_eq!(Flags::parse_from(arguments).options, options);
    }

    #[test]
    fn no_flags_mean_the_defaults() {
        assert_eq!(Flags::parse_from(["standin"]).options, Options::default());
    }
}
