//! Memory to read into, used again: fresh memory costs more than what is read into it.

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

/// What reads past the client's cache want their memory to begin at a multiple of.
const ALIGNMENT: usize = 4096;
/// Buffers kept for the next copy.
const MOST_KEPT: usize = 8;

static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A buffer that goes back to the others when it is dropped.
pub(super) struct Buffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Buffer {
    pub(super) fn take(length: usize) -> Self {
        let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memory = kept.unwrap_or_default();
        if memory.len() < length + ALIGNMENT {
            memory = vec![0; length + ALIGNMENT];
        }
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { memory, start, length }
    }

    pub(super) fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST_KEPT {
            kept.push(mem::take(&mut self.memory));
        }
    }
}
