//! What the provider asks of ProjFS, apart from how it is called.

use crate::{
    codes::Win32,
    commands::{Completes, Outcome},
    names::Wide,
    placeholder::{Placeholder, Version},
};

/// A stream that is being hydrated: a GUID as ProjFS gives it.
pub(crate) type Stream = [u8; 16];

/// One virtualization instance, while it runs.
pub(crate) trait Projection: Completes {
    /// Whether symbolic links can be projected: from Windows 10 version 2004 on
    /// ("PrjWritePlaceholderInfo2").
    fn has_links(&self) -> bool;

    /// Where pieces of a file must begin and end (`WriteAlignment`).
    fn alignment(&self) -> u32;

    /// `PrjWritePlaceholderInfo2`, or the older one where that is missing.
    fn write_placeholder(&self, path: &[u16], placeholder: &Placeholder) -> Outcome;

    /// `PrjWriteFileData`.
    fn write_data(&self, stream: &Stream, offset: u64, data: &[u8]) -> Outcome;

    /// `PrjDeleteFile`, also of what is read-only, was touched, or is a tombstone.
    fn delete(&self, path: &[u16]) -> Outcome;

    /// `PrjDeleteFile` of a tombstone, and of nothing else.
    fn delete_tombstone(&self, path: &[u16]) -> Outcome;

    /// `PrjMarkDirectoryAsPlaceholder` on a directory that somebody made below the root.
    fn mark_directory(&self, path: &[u16], version: &Version) -> Outcome;
}

/// What a callback is told of the request behind it.
#[derive(Clone)]
pub(crate) struct Request {
    /// The command's number.
    pub(crate) command: i32,
    /// Relative to the root.
    pub(crate) path: Wide,
    /// The process that asks.
    pub(crate) pid: u32,
    /// Of the file to be hydrated, of the directory to be listed, or of the one that holds what is
    /// looked up; `None` where ProjFS tells none.
    pub(crate) version: Option<Version>,
}

/// What happened, or is about to (`PRJ_NOTIFICATION`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Opened,
    Created,
    Overwritten,
    PreDelete,
    PreRename,
    PreSetHardlink,
    Renamed,
    HardlinkCreated,
    ClosedUnmodified,
    ClosedModified,
    ClosedDeleted,
    PreConvertToFull,
}

/// What answers ProjFS's callbacks. Nothing here may wait.
pub(crate) trait Answers: Send + Sync + 'static {
    fn start_listing(&self, request: Request, session: crate::enumeration::Session) -> Outcome;
    fn next_listing(
        &self,
        session: &crate::enumeration::Session,
        asked: crate::enumeration::Asked,
        expression: Option<&[u16]>,
        buffer: &mut dyn crate::enumeration::Buffer,
    ) -> Outcome;
    fn end_listing(&self, session: &crate::enumeration::Session);
    fn placeholder(&self, request: Request) -> Outcome;
    fn query(&self, request: Request) -> Outcome;
    fn file_data(&self, request: Request, stream: Stream, offset: u64, length: u32) -> Outcome;
    fn notify(
        &self,
        request: Request,
        directory: bool,
        event: Event,
        destination: Option<Wide>,
    ) -> Outcome;
    fn cancel(&self, command: i32);
}

/// A root without a view: nothing is there but what is on disk.
pub(crate) struct Nothing;

impl Answers for Nothing {
    fn start_listing(&self, _: Request, _: crate::enumeration::Session) -> Outcome {
        Ok(())
    }
    fn next_listing(
        &self,
        _: &crate::enumeration::Session,
        _: crate::enumeration::Asked,
        _: Option<&[u16]>,
        _: &mut dyn crate::enumeration::Buffer,
    ) -> Outcome {
        Ok(())
    }
    fn end_listing(&self, _: &crate::enumeration::Session) {}
    fn placeholder(&self, _: Request) -> Outcome {
        Err(Win32::FILE_NOT_FOUND)
    }
    fn query(&self, _: Request) -> Outcome {
        Err(Win32::FILE_NOT_FOUND)
    }
    fn file_data(&self, _: Request, _: Stream, _: u64, _: u32) -> Outcome {
        Err(Win32::PROVIDER_UNAVAILABLE)
    }
    fn notify(&self, _: Request, _: bool, _: Event, _: Option<Wide>) -> Outcome {
        Ok(())
    }
    fn cancel(&self, _: i32) {}
}
