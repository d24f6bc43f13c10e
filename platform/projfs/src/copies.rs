//! rez's own copy of a variant, taken into the view when it is whole.
//!
//! rez copies into a real directory `<inc>`; nothing of that is replayed file by file. When it is about
//! to delete `.copying-<inc>`, all files are there: they are handed to the view, which seals them, and a
//! link takes the directory's place. rez's delete waits for the first of these, and fails with it.

use std::{fs, io::Read, path::PathBuf, sync::Arc};

use pkgfs_view::{Caller, Change, Lookup, NodeId, NodeKind, Timestamp, ViewError};

use crate::{
    codes::win32_for_rez, commands::Outcome, names::read_back, path::Level, provider::Provider,
};

/// Read and written at once.
const PIECE: u64 = 1 << 20;

/// What lies in a directory of a copy.
struct Copied {
    name: Vec<u8>,
    path: PathBuf,
    directory: bool,
    mtime: Timestamp,
}

impl Provider {
    /// Hands a copy that is whole to the view.
    pub(crate) async fn take_copy_in(
        self: &Arc<Self>,
        level: &Level,
        stem: &str,
        pid: u32,
    ) -> Outcome {
        let root = self.ground.path(&[&level.name, &level.version, &level.h4, stem]);
        let taken = async {
            let node = self.level_node(level).await?;
            let found = self.view.lookup(node, stem.as_bytes(), self.caller(pid)).await?;
            let Lookup::Found(found) = found else { return Ok(()) };
            let staging = found.attributes.node;
            // Sealed already: the delete is tried again.
            if !staging.is_writable() {
                return Ok(());
            }
            let taken = self.take_in(staging, root, self.caller(pid)).await;
            self.view.forget(staging, 1);
            taken
        };
        taken.await.map_err(|error: ViewError| {
            self.view.tell(format!("{level}\\{stem}: rez's copy could not be taken in: {error}"));
            win32_for_rez(&error)
        })
    }

    async fn take_in(
        self: &Arc<Self>,
        staging: NodeId,
        root: PathBuf,
        caller: Caller,
    ) -> Result<(), ViewError> {
        let mut left = vec![(staging, root)];
        while let Some((directory, path)) = left.pop() {
            let _doing = self.own_doing(&path);
            let entries = tokio::task::spawn_blocking(move || list(&path)).await;
            let entries = entries.map_err(|_| ViewError::Failed)?.map_err(failed)?;
            for entry in entries {
                if entry.directory {
                    let made =
                        self.view.make_directory(directory, &entry.name, 0o755, caller).await;
                    let node = match made {
                        Ok(found) => found.attributes.node,
                        // Of an attempt before.
                        Err(ViewError::Exists) => self.known(directory, &entry.name).await?,
                        Err(error) => return Err(error),
                    };
                    left.push((node, entry.path));
                } else {
                    self.take_file_in(directory, entry, caller).await?;
                }
            }
        }
        Ok(())
    }

    async fn known(self: &Arc<Self>, above: NodeId, name: &[u8]) -> Result<NodeId, ViewError> {
        match self.view.lookup(above, name, self.caller).await? {
            Lookup::Found(found) if found.attributes.kind == NodeKind::Directory => {
                Ok(found.attributes.node)
            }
            _ => Err(ViewError::Failed),
        }
    }

    async fn take_file_in(
        self: &Arc<Self>,
        directory: NodeId,
        entry: Copied,
        caller: Caller,
    ) -> Result<(), ViewError> {
        let Copied { name, path, mtime, .. } = entry;
        let made = self.view.create_file(directory, &name, 0o644, false, caller).await?;
        let (node, handle) = (made.0.attributes.node, made.1);
        let taken = async {
            let emptied = Change { size: Some(0), ..Change::default() };
            self.view.change(node, emptied).await?;
            let mut file = fs::File::open(&path).map_err(failed)?;
            let mut at = 0;
            loop {
                let read = tokio::task::spawn_blocking(move || {
                    let mut piece = Vec::new();
                    let read = (&mut file).take(PIECE).read_to_end(&mut piece);
                    read.map(|_| (file, piece))
                });
                let read = read.await.map_err(|_| ViewError::Failed)?;
                let (again, piece) = read.map_err(failed)?;
                if piece.is_empty() {
                    break;
                }
                file = again;
                at += self.view.write(handle, at, &piece).await? as u64;
            }
            let dated = Change { mtime: Some(mtime), ..Change::default() };
            self.view.change(node, dated).await.map(drop)
        };
        let taken = taken.await;
        self.view.release(handle);
        self.view.forget(node, 1);
        taken
    }

    fn own_doing(&self, path: &std::path::Path) -> Option<crate::own::Doing> {
        let below = path.strip_prefix(self.ground.root()).ok()?;
        let names: Option<Vec<&str>> = below.iter().map(std::ffi::OsStr::to_str).collect();
        names.map(|names| self.own.doing(&names, crate::own::What::Look))
    }
}

fn failed(error: std::io::Error) -> ViewError {
    tracing::warn!(%error, "a copy could not be read");
    match error.kind() {
        std::io::ErrorKind::NotFound => ViewError::NotFound,
        std::io::ErrorKind::PermissionDenied => ViewError::Denied,
        _ => ViewError::Failed,
    }
}

/// What lies in a directory of a copy. Links, which rez does not make, are passed over.
fn list(path: &std::path::Path) -> std::io::Result<Vec<Copied>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let data = entry.metadata()?;
        if data.file_type().is_symlink() {
            continue;
        }
        // rez copied what the view shows escaped, if it read it here.
        let units: Vec<u16> = entry.file_name().to_string_lossy().encode_utf16().collect();
        let Some(name) = read_back(&units) else { continue };
        let since = data.modified()?.duration_since(std::time::SystemTime::UNIX_EPOCH);
        let since = since.unwrap_or_default();
        let mtime = Timestamp { secs: since.as_secs().cast_signed(), nanos: since.subsec_nanos() };
        all.push(Copied { name, path: entry.path(), directory: data.is_dir(), mtime });
    }
    Ok(all)
}
