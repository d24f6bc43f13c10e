//! Checking what the store holds: on demand, and slowly in the background.
//!
//! A blob that is not what its name says is taken out of use at once: who reads a file that had it
//! has it fetched anew, and whatever keeps bytes of it is told to forget them. A program that has
//! such a file open in the kernel's own way goes on reading the bad one until it closes it.

mod copies;

use std::{
    collections::HashSet,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use pkgfs_manifest::Timestamp;
use pkgfs_store::{FileKey, Scrub, Store, StoreError, Suspect, Verdict};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    Amount, NodeId, View, ViewError, hydration::Need, node::Node, payload::Payloads, sys,
    view::blocking,
};

/// Blobs that are chosen at a time.
const BATCH: usize = 16;
/// Between two blobs the background check rests at least so long.
const BREATH: Duration = Duration::from_millis(2);
/// How often somebody who rests looks whether the view is still there.
const SLICE: Duration = Duration::from_secs(1);
/// Bad blobs and failures that are told one by one.
const MOST_TOLD: usize = 1_000;
/// Files of a bad blob that are told one by one; in a line, a tenth of them.
const MOST_FILES: usize = 100;
/// After a failure the background check rests for so long.
const TROUBLE: Duration = Duration::from_secs(600);

/// How blobs are checked in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubSettings {
    /// Bytes read a second at most; 0 checks nothing.
    pub bytes_per_second: u64,
    /// Time from the end of a pass over all blobs to the beginning of the next.
    pub every: Duration,
    /// Time from the start to the first blob.
    pub delay: Duration,
}

/// How the background check does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CheckStatus {
    /// Blobs checked since the start, on demand or not, and their bytes.
    pub checked: Amount,
    /// Of these, those that were bad.
    pub bad: u64,
    /// When the last pass over all blobs ended, in seconds since 1970.
    pub last_pass: Option<i64>,
}

/// How far a check of all blobs is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyProgress {
    /// Blobs there were when it began, and their bytes.
    pub known: Amount,
    /// Of these, those that were checked.
    pub checked: Amount,
}

/// A blob that was bad, and is out of use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadBlob {
    /// Its name.
    pub digest: String,
    /// What was wrong with it.
    pub reason: String,
    /// The files at origin whose bytes it was to be, as many as are told.
    pub files: Vec<String>,
    /// How many they are.
    pub file_count: u64,
}

/// What a check of all blobs came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Blobs checked, and their bytes.
    pub checked: Amount,
    /// Those that were bad, as many as are told.
    pub bad: Vec<BadBlob>,
    /// How many were bad.
    pub bad_blobs: u64,
    /// How many files had them.
    pub bad_files: u64,
    /// Files of those that were fetched anew.
    pub repaired: u64,
    /// Variants that rez had copied in, of which something was bad that nobody can give again: they
    /// were removed, and rez copies them in anew.
    pub removed: Vec<String>,
    /// How the database was damaged, if it was, and what it was made anew with.
    pub database: Option<String>,
    /// What could not be checked or fetched anew, each with the reason, as many as are told.
    pub failed: Vec<String>,
    /// How many they are.
    pub failures: u64,
}

impl VerifyReport {
    fn fail(&mut self, reason: String) {
        self.failures += 1;
        if self.failed.len() < MOST_TOLD {
            self.failed.push(reason);
        }
    }
}

#[derive(Default)]
pub(crate) struct Checks {
    blobs: AtomicU64,
    bytes: AtomicU64,
    bad: AtomicU64,
}

