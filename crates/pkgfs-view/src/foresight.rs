//! What a program asks for next, told from what it has just read.
//!
//! Files that programs start from name their neighbours: a module names the modules that
//! it imports, compiled or not; a plug-in's description names the directory of its
//! resources. When somebody has read a small file that was not local, the files beside it
//! whose names stand in it are fetched ahead, and the directories listed, a few at a time.
//!
//! It is a guess, so it is bounded ([`account`]): what was fetched ahead of a variant and
//! is still unread never exceeds 512 KiB plus half of what was asked for, and a file that
//! was only fetched ahead is not searched for names. Nobody is told of a guess that failed:
//! whoever then reads the file is. Where a launch is led by a profile ([`crate::profiles`]), nothing
//! is guessed.

mod account;
mod neighbours;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;

use pkgfs_store::{Directory, FileKey, RegistrationId};
use tokio::sync::Semaphore;

pub use self::account::FetchedAhead;
use self::{
    account::{Account, Guess},
    neighbours::{COMPILED, Found, Search, can_be_fetched},
};
use crate::{
    View, ViewError,
    hydration::{Need, Wanted},
    payload::{Origination, Payloads},
};

/// Files asked for ahead at a time, at most.
const FILES_AT_ONCE: usize = 6;
/// Directories asked for ahead at a time.
const DIRECTORIES_AT_ONCE: usize = 1;
/// The stem of the file that stands for its directory.
const PACKAGE: &[u8] = b"__init__";

/// What was fetched ahead, and the turns of what is being fetched.
pub(crate) struct Foresight {
    /// Turns of files,
    files: Arc<Semaphore>,
    /// and of directories, which are named more often in vain.
    directories: Arc<Semaphore>,
    account: Account,
}

impl Foresight {
    /// For storage that is asked for so many things at a time: guesses that hang leave most
    /// of that to what somebody waits for.
    pub(crate) fn new(parallel: usize) -> Self {
        let files = (parallel * 3 / 8).clamp(1, FILES_AT_ONCE);
        Self {
            files: Arc::new(Semaphore::new(files)),
            directories: Arc::new(Semaphore::new(DIRECTORIES_AT_ONCE)),
            account: Account::default(),
        }
    }

    /// What was fetched ahead of all variants.
    pub(crate) fn amount(&self) -> FetchedAhead {
        self.account.amount()
    }

    /// A variant was removed, or its tree replaced: its files have new numbers.
    pub(crate) fn forget(&self, registration: RegistrationId) {
        self.account.forget(registration);
    }
}

impl View {
    /// Somebody reads this file for the first time since it was opened.
    pub(crate) fn first_read(self: &Arc<Self>, registration: RegistrationId, wanted: &Wanted) {
        self.profiles.ahead.read(wanted.key);
        for guess in self.foresight.account.read(registration, wanted.key, wanted.state.size) {
            self.fetch_file_ahead(guess);
        }
    }

    /// Somebody has read this file, which was not local, and these are its bytes.
    pub(crate) fn foresee(self: &Arc<Self>, key: FileKey, bytes: Arc<[u8]>) {
        let view = Arc::clone(self);
        tokio::spawn(async move {
            if let Ok(Some(search)) = view.search(key) {
                view.foresight.account.answers(search.directory.registration);
                if view.profiles.ahead.leads(search.directory.registration) {
                    return;
                }
                for found in search.run(&bytes) {
                    view.fetch_ahead(&search, found);
                }
            }
        });
    }

    fn search(&self, key: FileKey) -> Result<Option<Search>, ViewError> {
        let (directory, index) = self.payloads.entry(key)?;
        let name = directory.listing.entries()[index].name.clone();
        let dot = name.iter().position(|byte| *byte == b'.').unwrap_or(name.len());
        let suffix = Box::from(&name[dot..]);
        let above = match directory.path.strip_suffix(COMPILED) {
            Some(b"") => self.payloads.known(directory.registration, b"")?,
            Some([above @ .., b'/']) => self.payloads.known(directory.registration, above)?,
            _ => Some(Arc::clone(&directory)),
        };
        Ok(above.map(|beside| Search { directory, name, suffix, beside }))
    }

    fn fetch_ahead(self: &Arc<Self>, search: &Search, found: Found) {
        match found {
            Found::File(index) => self.guess(&search.directory, index),
            Found::Directory(index) => {
                let Ok(below) = Payloads::below(&search.beside, index) else { return };
                if !self.foresight.account.take_directory(&below) {
                    return;
                }
                let compiled = !Arc::ptr_eq(&search.directory, &search.beside);
                let package = [PACKAGE, &search.suffix].concat();
                let names = [search.name.clone(), package.into_boxed_slice()];
                let view = Arc::clone(self);
                tokio::spawn(async move { view.list_ahead(below, compiled, &names).await });
            }
        }
    }

    fn guess(self: &Arc<Self>, directory: &Arc<Directory>, index: usize) {
        let guess = Guess { directory: Arc::clone(directory), index };
        if can_be_fetched(&directory.listing.entries()[index])
            && self.foresight.account.take(guess.clone())
        {
            self.fetch_file_ahead(guess);
        }
    }

    /// Lists a directory and fetches those of these files that are in it.
    async fn list_ahead(
        self: Arc<Self>,
        below: Origination,
        compiled: bool,
        names: &[Box<[u8]>],
    ) -> Option<()> {
        let permit = Arc::clone(&self.foresight.directories).acquire_owned().await.ok()?;
        let registration = below.registration;
        if self.foresight.account.is_failing(registration) {
            return None;
        }
        let failed = |_| self.foresight.account.fails(registration);
        let mut directory = self.payloads.directory_unasked(below).await.map_err(failed).ok()?;
        if compiled && let Some(index) = directory.listing.find(COMPILED) {
            let below = Payloads::below(&directory, index).ok()?;
            directory = self.payloads.directory_unasked(below).await.map_err(failed).ok()?;
        }
        drop(permit);
        for name in names {
            if let Some(index) = directory.listing.find(name) {
                self.guess(&directory, index);
            }
        }
        Some(())
    }

    fn fetch_file_ahead(self: &Arc<Self>, guess: Guess) {
        let view = Arc::clone(self);
        tokio::spawn(async move {
            let _permit = Arc::clone(&view.foresight.files).acquire_owned().await;
            let (registration, wanted) = (guess.directory.registration, guess.wanted());
            let account = &view.foresight.account;
            if account.is_failing(registration) {
                return account.give_back(registration, wanted.key);
            }
            // Whoever asks for it meanwhile does not wait for its turn here.
            if let Ok(None) = view.store.content(wanted.key)
                && let Ok(flight) = view.fetch(&wanted, Need::Likely)
                && !flight.landed().await
            {
                account.fails(registration);
                account.give_back(registration, wanted.key);
            }
        });
    }
}
