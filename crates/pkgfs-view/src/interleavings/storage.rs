//! Storage, played: files that a test changes, and requests answered one step at a time.

use std::{
    collections::HashMap,
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use pkgfs_manifest::{Attributes, BlobDigest, Entry, FileState, Kind, Listing, Timestamp};
use pkgfs_origin::{CHUNK, Cause, Fetched, Played, PlayedRequest, PlayedWhat, Rest};
use tokio::sync::watch;

/// A file at origin.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) bytes: Arc<[u8]>,
    pub(super) state: FileState,
}

#[derive(Default)]
struct Inside {
    files: HashMap<PathBuf, Stored>,
    asked: HashMap<PathBuf, usize>,
    failures: usize,
}

/// What lies at origin, in one directory.
pub(super) struct Storage {
    pub(super) directory: PathBuf,
    // Not one of shuttle's: what storage does by itself takes no step.
    inside: Mutex<Inside>,
    wished: watch::Sender<()>,
}

impl Storage {
    /// Answers what is asked of an origin.
    pub(super) fn play(directory: &Path, mut asked: Played) -> Arc<Self> {
        let storage = Arc::new(Self {
            directory: directory.to_owned(),
            inside: Mutex::default(),
            wished: watch::channel(()).0,
        });
        let playing = Arc::clone(&storage);
        tokio::spawn(async move {
            while let Some(next) = asked.next().await {
                match next {
                    Ok(request) => _ = tokio::spawn(Arc::clone(&playing).answer(request)),
                    Err(()) => playing.wished.send_replace(()),
                }
            }
        });
        storage
    }

    /// Puts a file there, or another in its place.
    pub(super) fn put(&self, name: &str, bytes: Arc<[u8]>, nanos: u32) {
        let state = FileState { size: bytes.len() as u64, mtime: Timestamp { secs: 1, nanos } };
        let stored = Stored { bytes, state };
        self.inside.lock().unwrap().files.insert(self.directory.join(name), stored);
    }

    /// The next so many requests fail.
    pub(super) fn fail(&self, requests: usize) {
        self.inside.lock().unwrap().failures = requests;
    }

    /// How often a file was asked for, by whatever request.
    pub(super) fn asked(&self, name: &str) -> usize {
        let inside = self.inside.lock().unwrap();
        inside.asked.get(&self.directory.join(name)).copied().unwrap_or(0)
    }

    /// What lies there now.
    pub(super) fn listing(&self) -> Listing {
        let inside = self.inside.lock().unwrap();
        let attributes = |state: FileState| {
            let FileState { size, mtime } = state;
            Attributes { size, mode: 0o644, uid: 1, gid: 1, mtime }
        };
        let entries = inside.files.iter().map(|(path, stored)| Entry {
            name: path.file_name().unwrap().as_encoded_bytes().into(),
            kind: Kind::File,
            attributes: attributes(stored.state),
            source: None,
        });
        let directory = FileState { size: 4096, mtime: Timestamp { secs: 1, nanos: 0 } };
        Listing::new(attributes(directory), entries.collect())
    }

    async fn answer(self: Arc<Self>, request: PlayedRequest) {
        let fails = {
            let mut inside = self.inside.lock().unwrap();
            *inside.asked.entry(request.path().to_owned()).or_default() += 1;
            let fails = inside.failures > 0;
            inside.failures = inside.failures.saturating_sub(1);
            fails
        };
        tokio::task::yield_now().await;
        if fails {
            return request.fail(Cause::Io(5));
        }
        match request.what() {
            PlayedWhat::List => request.listing(&self.listing()),
            PlayedWhat::Read => match self.stored(&request) {
                Some(Stored { bytes, state }) => request.content(bytes.to_vec(), state),
                None => request.fail(Cause::NotFound),
            },
            PlayedWhat::ReadAt(expected, bytes) => match self.expected(&request, expected) {
                Some(stored) => request.content(part(&stored.bytes, &bytes).to_vec(), expected),
                None => request.fail(Cause::Changed),
            },
            PlayedWhat::Fetch(expected, rest) => self.fetch(request, expected, rest).await,
            PlayedWhat::Else => request.fail(Cause::Io(5)),
        }
    }

    fn stored(&self, request: &PlayedRequest) -> Option<Stored> {
        self.inside.lock().unwrap().files.get(request.path()).cloned()
    }

    fn expected(&self, request: &PlayedRequest, expected: FileState) -> Option<Stored> {
        self.stored(request).filter(|stored| stored.state == expected)
    }

    /// A chunk at a time, those that are wished for first; as the worker does, it looks at the
    /// file's state before it tells of a chunk, and at the end.
    async fn fetch(&self, request: PlayedRequest, expected: FileState, rest: Rest) {
        let mut wished = self.wished.subscribe();
        let into = request.destination().unwrap().try_clone().unwrap();
        let chunks = expected.size.div_ceil(CHUNK);
        let mut missing: Vec<u64> = (0..chunks).collect();
        let mut wanted = Vec::new();
        let mut all = rest != Rest::Never;
        while !missing.is_empty() {
            tokio::task::yield_now().await;
            if request.is_abandoned() {
                return;
            }
            for wish in request.wishes() {
                match wish {
                    Some(bytes) => wanted.extend(bytes.start / CHUNK..bytes.end.div_ceil(CHUNK)),
                    None => all = true,
                }
            }
            wanted.retain(|chunk| missing.contains(chunk));
            let first = wanted.first().or_else(|| missing.first().filter(|_| all)).copied();
            if wanted.is_empty() {
                // What nobody waits for takes its time.
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
            }
            let Some(chunk) = first else {
                // The view may be gone, and with it who would wish for more.
                if wished.changed().await.is_err() {
                    return;
                }
                continue;
            };
            missing.retain(|other| *other != chunk);
            let Some(stored) = self.expected(&request, expected) else {
                return request.fail(Cause::Changed);
            };
            let bytes = chunk * CHUNK..((chunk + 1) * CHUNK).min(expected.size);
            crate::sys::write_all_at(&into, part(&stored.bytes, &bytes), bytes.start).unwrap();
            request.placed(bytes);
        }
        tokio::task::yield_now().await;
        let Some(stored) = self.expected(&request, expected) else {
            return request.fail(Cause::Changed);
        };
        let digest = BlobDigest::from_bytes(blake3::hash(&stored.bytes).into());
        request.fetched(Fetched { digest, size: expected.size });
    }
}

fn part<'a>(whole: &'a [u8], bytes: &Range<u64>) -> &'a [u8] {
    &whole[bytes.start as usize..bytes.end as usize]
}
