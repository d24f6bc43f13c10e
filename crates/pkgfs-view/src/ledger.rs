//! What numbers mean, written down where it outlives the process.
//!
//! A platform goes on naming files by the numbers it was given, also when the process that gave them
//! has died and another has taken over. What only memory knows of a number (the path of a registry
//! directory, the slot, the writable file) is therefore noted in a *ledger*: a file that somebody
//! else keeps open, too. Records are appended; when those that were overtaken outweigh those that
//! hold, the latter are written once more behind them and declared the beginning.
//!
//! ```text
//! 0..8   where the first record that holds lies, little-endian; u64::MAX: given up
//! then   length, u32 | first 4 bytes of the record's BLAKE3 | the record, in postcard
//! ```
//! Invariant: a number is noted before it is told. A process that is killed leaves whole records, and
//! one torn at most: the last, of which nobody was told.

use std::{
    fs::File,
    io::{self, ErrorKind},
    marker::PhantomData,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::sys;

/// Where records begin in a new ledger.
const HEAD: u64 = 8;
/// A ledger that cannot be written any more says so here.
const GIVEN_UP: u64 = u64::MAX;
/// Below this a ledger is never too long.
const SHORT: u64 = 1 << 20;

/// The files in which a view notes what its numbers mean, and how many processes did so before.
#[derive(Debug)]
pub struct Succession {
    /// 0 for the process that made the files.
    pub life: u16,
    /// Of the registry.
    pub registry: File,
    /// Of the files that rez writes.
    pub writable: File,
}

/// Notes of one kind.
pub(crate) struct Ledger<R> {
    file: File,
    start: u64,
    end: u64,
    /// Bytes that held when they were last written anew.
    held: u64,
    of: PhantomData<fn(R) -> R>,
}

impl<R: Serialize + DeserializeOwned> Ledger<R> {
    /// A ledger, with what an earlier process noted in it.
    pub(crate) fn open(file: File) -> io::Result<(Self, Vec<R>)> {
        let length = file.metadata()?.len();
        let start = if length < HEAD {
            sys::write_all_at(&file, &HEAD.to_le_bytes(), 0)?;
            HEAD
        } else {
            let mut start = [0; 8];
            sys::read_exact_at(&file, &mut start, 0)?;
            u64::from_le_bytes(start)
        };
        if start == GIVEN_UP || start > length.max(HEAD) {
            return Err(io::Error::new(ErrorKind::InvalidData, "what was noted is not whole"));
        }
        let mut bytes = vec![0; usize::try_from(length.saturating_sub(start)).unwrap_or_default()];
        sys::read_exact_at(&file, &mut bytes, start)?;
        let (mut records, mut rest) = (Vec::new(), bytes.as_slice());
        while let Some((record, after)) = first(rest) {
            records.push(record);
            rest = after;
        }
        let end = start + (bytes.len() - rest.len()) as u64;
        Ok((Self { file, start, end, held: end - start, of: PhantomData }, records))
    }

    /// Notes something.
    pub(crate) fn note(&mut self, record: &R) {
        let written = framed(record).and_then(|frame| {
            sys::write_all_at(&self.file, &frame, self.end)?;
            Ok(frame.len() as u64)
        });
        match written {
            Ok(length) => self.end += length,
            Err(error) => self.give_up(&error),
        }
    }

    /// Whether writing what holds anew is worth its while.
    pub(crate) fn is_long(&self) -> bool {
        self.end - self.start > SHORT.max(4 * self.held)
    }

    /// Replaces all that was noted.
    pub(crate) fn begin_anew(&mut self, records: impl IntoIterator<Item = R>) {
        let start = self.end;
        records.into_iter().for_each(|record| self.note(&record));
        match sys::write_all_at(&self.file, &start.to_le_bytes(), 0) {
            Ok(()) => {
                let former = std::mem::replace(&mut self.start, start);
                self.held = self.end - start;
                self.free(former, start);
            }
            Err(error) => self.give_up(&error),
        }
    }

    /// Gives the room of what was overtaken back. Whole pages go; where none can, nothing is lost.
    fn free(&self, from: u64, to: u64) {
        let from = from.max(HEAD).next_multiple_of(4096);
        if from < to {
            let _ = sys::punch(&self.file, from..to);
        }
    }

    /// Half of what numbers mean is worse than none of it: nobody takes over then.
    fn give_up(&self, error: &io::Error) {
        tracing::error!(%error, "numbers cannot be noted; no other process can take over from this one");
        let _ = sys::write_all_at(&self.file, &GIVEN_UP.to_le_bytes(), 0);
    }
}

fn framed<R: Serialize>(record: &R) -> io::Result<Vec<u8>> {
    let record = postcard::to_stdvec(record).map_err(io::Error::other)?;
    let length = u32::try_from(record.len()).map_err(io::Error::other)?;
    let mut frame = length.to_le_bytes().to_vec();
    frame.extend_from_slice(&blake3::hash(&record).as_bytes()[..4]);
    frame.extend_from_slice(&record);
    Ok(frame)
}

/// The first record, and what follows it; none where it is torn.
fn first<R: DeserializeOwned>(bytes: &[u8]) -> Option<(R, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (check, rest) = rest.split_first_chunk::<4>()?;
    let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let whole = !record.is_empty() && blake3::hash(record).as_bytes()[..4] == *check;
    Some((postcard::from_bytes(record).ok().filter(|_| whole)?, rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn opened(file: &File) -> (Ledger<String>, Vec<String>) {
        Ledger::open(file.try_clone().unwrap()).unwrap()
    }

    #[test]
    fn what_was_noted_is_found_by_who_comes_next() {
        let file = tempfile::tempfile().unwrap();
        let (mut ledger, none) = opened(&file);
        assert!(none.is_empty());
        ["one", "", "three"].iter().for_each(|text| ledger.note(&(*text).to_owned()));
        let (mut ledger, noted) = opened(&file);
        assert_eq!(noted, ["one", "", "three"]);
        ledger.note(&"four".to_owned());
        assert_eq!(opened(&file).1, ["one", "", "three", "four"]);
    }

    #[test]
    fn a_record_that_is_torn_is_none_and_the_next_takes_its_place() {
        let file = tempfile::tempfile().unwrap();
        opened(&file).0.note(&"whole".to_owned());
        let length = file.metadata().unwrap().len();
        opened(&file).0.note(&"torn".to_owned());
        for torn in length..file.metadata().unwrap().len() {
            file.set_len(torn).unwrap();
            let (mut ledger, noted) = opened(&file);
            assert_eq!(noted, ["whole"]);
            ledger.note(&"torn".to_owned());
            assert_eq!(opened(&file).1, ["whole", "torn"]);
        }
    }

    #[test]
    fn a_long_ledger_is_begun_anew() {
        let file = tempfile::tempfile().unwrap();
        let (mut ledger, _) = opened(&file);
        while !ledger.is_long() {
            ledger.note(&"overtaken".repeat(100));
        }
        ledger.begin_anew(["holds".to_owned()]);
        assert!(!ledger.is_long());
        ledger.note(&"and more".to_owned());
        assert_eq!(opened(&file).1, ["holds", "and more"]);
    }

    #[test]
    fn a_ledger_that_was_given_up_is_refused() {
        let file = tempfile::tempfile().unwrap();
        opened(&file).0.give_up(&io::ErrorKind::StorageFull.into());
        assert!(Ledger::<String>::open(file).is_err());
    }
}
