//! A provider in memory, which can be told to misbehave.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, OnceLock, Weak},
};

use crate::{
    Code, EntryBuffer, Provider, Volume, Wide,
    codes::attribute,
    listing::Entry,
    notify::Notification,
    provider::{Asker, Listing, Notice, lock},
    records::{Times, Version},
    supply::Info,
    wide::{self, Key},
};

/// How it misbehaves, and what it answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ways {
    pub(super) unsorted: bool,
    pub(super) gives_nothing: bool,
    pub(super) read_only: bool,
    pub(super) refuses: Option<Notification>,
    pub(super) answers_mask: u32,
}

/// A path in its own case, and a file's bytes.
type Item = (Wide, Option<Vec<u8>>);

pub(super) struct Fake {
    /// Files by path, and the directories that they are in.
    items: Mutex<BTreeMap<Key, Item>>,
    listings: Mutex<HashMap<u128, usize>>,
    pub(super) ways: Mutex<Ways>,
    volume: OnceLock<Weak<Volume>>,
}

impl Fake {
    pub(super) fn new(files: &[(&str, &[u8])]) -> Self {
        let fake = Self {
            items: Mutex::default(),
            listings: Mutex::default(),
            ways: Mutex::default(),
            volume: OnceLock::new(),
        };
        for (path, bytes) in files {
            fake.add(path, bytes);
        }
        fake
    }

    pub(super) fn add(&self, path: &str, bytes: &[u8]) {
        let path = Wide::from(path);
        let mut items = lock(&self.items);
        let mut above = path.split().0;
        while !above.is_empty() {
            items.entry(above.key()).or_insert_with(|| (above.clone(), None));
            above = above.split().0;
        }
        items.insert(path.key(), (path, Some(bytes.to_vec())));
    }

    pub(super) fn serve(&self, volume: &Arc<Volume>) {
        self.volume.set(Arc::downgrade(volume)).unwrap();
    }

    pub(super) fn misbehave(&self, ways: Ways) {
        *lock(&self.ways) = ways;
    }

    fn volume(&self) -> Arc<Volume> {
        self.volume.get().unwrap().upgrade().unwrap()
    }

    pub(super) fn info(bytes: Option<&[u8]>, content: &[u8]) -> Info {
        Info {
            directory: bytes.is_none(),
            size: bytes.map_or(0, |bytes| bytes.len() as u64),
            attributes: 0,
            times: Times { write: 1, ..Times::default() },
            security: None,
            version: Version { provider: Vec::new(), content: content.to_vec() },
            target: None,
        }
    }
}

impl Provider for Fake {
    fn placeholder(&self, _: &Asker, path: &Wide, _: &Version) -> Result<(), Code> {
        let (path, bytes) =
            lock(&self.items).get(&path.key()).cloned().ok_or(Code::FILE_NOT_FOUND)?;
        let mut info = Self::info(bytes.as_deref(), b"1");
        if lock(&self.ways).read_only {
            info.attributes |= attribute::READONLY;
        }
        self.volume().write_placeholder(&path, info)
    }

    fn start_listing(&self, _: &Asker, listing: &Listing) -> Result<(), Code> {
        lock(&self.listings).insert(listing.session, 0);
        Ok(())
    }

    fn list(
        &self,
        _: &Asker,
        listing: &Listing,
        pattern: Option<&Wide>,
        restart: bool,
        _: bool,
        buffer: &Arc<Mutex<EntryBuffer>>,
    ) -> Result<(), Code> {
        let mut entries: Vec<Item> = lock(&self.items)
            .values()
            .filter(|(path, _)| path.split().0.key() == listing.path.key())
            .map(|(path, bytes)| (path.split().1, bytes.clone()))
            .filter(|(name, _)| pattern.is_none_or(|pattern| wide::matches(&name.0, &pattern.0)))
            .collect();
        if lock(&self.ways).unsorted {
            entries.reverse();
        }
        let mut listings = lock(&self.listings);
        let at = listings.get_mut(&listing.session).unwrap();
        if restart {
            *at = 0;
        }
        let mut filled = false;
        for (name, bytes) in entries.into_iter().skip(*at) {
            let entry = Entry {
                name,
                directory: bytes.is_none(),
                size: bytes.map_or(0, |bytes| bytes.len() as u64),
                attributes: 0,
                times: Times::default(),
                target: None,
            };
            match lock(buffer).fill(entry) {
                Ok(()) => {
                    *at += 1;
                    filled = true;
                }
                Err(code) => return if filled { Ok(()) } else { Err(code) },
            }
        }
        Ok(())
    }

    fn end_listing(&self, listing: &Listing) {
        lock(&self.listings).remove(&listing.session).unwrap();
    }

    fn data(
        &self,
        _: &Asker,
        path: &Wide,
        _: &Version,
        stream: u64,
        offset: u64,
        length: u32,
    ) -> Result<(), Code> {
        if lock(&self.ways).gives_nothing {
            return Ok(());
        }
        let bytes =
            lock(&self.items).get(&path.key()).and_then(|(_, bytes)| bytes.clone()).unwrap();
        let range = offset as usize..offset as usize + length as usize;
        self.volume().write_data(stream, offset, &bytes[range])
    }

    fn exists(&self, _: &Asker, path: &Wide) -> Option<Result<bool, Code>> {
        Some(Ok(lock(&self.items).contains_key(&path.key())))
    }

    fn is_notified(&self) -> bool {
        true
    }

    fn notify(&self, _: &Asker, notice: &Notice) -> Result<u32, Code> {
        let ways = *lock(&self.ways);
        if ways.refuses == Some(notice.notification) {
            return Err(Code::ACCESS_DENIED);
        }
        Ok(ways.answers_mask)
    }
}