impl Checks {
    fn note(&self, bytes: u64) {
        self.blobs.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl View {
    /// Compares each blob with its name; bad ones are taken out of use and, if `repair`, their
    /// files fetched anew. Progress is sent as it comes; it ends when nobody hears it any more.
    pub async fn verify(
        self: &Arc<Self>,
        repair: bool,
        told: watch::Sender<VerifyProgress>,
    ) -> VerifyReport {
        let mut report = VerifyReport::default();
        let before = self.store.rebuilt().len();
        let store = Arc::clone(&self.store);
        if let Err(error) = blocking(move || store.check_database()).await {
            report.fail(error.to_string());
        }
        report.database = self.store.rebuilt().get(before).map(ToString::to_string);
        let usage = self.store.usage();
        let known = Amount { files: usage.blobs, bytes: usage.blob_bytes };
        let mut after = None;
        loop {
            let store = Arc::clone(&self.store);
            let batch = match blocking(move || store.blobs_after(after, BATCH)).await {
                Ok(batch) => batch,
                Err(error) => {
                    report.fail(error.to_string());
                    return report;
                }
            };
            let Some((last, _)) = batch.last() else { break };
            after = Some(*last);
            for (digest, size) in batch {
                let (store, hearer) = (Arc::clone(&self.store), told.clone());
                let go_on = move |_| !hearer.is_closed();
                let verdict = blocking(move || store.check_blob(&digest, size, go_on)).await;
                if told.is_closed() {
                    return report;
                }
                self.checks.note(size);
                report.checked.files += 1;
                report.checked.bytes += size;
                match verdict {
                    Ok(Verdict::Sound | Verdict::Unknown) => {}
                    Ok(Verdict::Bad(suspect)) => self.deal_with(suspect, repair, &mut report).await,
                    Err(error) => report.fail(error.to_string()),
                }
                told.send_replace(VerifyProgress { known, checked: report.checked });
            }
        }
        if repair {
            self.repair_copies(&mut report).await;
        }
        report
    }

    async fn deal_with(
        self: &Arc<Self>,
        suspect: Suspect,
        repair: bool,
        report: &mut VerifyReport,
    ) {
        let (bad, files) = match self.take_out_of_use(suspect).await {
            Ok(Some(taken)) => taken,
            Ok(None) => return,
            Err(error) => return report.fail(error.to_string()),
        };
        report.bad_blobs += 1;
        report.bad_files += files.len() as u64;
        if report.bad.len() < MOST_TOLD {
            report.bad.push(bad);
        }
        // Copies of rez's come later, each as a whole.
        let served = files.into_iter().filter(|file| repair && self.copied_in(*file).is_none());
        for file in served.collect::<Vec<_>>() {
            match self.fetch_anew(file).await {
                Ok(()) => report.repaired += 1,
                Err(error) => report.fail(format!("{}: {error}", self.file_name(file))),
            }
        }
    }

    /// Nothing if it was replaced since it was looked at.
    async fn take_out_of_use(
        self: &Arc<Self>,
        suspect: Suspect,
    ) -> Result<Option<(BadBlob, Vec<FileKey>)>, StoreError> {
        let (store, condemned) = (Arc::clone(&self.store), suspect.clone());
        let Some(files) = blocking(move || store.condemn(&condemned)).await? else {
            return Ok(None);
        };
        let bad = self.forget_bad(suspect, files.clone());
        self.notices.let_go_of_blobs().await;
        self.notices.delivered().await;
        Ok(Some((bad, files)))
    }

    /// What was kept of a blob that is out of use is not to be believed.
    pub(crate) fn forget_bad(&self, suspect: Suspect, files: Vec<FileKey>) -> BadBlob {
        let Suspect { digest, reason, .. } = suspect;
        self.checks.bad.fetch_add(1, Ordering::Relaxed);
        self.open_blobs.forget_blobs(&HashSet::from([digest]));
        for file in &files {
            self.notices.bytes(NodeId::from(Node::Entry(*file)));
        }
        let told = files.iter().take(MOST_FILES);
        let names: Vec<_> = told.map(|file| self.file_name(*file)).collect();
        let mut whose = names[..names.len().min(MOST_FILES / 10)].join(", ");
        if files.len() > MOST_FILES / 10 {
            whose = format!("{whose} and {} more", files.len() - MOST_FILES / 10);
        }
        let copied = files.iter().find_map(|file| self.copied_in(*file));
        let remedy = match copied.map(|id| self.name_of(id)) {
            None if files.is_empty() => "no file had it".to_owned(),
            None => format!("fetched anew for {whose}"),
            Some(uri) => format!(
                "wanted for {whose}; rez copied {uri} in, so if storage has not the same file, \
                 `pkgfs verify --repair` removes it and rez copies it in anew"
            ),
        };
        self.problems.tell(format!("blob {digest} was bad: {reason}; it is out of use, {remedy}"));
        let file_count = files.len() as u64;
        BadBlob { digest: digest.to_string(), reason, files: names, file_count }
    }

    async fn fetch_anew(self: &Arc<Self>, file: FileKey) -> Result<(), ViewError> {
        let (directory, index) = self.payloads.entry(file)?;
        let flight = self.fetch(&Payloads::wanted(&directory, index), Need::Whole)?;
        flight.outcome().await?;
        self.hydration.committed().await;
        self.store.content(file)?.map(drop).ok_or(ViewError::NotKept)
    }

    /// Where a file lies at origin.
    fn file_name(&self, file: FileKey) -> String {
        match self.payloads.entry(file) {
            Ok((directory, index)) => {
                Payloads::wanted(&directory, index).source.display().to_string()
            }
            Err(error) => format!("a file of a listing that is gone ({error})"),
        }
    }

    pub(crate) fn check_status(&self) -> CheckStatus {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let ended = self.store.scrub().map_or(0, |scrub| scrub.ended.secs);
        CheckStatus {
            checked: Amount { files: load(&self.checks.blobs), bytes: load(&self.checks.bytes) },
            bad: load(&self.checks.bad),
            last_pass: (ended > 0).then_some(ended),
        }
    }

    /// Checks blobs in the background for as long as the view lives.
    pub(crate) fn keep_scrubbing(self: &Arc<Self>) -> std::io::Result<()> {
        let settings = self.settings.scrub;
        if settings.bytes_per_second == 0 {
            return Ok(());
        }
        let scrubber = Scrubber {
            view: Arc::downgrade(self),
            runtime: tokio::runtime::Handle::current(),
            settings,
        };
        thread::Builder::new().name("scrub".into()).spawn(move || scrubber.run())?;
        Ok(())
    }
}

/// The background check.
struct Scrubber {
    view: Weak<View>,
    runtime: tokio::runtime::Handle,
    settings: ScrubSettings,
}

impl Scrubber {
    fn run(&self) {
        sys::stand_back();
        let mut rest = self.settings.delay;
        while self.rest(rest) {
            let Some(store) = self.view.upgrade().map(|view| Arc::clone(&view.store)) else {
                return;
            };
            rest = match self.some(&store) {
                Ok(rest) => rest,
                Err(error) => {
                    tracing::warn!(%error, "blobs could not be checked");
                    TROUBLE
                }
            };
        }
    }

    /// Checks some blobs, if it is time; tells how long to rest.
    fn some(&self, store: &Store) -> Result<Duration, StoreError> {
        let Scrub { after, ended } = store.scrub()?;
        let now = Timestamp::now();
        let since = now.secs.checked_sub(ended.secs).and_then(|since| u64::try_from(since).ok());
        // An end in the future is one of a clock that jumped.
        let wait = since.map_or(Duration::ZERO, |since| {
            self.settings.every.saturating_sub(Duration::from_secs(since))
        });
        if after.is_none() && !wait.is_zero() {
            return Ok(wait);
        }
        let batch = store.blobs_after(after, BATCH)?;
        let Some((last, _)) = batch.last().copied() else {
            store.note_scrub(&Scrub { after: None, ended: now })?;
            store.check_database()?;
            return Ok(self.settings.every);
        };
        for (digest, size) in batch {
            let verdict = store.check_blob(&digest, size, |bytes| {
                self.rest(Duration::from_secs_f64(
                    bytes as f64 / self.settings.bytes_per_second as f64,
                ))
            })?;
            let Some(view) = self.view.upgrade() else { return Ok(Duration::ZERO) };
            view.checks.note(size);
            if let Verdict::Bad(suspect) = verdict {
                self.runtime.block_on(view.take_out_of_use(suspect))?;
            }
            drop(view);
            self.rest(BREATH);
        }
        store.note_scrub(&Scrub { after: Some(last), ended })?;
        Ok(Duration::ZERO)
    }

    /// Rests; false once the view is gone.
    fn rest(&self, time: Duration) -> bool {
        let mut left = time;
        loop {
            if self.view.strong_count() == 0 {
                return false;
            }
            if left.is_zero() {
                return true;
            }
            let slice = left.min(SLICE);
            thread::sleep(slice);
            left -= slice;
        }
    }
}
