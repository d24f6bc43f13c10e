//! Bytes of files, when somebody reads them.
//!
//! ProjFS asks for a range, mostly for all of a file, and waits until `PrjWriteFileData` was given all
//! of it. Pieces are read in parallel and written in order; how many may be in memory is bounded over
//! all readers. What is read is what the placeholder's version names, so a tree that was replaced
//! meanwhile gives no byte of the new one.

use std::sync::Arc;

use futures::{StreamExt, stream};
use pkgfs_view::{HandleId, Opener, View, ViewError};

use crate::{
    codes::{Win32, win32},
    commands::Outcome,
    projection::{Request, Stream},
    provider::Provider,
    ranges::pieces,
};

/// Pieces of one file that are read at once.
const AT_ONCE: usize = 4;

/// Memory for pieces is counted in so many bytes, so that many small files do not wait for few large.
const UNIT: u64 = 4096;
/// Of all pieces that are read or written, over all readers: 256 MiB.
pub(crate) const MOST_UNITS: u32 = 1 << 16;

/// Lets go of a handle however its reader ends.
struct Open {
    view: Arc<View>,
    handle: HandleId,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.view.release(self.handle);
    }
}

impl Provider {
    pub(crate) async fn hydrate(
        self: Arc<Self>,
        request: Request,
        stream_id: Stream,
        offset: u64,
        length: u64,
    ) -> Outcome {
        if self.is_closing() {
            return Err(Win32::PROVIDER_UNAVAILABLE);
        }
        let node = match &request.version {
            Some(version) => version.node(self.life).ok_or(Win32::FILE_INVALID)?,
            None => self.payload_at(&request).await?.ok_or(Win32::FILE_NOT_FOUND)?,
        };
        let failed = |error: ViewError| win32(&error);
        let size = self.view.attributes(node).await.map_err(failed)?.attributes.size;
        let opener = Opener { pid: request.pid, all_told: false, has_bytes: false };
        let handle = self.view.open_file(node, false, opener).await.map_err(failed)?;
        let open = Arc::new(Open { view: Arc::clone(&self.view), handle });
        let all = pieces(offset, length, size, self.projection.alignment());
        let mut read = stream::iter(all)
            .map(|piece| {
                let (open, room) = (Arc::clone(&open), Arc::clone(&self.pieces));
                async move {
                    // Held until the piece is written.
                    let units = u32::try_from((piece.end - piece.start).div_ceil(UNIT));
                    let units = units.map_or(u32::MAX, |units| units.min(MOST_UNITS));
                    let room = room.acquire_many_owned(units).await;
                    let room = room.map_err(|_| Win32::OPERATION_ABORTED)?;
                    let wanted = usize::try_from(piece.end - piece.start).unwrap_or(usize::MAX);
                    let read = open.view.read(open.handle, piece.start, wanted).await;
                    let bytes = read.map_err(failed)?;
                    if bytes.len() == wanted {
                        Ok((piece.start, bytes, room))
                    } else {
                        // The file is shorter than what was listed.
                        Err(Win32::FILE_INVALID)
                    }
                }
            })
            .buffered(AT_ONCE);
        while let Some(piece) = read.next().await {
            let (at, bytes, room) = piece?;
            self.projection.write_data(&stream_id, at, &bytes)?;
            drop(room);
        }
        Ok(())
    }
}
