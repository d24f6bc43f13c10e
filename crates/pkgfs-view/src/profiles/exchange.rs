//! Profiles told, taken to another machine, and forgotten.
//!
//! What is told names a variant by its handle and files by their paths in the payload, with the
//! sizes by which another machine notices that it has other files. Nothing in it is of this host.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use pkgfs_manifest::Timestamp;
use pkgfs_rez::VariantHandle;
use pkgfs_store::Profile;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    CONTEXT_LENGTH,
    record::{Item, MOST_ITEMS, Record},
};
use crate::{Report, Target, View, ViewError, registry::Slot, view::blocking};

/// What starts of one variant in one context touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangedProfile {
    /// The variant, as rez writes it; the handle decides.
    #[serde(default)]
    pub uri: String,
    /// The variant's handle, as rez writes it into contexts.
    pub handle: Value,
    /// The context: a digest of its packages; empty for processes outside any.
    #[serde(default)]
    pub context: String,
    /// How many launches were merged into it.
    #[serde(default)]
    pub launches: u32,
    /// When something was last learnt for it, in seconds since 1970.
    #[serde(default)]
    pub used: i64,
    /// In the order in which they are touched.
    pub files: Vec<ExchangedFile>,
}

/// A file that starts touch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExchangedFile {
    /// Below the variant's root; missing where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its bytes in hexadecimal, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_hex: Option<String>,
    /// Its size in bytes when it was touched.
    pub size: u64,
    /// Of a large file, what was read: first byte, and the one after the last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<(u64, u64)>,
    /// Its place in the order of its launch, all variants counted.
    pub rank: u32,
    /// Quarters of launches that have not touched it since.
    #[serde(skip_serializing_if = "is_zero")]
    pub missed: u8,
}

fn is_zero(missed: &u8) -> bool {
    *missed == 0
}

/// Profiles, as they are told and taken elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileList {
    /// In the order of their handles and contexts.
    pub profiles: Vec<ExchangedProfile>,
    /// Targets that mean no variant with a profile, each with the reason.
    #[serde(default)]
    pub unknown: Vec<String>,
}

/// Profiles by the handles that they are of.
type ByHandle = BTreeMap<String, Vec<Profile>>;

impl View {
    /// The profiles of variants, registered or not. No target means all.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn told_profiles(&self, targets: &[Target]) -> Result<ProfileList, ViewError> {
        let (chosen, unknown) = self.chosen_profiles(targets)?;
        let profiles = chosen.into_values().flatten().filter_map(|profile| {
            Record::decode(&profile.record).ok().and_then(|record| told(&profile, &record))
        });
        Ok(ProfileList { profiles: profiles.collect(), unknown })
    }

    /// Takes profiles in, each in the place of the one of the same variant and context. The variants
    /// need not be registered.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn import_profiles(
        self: &Arc<Self>,
        profiles: &[ExchangedProfile],
    ) -> Result<Report, ViewError> {
        let mut report = Report::default();
        let mut taken = Vec::new();
        for profile in profiles {
            match self.stored(profile) {
                Ok((uri, profile)) => {
                    report.changed.push(uri);
                    taken.push(profile);
                }
                Err(reason) => report.refused.push(reason),
            }
        }
        let store = Arc::clone(&self.store);
        blocking(move || store.record_profiles(&taken)).await?;
        Ok(report)
    }

    /// Forgets the profiles of variants. No target means all.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn clear_profiles(self: &Arc<Self>, targets: &[Target]) -> Result<Report, ViewError> {
        // What goes on now is forgotten with the rest.
        self.profiles.end().await;
        let (chosen, refused) = self.chosen_profiles(targets)?;
        let store = Arc::clone(&self.store);
        blocking(move || {
            let mut changed = Vec::new();
            for key in chosen.into_keys() {
                store.forget_profiles(&key)?;
                changed.push(read(&key).map_or(key, |handle| handle.uri()));
            }
            Ok::<_, ViewError>(Report { changed, refused, ..Report::default() })
        })
        .await
    }

    /// Profiles by handle, and the targets that mean none.
    fn chosen_profiles(&self, targets: &[Target]) -> Result<(ByHandle, Vec<String>), ViewError> {
        let mut all = ByHandle::new();
        for profile in self.store.profiles()? {
            all.entry(profile.handle_key.clone()).or_default().push(profile);
        }
        if targets.is_empty() {
            return Ok((all, Vec::new()));
        }
        let (mut meant, mut unknown) = (BTreeSet::new(), Vec::new());
        for target in targets {
            let keys = self.keys_meant(target, all.keys());
            match keys {
                Ok(keys) if keys.is_empty() => {
                    unknown.push(format!("{}: no profile of it is known", target.shown()));
                }
                Ok(keys) => meant.extend(keys),
                Err(reason) => unknown.push(reason),
            }
        }
        all.retain(|key, _| meant.contains(key));
        Ok((all, unknown))
    }

    /// Which of these handles a target means, by itself or as that of a registered variant.
    fn keys_meant<'a>(
        &self,
        target: &Target,
        keys: impl Iterator<Item = &'a String>,
    ) -> Result<Vec<String>, String> {
        let locations = &self.settings.locations;
        let key = |slot: &Slot| Some(locations.at_canonical(slot.handle.as_ref()?).to_json());
        let registered: BTreeSet<_> =
            self.meant(target, |_, slot| key(slot))?.into_iter().collect();
        let means = self.meaning(target)?;
        let meant = keys.filter(|key| {
            registered.contains(*key) || read(key).is_some_and(|handle| means(&handle))
        });
        Ok(meant.cloned().collect())
    }

    /// A profile from elsewhere, as it is kept here, and its variant as rez writes it.
    fn stored(&self, profile: &ExchangedProfile) -> Result<(String, Profile), String> {
        let (handle, record) = profile.read()?;
        let handle = self.settings.locations.at_canonical(&handle);
        let stored = Profile {
            handle_key: handle.to_json(),
            context: profile.context.clone(),
            used: Timestamp::now(),
            record: record.encode(),
        };
        Ok((handle.uri(), stored))
    }
}

