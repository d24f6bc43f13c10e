//! The settings of a daemon, as they stand after all layers were read.

use std::{collections::BTreeMap, path::PathBuf};

use pkgfs_view::RestOfLargeFiles;
use serde::{Deserialize, Serialize};

use crate::places;

/// All settings. The field names are the keys of the configuration files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The mountpoint that commands mean when none is given.
    pub mountpoint: Option<PathBuf>,
    /// Where local bytes are kept.
    pub store: PathBuf,
    /// Repositories whose packages are registered when they are looked up.
    pub repositories: Vec<PathBuf>,
    /// Canonical locations of repositories, or of directories above them, each with the
    /// other spellings that handles written elsewhere have.
    pub locations: BTreeMap<String, Vec<String>>,
    /// Let other users in.
    pub allow_other: bool,
    /// How payloads are served.
    pub mode: ModeKey,
    /// Threads that answer the kernel; 0 is one for each CPU, at least 2 and at most 8.
    pub threads: usize,
    /// Least minutes between two comparisons of a variant with shared storage.
    pub freshness_minutes: u64,
    /// Keep the mount when the daemon dies: another takes over. Not in the foreground.
    pub hand_over: bool,
    /// What the log holds: error, warn, info, debug, trace, or a `tracing` filter.
    pub log_level: String,
    /// How shared storage is read.
    pub origin: OriginKeys,
    /// What makes a variant appear.
    pub registration: RegistrationKeys,
    /// How much the store may hold.
    pub room: RoomKeys,
    /// How what it holds is checked in the background.
    pub scrub: ScrubKeys,
    /// What is learnt of launches.
    pub profiles: ProfileKeys,
    /// How rez's own settings are had.
    pub rez: RezKeys,
}

/// How payloads are served; `auto` is the best that the machine allows and the mount may risk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum ModeKey {
    #[default]
    /// Chosen for the mount.
    Auto,
    /// Opens are not asked for.
    Stateless,
    /// Opens hand over the store's own file.
    Passthrough,
    /// Opens are answered.
    Cached,
}

impl TryFrom<String> for ModeKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Ok(match text.as_str() {
            "auto" => Self::Auto,
            "stateless" => Self::Stateless,
            "passthrough" => Self::Passthrough,
            "cached" => Self::Cached,
            _ => {
                return Err(format!("{text:?} is not one of auto, stateless, passthrough, cached"));
            }
        })
    }
}

/// How shared storage is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OriginKeys {
    /// Requests under way at a time.
    pub parallel: usize,
    /// Seconds to wait for an answer, or for the next progress of a long one.
    pub deadline_seconds: u64,
    /// What becomes of the bytes of large files that nobody has read.
    pub rest_of_large_files: RestKey,
    /// Let in those whom the access lists at origin let in; on Windows only.
    pub keep_acls: bool,
}

/// What becomes of the bytes of a large file that nobody has read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum RestKey {
    #[default]
    /// They follow when storage is quiet.
    Background,
    /// They are not fetched.
    Never,
}

impl TryFrom<String> for RestKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Ok(match text.as_str() {
            "background" => Self::Background,
            "never" => Self::Never,
            _ => return Err(format!("{text:?} is not one of background, never")),
        })
    }
}

impl From<RestKey> for RestOfLargeFiles {
    fn from(key: RestKey) -> Self {
        match key {
            RestKey::Background => Self::Background,
            RestKey::Never => Self::Never,
        }
    }
}

/// What makes a variant appear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationKeys {
    /// When it is looked up, in the configured repositories.
    pub on_lookup: bool,
    /// When rez writes it to `.sys/pending`.
    pub on_pending: bool,
    /// Seconds for which "not in the repository" is believed.
    pub miss_seconds: u64,
    /// Days for which look-ups leave alone what rez removed.
    pub tombstone_days: u64,
}

/// How much the store may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoomKeys {
    /// MiB that it may hold; 0 is as many as the disk has.
    pub quota_megabytes: u64,
    /// MiB that are to be free on its disk; without it rez's `package_cache_space_buffer`.
    pub free_megabytes: Option<u64>,
}

/// How what the store holds is checked in the background.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScrubKeys {
    /// MiB read a second at most; 0 checks nothing.
    pub megabytes_per_second: u64,
    /// Days from the end of a pass over all blobs to the beginning of the next.
    pub days: u64,
    /// Seconds from the start of the daemon to the first blob.
    pub delay_seconds: u64,
}

/// What is learnt of launches, and how much is fetched ahead for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProfileKeys {
    /// Learn what starts touch.
    pub learn: bool,
    /// MiB that may lie unread of what was fetched ahead of one launch; 0 fetches nothing ahead.
    pub ahead_megabytes: u64,
    /// Files that may.
    pub ahead_files: u64,
}

/// How rez's own settings are had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RezKeys {
    /// The command that prints rez's configuration as JSON; empty takes rez's defaults.
    pub config_command: Vec<String>,
    /// Seconds it may take.
    pub config_deadline_seconds: u64,
    /// The command that runs rez's own Python, which is asked about definitions that are
    /// programs; empty takes the `rez-python` beside `config_command`.
    pub python_command: Vec<String>,
    /// Seconds that a definition may take.
    pub definition_deadline_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mountpoint: None,
            store: places::default_store(),
            repositories: Vec::new(),
            locations: BTreeMap::new(),
            allow_other: false,
            mode: ModeKey::Auto,
            threads: 0,
            freshness_minutes: 10,
            hand_over: true,
            log_level: "info".to_owned(),
            origin: OriginKeys::default(),
            registration: RegistrationKeys::default(),
            room: RoomKeys::default(),
            scrub: ScrubKeys::default(),
            profiles: ProfileKeys::default(),
            rez: RezKeys::default(),
        }
    }
}

impl Default for OriginKeys {
    fn default() -> Self {
        Self {
            parallel: 16,
            deadline_seconds: 30,
            rest_of_large_files: RestKey::default(),
            keep_acls: false,
        }
    }
}

impl Default for RegistrationKeys {
    fn default() -> Self {
        Self { on_lookup: true, on_pending: true, miss_seconds: 5, tombstone_days: 30 }
    }
}

impl Default for ScrubKeys {
    fn default() -> Self {
        Self { megabytes_per_second: 8, days: 30, delay_seconds: 600 }
    }
}

impl Default for ProfileKeys {
    fn default() -> Self {
        Self { learn: true, ahead_megabytes: 128, ahead_files: 2_000 }
    }
}

impl Default for RezKeys {
    fn default() -> Self {
        Self {
            config_command: vec!["rez-config".to_owned(), "--json".to_owned()],
            config_deadline_seconds: 15,
            python_command: Vec::new(),
            definition_deadline_seconds: 10,
        }
    }
}

impl Settings {
    /// Threads that answer the kernel, with 0 made a number.
    #[must_use]
    pub fn session_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8),
            given => given,
        }
    }

    /// The keys in which a daemon with these settings would serve differently.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let same = [
            ("repositories", self.repositories == other.repositories),
            ("locations", self.locations == other.locations),
            ("allow_other", self.allow_other == other.allow_other),
            ("mode", self.mode == other.mode),
            ("threads", self.threads == other.threads),
            ("freshness_minutes", self.freshness_minutes == other.freshness_minutes),
            ("hand_over", self.hand_over == other.hand_over),
            ("origin", self.origin == other.origin),
            ("registration", self.registration == other.registration),
            ("room", self.room == other.room),
            ("scrub", self.scrub == other.scrub),
            ("profiles", self.profiles == other.profiles),
            ("rez", self.rez == other.rez),
        ];
        same.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
    }
}
