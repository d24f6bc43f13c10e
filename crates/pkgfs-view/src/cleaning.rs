//! What nobody needs any more, taken away on demand: what rez's own clean takes
//! (`PackageCache.clean` in package_cache.py), and what only the store knows of.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use pkgfs_manifest::Timestamp;
use pkgfs_rez::VariantHandle;
use pkgfs_store::{Reclaimed, StoreError};
use serde::{Deserialize, Serialize};

use crate::{
    View, ViewError,
    node::Node,
    registry::{LevelPath, Slot},
    view::blocking,
};

/// rez takes up what is pending within seconds; what lies there for longer than this is left
/// over, whatever it holds.
const PENDING: Duration = Duration::from_secs(24 * 3600);

/// What was taken away, or could be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanReport {
    /// Nothing was done.
    pub dry_run: bool,
    /// Copies of rez that stalled, by URI.
    pub stalled: Vec<String>,
    /// Variants that nobody has used for rez's `package_cache_max_variant_days`, by URI.
    pub unused: Vec<String>,
    /// Names in `.sys/to_delete`.
    pub to_delete: Vec<String>,
    /// Names in `.sys/pending` of what is registered already or was never taken up.
    pub pending: Vec<String>,
    /// Blobs that no variant refers to, those of the variants above included.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Partial files that nobody fills.
    pub partial_files: u64,
    /// Their bytes.
    pub partial_bytes: u64,
    /// What could not be taken away, each with the reason.
    pub failed: Vec<String>,
}

impl View {
    /// Takes away what nobody needs; only tells of it if `dry_run`. Pinned variants and those
    /// with open files stay.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn clean(self: &Arc<Self>, dry_run: bool) -> Result<CleanReport, ViewError> {
        let mut report = CleanReport { dry_run, ..CleanReport::default() };
        let before = self.store.usage();
        let mut leaving = Vec::new();
        let open = self.handles.registrations();
        let mut walk = self.walk(None);
        let leaves = |_: &LevelPath, slot: &Slot| {
            let registration = slot.registration?;
            let stalled = self.is_stalled(slot);
            let leaves = stalled || self.is_unused(slot) && !open.contains(&registration);
            leaves.then(|| (registration, stalled, slot.uri()))
        };
        while let Some(page) = walk.next(leaves)? {
            for (registration, stalled, uri) in page {
                if stalled { &mut report.stalled } else { &mut report.unused }.push(uri);
                leaving.push(registration);
            }
        }
        report.stalled.sort();
        report.unused.sort();
        if dry_run {
            let store = Arc::clone(&self.store);
            let (blobs, bytes) = blocking(move || store.owned_alone(&leaving)).await?;
            report.blobs = blobs;
            report.blob_bytes = bytes;
        } else {
            // No tombstones: who looks for one of them again finds it again.
            for registration in leaving {
                let id = self.registry.lock().of_registration(registration);
                let Some(id) = id else { continue };
                if let Err(error) = self.take_away(id, false).await {
                    report.failed.push(format!("{}: {error}", self.name_of(id)));
                }
            }
            self.notices.delivered().await;
            let after = self.store.usage();
            report.blobs = before.blobs.saturating_sub(after.blobs);
            report.blob_bytes = before.blob_bytes.saturating_sub(after.blob_bytes);
        }
        let sys = self.store.sys_dir();
        let (store, view) = (Arc::clone(&self.store), Arc::clone(self));
        let (report, reclaimed) = blocking(move || {
            clean_to_delete(&sys.join("to_delete"), &mut report)?;
            clean_pending(&sys.join("pending"), |handle| view.is_ready(handle), &mut report)?;
            Ok::<_, StoreError>((report, store.reclaim(dry_run)?))
        })
        .await?;
        self.open_blobs.close();
        for directory in ["sys/to_delete", "sys/pending"] {
            self.notices.listing(Node::Writable(self.writable.node_of(directory.as_ref())).into());
        }
        let Reclaimed { blobs, blob_bytes, partial_files, partial_bytes } = reclaimed;
        Ok(CleanReport {
            blobs: report.blobs + blobs,
            blob_bytes: report.blob_bytes + blob_bytes,
            partial_files,
            partial_bytes,
            ..report
        })
    }

    /// By the later of the json's time and the payload's last use, as rez goes by.
    fn is_unused(&self, slot: &Slot) -> bool {
        let days = self.settings.rez.package_cache_max_variant_days;
        // A negative number would take all at once; rez's 0 is "never", and so is that here.
        if slot.pinned || !slot.payload.is_tree() || days.is_nan() || days <= 0.0 {
            return false;
        }
        let since = Timestamp::now().secs.saturating_sub(slot.shown_mtime().secs);
        since as f64 > days * 86_400.0
    }

    /// Whether the variant of this handle is registered and complete.
    fn is_ready(&self, handle: &VariantHandle) -> Result<bool, StoreError> {
        let mut registry = self.registry.lock();
        let id = registry.of_handle(&handle.to_json())?;
        Ok(id.and_then(|id| registry.slot(id)).is_some_and(|slot| slot.payload.is_tree()))
    }
}

fn names(directory: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let failed = |source| StoreError::Io { action: "list", path: directory.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        names.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    names.sort();
    Ok(names)
}

fn clean_to_delete(directory: &Path, report: &mut CleanReport) -> Result<(), StoreError> {
    for (name, path) in names(directory)? {
        if !report.dry_run {
            let is_dir = path.symlink_metadata().is_ok_and(|data| data.is_dir());
            let gone = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            if !told(gone, &path, report) {
                continue;
            }
        }
        report.to_delete.push(name);
    }
    Ok(())
}

fn clean_pending(
    directory: &Path,
    is_ready: impl Fn(&VariantHandle) -> Result<bool, StoreError>,
    report: &mut CleanReport,
) -> Result<(), StoreError> {
    for (name, path) in names(directory)? {
        let Ok(data) = path.symlink_metadata() else { continue };
        if !data.is_file() {
            continue;
        }
        let age = data.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        let small = data.len() <= pkgfs_rez::registration::MAX_BYTES as u64;
        let text = small.then(|| fs::read(&path).ok()).flatten();
        let handle = text.and_then(|text| pkgfs_rez::registration::parse_pending(&text).ok());
        let known = handle.map(|handle| is_ready(&handle)).transpose()?.unwrap_or(false);
        if !known && age.is_none_or(|age| age < PENDING) {
            continue;
        }
        if report.dry_run || told(fs::remove_file(&path), &path, report) {
            report.pending.push(name);
        }
    }
    Ok(())
}

/// Whether it is gone; why not is told.
fn told(gone: io::Result<()>, path: &Path, report: &mut CleanReport) -> bool {
    match gone {
        Ok(()) => true,
        // rez was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => {
            report.failed.push(format!("{}: {error}", path.display()));
            false
        }
    }
}