impl ExchangedProfile {
    /// What it is of, and what is kept of it; or why it is refused.
    pub(crate) fn read(&self) -> Result<(VariantHandle, Record), String> {
        let told = if self.uri.is_empty() { "a profile" } else { &self.uri };
        let handle =
            VariantHandle::from_dict(&self.handle).map_err(|error| format!("{told}: {error}"))?;
        let context = &self.context;
        let is_digest = context.len() == CONTEXT_LENGTH
            && context.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_digest && !context.is_empty() {
            return Err(format!("{told}: {context:?} names no context"));
        }
        let items = self.files.iter().take(MOST_ITEMS).filter_map(ExchangedFile::item);
        Ok((handle, Record::new(self.launches, items.collect())))
    }

    /// What is kept of a variant, as it is told. When and in which context is for the caller.
    pub(crate) fn of(handle: &VariantHandle, record: &Record) -> Self {
        Self {
            uri: handle.uri(),
            handle: handle.to_dict(),
            context: String::new(),
            launches: record.launches(),
            used: 0,
            files: record.items().iter().map(ExchangedFile::of).collect(),
        }
    }
}

/// The handle of a key.
fn read(key: &str) -> Option<VariantHandle> {
    VariantHandle::from_dict(&serde_json::from_str(key).ok()?).ok()
}

fn told(profile: &Profile, record: &Record) -> Option<ExchangedProfile> {
    Some(ExchangedProfile {
        context: profile.context.clone(),
        used: profile.used.secs,
        ..ExchangedProfile::of(&read(&profile.handle_key)?, record)
    })
}

impl ExchangedFile {
    fn of(item: &Item) -> Self {
        let path = std::str::from_utf8(&item.path).map(str::to_owned).ok();
        let hex = || item.path.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            path_hex: path.is_none().then(hex),
            path,
            size: item.size,
            ranges: item.spans.iter().map(|span| (span.start, span.end)).collect(),
            rank: item.rank,
            missed: item.missed,
        }
    }

    /// `None` where it names nothing.
    fn item(&self) -> Option<Item> {
        let path = match (&self.path, &self.path_hex) {
            (Some(path), _) => path.clone().into_bytes(),
            (None, Some(hex)) => bytes(hex)?,
            (None, None) => return None,
        };
        Some(Item {
            path: path.into(),
            size: self.size,
            spans: self.ranges.iter().map(|(start, end)| *start..*end).collect(),
            rank: self.rank,
            missed: self.missed,
        })
    }
}

/// Bytes from their hexadecimal form.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn any_path_comes_back_from_the_exchange(path in vec(any::<u8>(), 1..40), size in any::<u64>()) {
            let spans = if size > 9 { vec![1..3, 4..9] } else { Vec::new() };
            let item = Item { path: path.into(), size, spans, rank: 3, missed: 7 };
            let text = serde_json::to_string(&ExchangedFile::of(&item)).unwrap();
            let back: ExchangedFile = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back.item(), Some(item));
        }

        #[test]
        fn any_text_is_bytes_or_none(text in any::<String>()) {
            let _ = bytes(&text);
        }
    }
}
