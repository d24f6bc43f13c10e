//! The rules, each with a provider in memory.

mod changes;
mod provided;
mod provider;
mod states;

use std::{fs, path::PathBuf, sync::Arc};

use tempfile::TempDir;

use crate::{
    Code, Volume, Wide,
    codes::right,
    open::{Disposition, How},
    provider::Asker,
    supply,
    volume::Options,
};
use provider::Fake;

/// A root over a provider in memory, and a program.
struct Root {
    directory: TempDir,
    provider: Arc<Fake>,
    volume: Arc<Volume>,
}

fn at(path: &str) -> Wide {
    Wide::from(path)
}

impl Root {
    /// Over a provider that has these files.
    fn new(files: &[(&str, &[u8])]) -> Self {
        Self::with(files, Options::default())
    }

    fn with(files: &[(&str, &[u8])], options: Options) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("root");
        fs::create_dir(&path).unwrap();
        supply::mark(&path, b"instance").unwrap();
        let provider = Arc::new(Fake::new(files));
        let volume = Volume::open(&path, Arc::clone(&provider) as _, options).unwrap();
        provider.serve(&volume);
        Self { directory, provider, volume }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn open(&self, path: &str, how: How) -> Result<u64, Code> {
        self.volume.open_file(&Asker::default(), 1, &at(path), how)
    }

    fn close(&self, handle: u64) {
        self.volume.close(&Asker::default(), handle).unwrap();
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, Code> {
        let handle = self.open(path, How::read())?;
        let read = self.volume.read(&Asker::default(), handle, 0, 1 << 20);
        self.close(handle);
        read
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Code> {
        let how = How::with(right::GENERIC_WRITE).and(Disposition::CreateAlways);
        let handle = self.open(path, How { backup: false, ..how })?;
        let written = self.volume.write(handle, 0, bytes);
        self.close(handle);
        written
    }

    fn delete(&self, path: &str) -> Result<(), Code> {
        self.volume.delete(&Asker::default(), 1, &at(path), false, false)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Code> {
        self.volume.rename(&Asker::default(), 1, &at(from), &at(to), false)
    }

    fn names(&self, path: &str) -> Vec<String> {
        let handle = self.open(path, How::with(right::LIST_DIRECTORY)).unwrap();
        let entries = self.volume.list(&Asker::default(), handle, None, false, 1000).unwrap();
        self.close(handle);
        entries.iter().map(|entry| entry.name.to_string()).collect()
    }

    fn state(&self, path: &str) -> Result<u32, Code> {
        self.volume.file_state(&at(path))
    }

    /// What the provider was called for that begins with `word`.
    fn asked(&self, word: &str) -> Vec<String> {
        self.volume.take_trace().into_iter().filter(|line| line.starts_with(word)).collect()
    }
}
