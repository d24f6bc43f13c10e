//! A file's bytes: asked of the provider in ranges where they are not here, then on disk.

use std::time::Duration;

use crate::{
    Code, Volume,
    codes::right,
    disk,
    notify::Notification,
    provider::{Asker, Notice},
    records::{Kind, Record, State, Times},
    volume::Place,
};

/// What a sector is taken to be: requests begin and end at its multiples, or at the end of the file
/// ("PrjWriteFileData", Remarks).
pub(crate) const ALIGNMENT: u64 = 4096;
/// The most that is asked for at once, so that files come in parts.
const MOST: u64 = 128 * 1024;

impl Volume {
    /// Reads, as `ReadFile` does: fewer bytes than `length` only at the end.
    pub fn read(
        &self,
        asker: &Asker,
        handle: u64,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, Code> {
        self.may(handle, right::READ_DATA)?;
        let record = self.held(handle)?;
        if record.kind != Kind::File {
            return Err(Code::INVALID_FUNCTION);
        }
        let end = (offset + u64::from(length)).min(record.size);
        if record.state == State::Placeholder {
            self.fetch(asker, handle, offset, end)?;
        }
        let lies = self.where_held(handle)?;
        if record.size == 0 || offset >= end {
            return Ok(Vec::new());
        }
        Ok(disk::read(&lies, offset, u32::try_from(end - offset).unwrap_or(u32::MAX))?)
    }

    /// Has `start..end` of what a handle leads to come from the provider.
    fn fetch(&self, asker: &Asker, handle: u64, start: u64, end: u64) -> Result<(), Code> {
        loop {
            let record = self.held(handle)?;
            let Some((from, to)) = record.absent(start, end) else { return Ok(()) };
            if record.state != State::Placeholder {
                return Ok(());
            }
            let from = from / ALIGNMENT * ALIGNMENT;
            let to = to.next_multiple_of(ALIGNMENT).min(from + MOST).min(record.size);
            self.fetch_range(asker, &record, from, to)?;
        }
    }

    fn fetch_range(&self, asker: &Asker, record: &Record, from: u64, to: u64) -> Result<(), Code> {
        {
            let mut inside = self.inside();
            let mine = (record.id, from, to);
            if inside
                .fetching
                .iter()
                .any(|(id, start, end)| *id == record.id && *start < to && from < *end)
            {
                // Somebody else waits for it: look again when that has ended, well or not.
                drop(self.changed.wait_timeout(inside, Duration::from_millis(50)));
                return if asker.is_gone() { Err(Code::OPERATION_ABORTED) } else { Ok(()) };
            }
            inside.fetching.push(mine);
            inside.trace.push(format!("data {} {from}+{}", record.original, to - from));
        }
        let length = u32::try_from(to - from).unwrap_or(u32::MAX);
        let answer =
            self.provider.data(asker, &record.original, &record.version, record.id, from, length);
        let mut inside = self.inside();
        inside.fetching.retain(|range| *range != (record.id, from, to));
        self.changed.notify_all();
        answer?;
        let here =
            self.record_of(&mut inside, record.id).is_none_or(|now| now.absent(from, to).is_none());
        // "PRJ_GET_FILE_DATA_CB": S_OK says that all was handed in.
        if here { Ok(()) } else { Err(Code::GEN_FAILURE) }
    }

    /// The record with a number, also of what is open and has no name any more.
    pub(crate) fn record_of(&self, inside: &mut crate::volume::Inside, id: u64) -> Option<Record> {
        for handle in inside.handles.values().filter(|handle| handle.id == id) {
            match &handle.place {
                Place::Gone(record) => return Some((**record).clone()),
                Place::At(path) => {
                    if let Some(record) = inside.records.get(&path.key()) {
                        return Some(record.clone());
                    }
                }
            }
        }
        inside
            .records
            .below(&crate::Wide::default())
            .into_iter()
            .find(|record| record.id == id)
            .cloned()
    }

    /// Where the data of what a handle leads to lie.
    fn where_held(&self, handle: u64) -> Result<std::path::PathBuf, Code> {
        let inside = self.inside();
        Ok(match &inside.handles.get(&handle).ok_or(Code::INVALID_HANDLE)?.place {
            Place::At(path) => self.lies(path),
            Place::Gone(record) => inside.records.gone(record.id),
        })
    }

    fn may(&self, handle: u64, right: u32) -> Result<(), Code> {
        let inside = self.inside();
        let held = inside.handles.get(&handle).ok_or(Code::INVALID_HANDLE)?;
        if held.access & right == 0 { Err(Code::ACCESS_DENIED) } else { Ok(()) }
    }

    /// Writes, as `WriteFile` does.
    pub fn write(&self, handle: u64, offset: u64, bytes: &[u8]) -> Result<(), Code> {
        self.may(handle, right::WRITE_DATA | right::APPEND_DATA)?;
        let lies = self.where_held(handle)?;
        let appends = self.may(handle, right::WRITE_DATA).is_err();
        let offset = if appends { std::fs::metadata(&lies)?.len() } else { offset };
        disk::write(&lies, offset, bytes)?;
        self.modified(handle)
    }

    /// Sets where a file ends, as `SetEndOfFile` does.
    pub fn set_length(&self, handle: u64, length: u64) -> Result<(), Code> {
        self.may(handle, right::WRITE_DATA)?;
        disk::set_length(&self.where_held(handle)?, length)?;
        self.modified(handle)
    }

    fn modified(&self, handle: u64) -> Result<(), Code> {
        if let Some(held) = self.inside().handles.get_mut(&handle) {
            held.modified = true;
        }
        Ok(())
    }

    /// Makes a placeholder a full file, with its bytes unless they are about to go.
    pub(crate) fn convert(
        &self,
        asker: &Asker,
        item: Record,
        overwrites: bool,
    ) -> Result<Record, Code> {
        self.tell(asker, Notice::of(Notification::PreConvertToFull, &item))?;
        if !overwrites {
            self.hydrate(asker, &item)?;
        }
        let lies = self.lies(&item.path);
        if !lies.exists() {
            disk::set_length(&lies, 0)?;
        }
        let now = disk::now();
        let times = Times { change: now, ..item.times };
        let full = Record { state: State::Full, times, present: Vec::new(), ..item };
        self.inside().records.put(full.clone());
        Ok(full)
    }

    /// Has all of a file's bytes come.
    pub(crate) fn hydrate(&self, asker: &Asker, item: &Record) -> Result<(), Code> {
        loop {
            let now = match self.inside().records.get(&item.path.key()) {
                Some(record) if record.state == State::Placeholder => record.clone(),
                _ => return Ok(()),
            };
            let Some((from, to)) = now.absent(0, now.size) else { return Ok(()) };
            let to = to.min(from + MOST);
            self.fetch_range(asker, &now, from, to)?;
        }
    }
}
