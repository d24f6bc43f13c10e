//! Reading a file whole, in one state.
//!
//! One byte more than expected is asked for, so that a file which grew shows it and
//! one which did not needs no further read to find its end. A small file costs an
//! open and a read, and the check of its state after that is normally answered by
//! what the open brought. What is longer than one read is copied by [`long`].

mod long;

use std::{fs::File, io, ops::Range, path::Path};

use crate::{
    CHUNK, Cause, Failure, Fetched, NameKind, Rest,
    backend::{Ask, Observer, Operation},
    sys::storage,
};
use pkgfs_manifest::{BlobDigest, FileState};

pub(super) fn fetch(
    path: &Path,
    expected: FileState,
    into: &File,
    rest: Rest,
    on: &dyn Observer,
) -> Result<Fetched, Failure> {
    copy(path, expected, into, rest, on).map_err(changed_where_no_file_is(path, on))
}

/// What took a file's place fails in ways of its own when it is opened or read.
fn changed_where_no_file_is<'a>(
    path: &'a Path,
    on: &'a dyn Observer,
) -> impl Fn(Failure) -> Failure + 'a {
    move |failure| match failure.cause {
        Cause::NotADirectory => Failure::new(path, Cause::Changed),
        Cause::Io(_) | Cause::IsADirectory if is_no_file(path, on) => {
            Failure::new(path, Cause::Changed)
        }
        _ => failure,
    }
}

/// Whether storage says so: one that does not answer has not changed.
fn is_no_file(path: &Path, on: &dyn Observer) -> bool {
    on.count(Operation::Stat);
    storage::find_itself(path).is_ok_and(|found| found.name_kind() != NameKind::File)
}

fn copy(
    path: &Path,
    expected: FileState,
    into: &File,
    rest: Rest,
    on: &dyn Observer,
) -> Result<Fetched, Failure> {
    let mut source = Source::open(path, on)?;
    if expected.size > CHUNK {
        return long::fetch(&source, expected, into, rest);
    }
    let mut buffer = vec![0; (expected.size + 1) as usize];
    let mut hasher = blake3::Hasher::new();
    while let Some(bytes) = source.next(&mut buffer, expected.size)? {
        hasher.update(bytes);
        let offset = source.offset - bytes.len() as u64;
        write(into, bytes, offset).map_err(|error| source.not_kept(&error))?;
        if on.is_cancelled() {
            return Err(source.failure(Cause::Cancelled));
        }
    }
    source.must_be(expected, if source.reads > 1 { Ask::Storage } else { Ask::Client })?;
    let digest = BlobDigest::from_bytes(*hasher.finalize().as_bytes());
    Ok(Fetched { digest, size: source.offset })
}

pub(super) fn read(
    path: &Path,
    limit: u64,
    on: &dyn Observer,
) -> Result<(Vec<u8>, FileState), Failure> {
    let mut source = Source::open(path, on)?;
    let (kind, state) = source.state(Ask::Client)?;
    match kind {
        NameKind::File if state.size <= limit => {}
        NameKind::File => return Err(source.failure(Cause::TooLarge)),
        NameKind::Directory => return Err(source.failure(Cause::IsADirectory)),
        // Whoever asks for a fifo's content has seen a file there.
        _ => return Err(source.failure(Cause::Changed)),
    }
    let mut buffer = vec![0; (state.size + 1).min(CHUNK) as usize];
    let mut content = Vec::new();
    while let Some(bytes) = source.next(&mut buffer, state.size)? {
        content.extend_from_slice(bytes);
    }
    source.must_be(state, if source.reads > 1 { Ask::Storage } else { Ask::Client })?;
    on.done_with(source.file);
    Ok((content, state))
}

pub(super) fn read_at(
    path: &Path,
    expected: FileState,
    bytes: Range<u64>,
    on: &dyn Observer,
) -> Result<Vec<u8>, Failure> {
    read_part(path, expected, bytes, on).map_err(changed_where_no_file_is(path, on))
}

fn read_part(
    path: &Path,
    expected: FileState,
    bytes: Range<u64>,
    on: &dyn Observer,
) -> Result<Vec<u8>, Failure> {
    let source = Source::open(path, on)?;
    source.must_be(expected, Ask::Client)?;
    let mut content = vec![0; bytes.end.saturating_sub(bytes.start) as usize];
    let mut filled = 0;
    while filled < content.len() {
        let at = bytes.start + filled as u64;
        let got = storage::read_at(&source.file, &mut content[filled..], at)
            .map_err(Failure::at(path))?;
        on.count(Operation::Read(got as u64));
        if got == 0 {
            return Err(source.failure(Cause::Changed));
        }
        filled += got;
    }
    source.must_be(expected, Ask::Storage)?;
    on.done_with(source.file);
    Ok(content)
}

/// A file at origin, read from beginning to end.
struct Source<'a> {
    path: &'a Path,
    on: &'a dyn Observer,
    file: File,
    offset: u64,
    reads: u64,
    ended: bool,
}

impl<'a> Source<'a> {
    fn open(path: &'a Path, on: &'a dyn Observer) -> Result<Self, Failure> {
        on.count(Operation::Open);
        let file = storage::open_file(path).map_err(Failure::at(path))?;
        Ok(Self { path, on, file, offset: 0, reads: 0, ended: false })
    }

    fn failure(&self, cause: Cause) -> Failure {
        Failure::new(self.path, cause)
    }

    /// The file that should take the bytes did not.
    fn not_kept(&self, error: &io::Error) -> Failure {
        self.failure(Cause::Destination(error.raw_os_error().unwrap_or(storage::FAILED)))
    }

    fn state(&self, ask: Ask) -> Result<(NameKind, FileState), Failure> {
        self.on.count(Operation::Stat);
        storage::state(&self.file, ask).map_err(Failure::at(self.path))
    }

    fn must_be(&self, expected: FileState, ask: Ask) -> Result<(), Failure> {
        let (kind, state) = self.state(ask)?;
        let same = kind == NameKind::File && state == expected;
        if same { Ok(()) } else { Err(self.failure(Cause::Changed)) }
    }

    /// The next bytes of a file of `size` bytes, or nothing at its end. An end that
    /// comes sooner or later than that is a change.
    fn next<'b>(&mut self, buffer: &'b mut [u8], size: u64) -> Result<Option<&'b [u8]>, Failure> {
        if self.ended {
            return Ok(None);
        }
        // Cannot be 0: the end is noticed with or before the byte after the last.
        let want = (size + 1 - self.offset).min(buffer.len() as u64) as usize;
        let got = storage::read_at(&self.file, &mut buffer[..want], self.offset)
            .map_err(Failure::at(self.path))?;
        self.on.count(Operation::Read(got as u64));
        self.reads += 1;
        self.offset += got as u64;
        if self.offset > size || (got == 0 && self.offset < size) {
            return Err(self.failure(Cause::Changed));
        }
        self.ended = self.offset == size && got < want;
        if got == 0 { Ok(None) } else { Ok(Some(&buffer[..got])) }
    }
}

/// Bytes written at a time. Longer writes get larger pages from the kernel, and where memory
/// is lent by a host those are often not there yet: twice as slow on such machines.
const SLICE: usize = 32 << 10;

fn write(into: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let slice = &bytes[..bytes.len().min(SLICE)];
        let done = storage::write_at(into, slice, offset)?;
        if done == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[done..];
        offset += done as u64;
    }
    Ok(())
}
