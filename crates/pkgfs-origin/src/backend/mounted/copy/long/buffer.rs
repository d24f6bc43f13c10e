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

/// A buffer that is taken when it is first needed, and goes back to the others when it is
/// dropped.
#[derive(Default)]
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    /// So many bytes.
    pub(super) fn bytes(&mut self, length: usize) -> &mut [u8] {
        if self.0.is_empty() {
            self.0 = KEPT.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        }
        if self.0.len() < length + ALIGNMENT {
            self.0 = vec![0; length + ALIGNMENT];
        }
        let start = self.0.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        &mut self.0[start..start + length]
    }

    /// Nothing is read into it for a while.
    pub(super) fn give_back(&mut self) {
        let memory = mem::take(&mut self.0);
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if !memory.is_empty() && kept.len() < MOST_KEPT {
            kept.push(memory);
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.give_back();
    }
}
