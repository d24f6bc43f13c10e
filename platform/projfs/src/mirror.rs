//! `.sys` on disk and in the view, made equal when a root begins to be served.

use std::sync::Arc;

use pkgfs_view::{Lookup, NodeKind, Opener, Place as Listed, Timestamp, ViewError};

use crate::{ground::There, path::SYS, provider::Provider};

/// The longest file that is carried over.
const LONGEST: usize = 16 << 20;

impl Provider {
    /// Where `.sys` is not on disk it is written as the view has it. Where it is, a provider died: what
    /// rez did since then is replayed, so that disk counts.
    pub(crate) async fn mirror_sys(self: &Arc<Self>) -> Result<(), ViewError> {
        let on_disk = matches!(self.ground.there(&[SYS]), Ok(There::Directory));
        if on_disk {
            self.take_sys_in().await?;
        }
        self.write_sys(on_disk).await
    }

    async fn write_sys(self: &Arc<Self>, only_directories: bool) -> Result<(), ViewError> {
        let mut left: Vec<Vec<String>> = vec![Vec::new()];
        while let Some(below) = left.pop() {
            let place: Vec<&str> =
                std::iter::once(SYS).chain(below.iter().map(String::as_str)).collect();
            self.ground.make_directory(&place).map_err(failed)?;
            let directory = self.sys_node(&below).await?;
            let listed = self.view.list_directory(directory.node(), None).await?;
            for at in 0.. {
                let entry = match listed.place(at) {
                    Listed::Entry(entry, _) => entry,
                    Listed::Gone => continue,
                    Listed::End => break,
                };
                let Ok(name) = String::from_utf8(entry.name.into_vec()) else { continue };
                let below: Vec<String> = below.iter().cloned().chain([name]).collect();
                match entry.kind {
                    NodeKind::Directory if !only_directories || below.len() == 1 => {
                        left.push(below)
                    }
                    NodeKind::File if !only_directories => self.write_sys_file(&below).await?,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn write_sys_file(self: &Arc<Self>, below: &[String]) -> Result<(), ViewError> {
        let file = self.sys_node(below).await?;
        let attributes = self.view.attributes(file.node()).await?.attributes;
        let opener = Opener { pid: 0, all_told: false, has_bytes: false };
        let handle = self.view.open_file(file.node(), false, opener).await?;
        let bytes = self.view.read(handle, 0, LONGEST).await;
        self.view.release(handle);
        let place: Vec<&str> =
            std::iter::once(SYS).chain(below.iter().map(String::as_str)).collect();
        self.ground.write_new(&place, &bytes?, attributes.mtime).map_err(failed)
    }

    /// Replays what is on disk and not in the view, and what is in the view and not on disk.
    async fn take_sys_in(self: &Arc<Self>) -> Result<(), ViewError> {
        for area in ["pending", "to_delete", "log", ""] {
            let area: Vec<String> =
                (!area.is_empty()).then(|| area.to_owned()).into_iter().collect();
            let place: Vec<&str> =
                std::iter::once(SYS).chain(area.iter().map(String::as_str)).collect();
            let on_disk = self.ground.names(&place).map_err(failed)?;
            for name in &on_disk {
                let below: Vec<String> = area.iter().cloned().chain([name.clone()]).collect();
                let place: Vec<&str> = place.iter().copied().chain([name.as_str()]).collect();
                match self.ground.there(&place) {
                    Ok(There::Directory) => self.sys_created(&below, true, self.caller).await?,
                    Ok(There::File) if self.is_newer(&below, &place).await? => {
                        self.sys_written(&below, self.caller).await?;
                    }
                    _ => {}
                }
            }
            let Ok(directory) = self.sys_node(&area).await else { continue };
            for name in self.names_in(directory.node()).await? {
                let kept =
                    area.is_empty() && ["log", "pending", "to_delete"].contains(&name.as_str());
                if !kept && !on_disk.contains(&name) {
                    let gone = self.view.unlink(directory.node(), name.as_bytes()).await;
                    if gone.is_err() {
                        // A directory: what is in it was rez's to delete.
                        let _ = self.view.remove_directory(directory.node(), name.as_bytes()).await;
                    }
                }
            }
        }
        Ok(())
    }

    async fn is_newer(
        self: &Arc<Self>,
        below: &[String],
        place: &[&str],
    ) -> Result<bool, ViewError> {
        let Some((name, above)) = below.split_last() else { return Ok(false) };
        let above = self.sys_node(above).await?;
        let known = match self.view.lookup(above.node(), name.as_bytes(), self.caller).await? {
            Lookup::Found(found) => {
                self.view.forget(found.attributes.node, 1);
                found.attributes.mtime
            }
            Lookup::Absent(_) => Timestamp { secs: i64::MIN, nanos: 0 },
        };
        Ok(self.ground.mtime(place).is_ok_and(|on_disk| on_disk > known))
    }
}

fn failed(error: std::io::Error) -> ViewError {
    tracing::error!(%error, "the mount's directory could not be written");
    ViewError::Failed
}
