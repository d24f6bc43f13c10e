//! Memory for requests that is there before the first of them.
//!
//! The kernel copies a request into the buffer of whoever asks for one. Where that process is killed
//! while the buffer's pages are still to be found, the copy fails, and whoever wrote gets `EIO`
//! instead of waiting for the next process. So the buffers that [`fuser`] makes, one for each thread,
//! are touched as far as the kernel fills them. It makes them by itself, and is known by their size.

#![allow(unsafe_code, reason = "an allocator is unsafe to implement")]

use std::alloc::{GlobalAlloc, Layout, System};

/// What fuser 0.18 receives requests in: its `MAX_WRITE_SIZE`, and a page for the headers.
const RECEIVED: usize = (16 << 20) + 4096;
/// What the kernel sends at most: 256 pages, and the headers (`FUSE_MAX_MAX_PAGES`).
const FILLED: usize = (256 + 16) * 4096;

/// The system's allocator, with such buffers made ready: for the program's `global_allocator`.
#[derive(Debug)]
pub struct ReadyBuffers;

// SAFETY: everything is the system's allocator's; what it gives is written to within its bounds.
unsafe impl GlobalAlloc for ReadyBuffers {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that are asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let buffer = unsafe { System.alloc_zeroed(layout) };
        if layout.size() == RECEIVED && !buffer.is_null() {
            for page in (0..FILLED).step_by(4096) {
                // SAFETY: `FILLED` is less than the buffer has, and nobody else has it yet.
                unsafe { buffer.add(page).write_volatile(0) };
            }
        }
        buffer
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Pages of this process that are in memory.
    fn resident() -> usize {
        let told = std::fs::read_to_string("/proc/self/statm").unwrap();
        told.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// How many pages come into memory with eight buffers of this size.
    fn made_ready(size: usize) -> usize {
        let layout = Layout::from_size_align(size, 1).unwrap();
        let before = resident();
        // SAFETY: given back below, with the same layout.
        let buffers = [(); 8].map(|()| unsafe { ReadyBuffers.alloc_zeroed(layout) });
        let after = resident();
        // SAFETY: as above.
        buffers.iter().for_each(|buffer| unsafe { ReadyBuffers.dealloc(*buffer, layout) });
        after.saturating_sub(before)
    }

    #[test]
    fn the_buffers_of_requests_are_there_before_they_are_filled_and_others_are_not() {
        let pages = FILLED / 4096;
        assert!(made_ready(RECEIVED) >= 7 * pages);
        assert!(made_ready(RECEIVED + 4096) < pages);
    }
}
