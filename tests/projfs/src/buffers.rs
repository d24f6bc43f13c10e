//! Buffers that outlive a call: aligned memory, and those that listings are filled into.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    collections::HashMap,
    ffi::c_void,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use pkgfs_projfs_engine::EntryBuffer;

/// What memory of `PrjAllocateAlignedBuffer` is aligned to.
pub(crate) const ALIGNMENT: usize = 4096;

static ALLOCATED: LazyLock<Mutex<HashMap<usize, Layout>>> = LazyLock::new(Mutex::default);
static LISTINGS: LazyLock<Mutex<HashMap<usize, Arc<Mutex<EntryBuffer>>>>> =
    LazyLock::new(Mutex::default);

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Aligned memory; null where there is none.
pub(crate) fn allocate(size: usize) -> *mut c_void {
    let Ok(layout) = Layout::from_size_align(size.max(1), ALIGNMENT) else {
        return std::ptr::null_mut();
    };
    // SAFETY: the layout has a size above zero.
    let memory = unsafe { alloc_zeroed(layout) };
    if !memory.is_null() {
        lock(&ALLOCATED).insert(memory as usize, layout);
    }
    memory.cast()
}

/// Frees what [`allocate`] gave; nothing else.
pub(crate) fn free(memory: *const c_void) {
    if let Some(layout) = lock(&ALLOCATED).remove(&(memory as usize)) {
        // SAFETY: allocated with this layout, and just taken from the table: freed once.
        unsafe { dealloc(memory.cast_mut().cast(), layout) };
    }
}

/// Makes a buffer known by the handle that a provider gets.
pub(crate) fn offer(buffer: &Arc<Mutex<EntryBuffer>>) -> *mut c_void {
    let handle = Arc::as_ptr(buffer) as usize;
    lock(&LISTINGS).insert(handle, Arc::clone(buffer));
    handle as *mut c_void
}

/// The buffer of a handle that is still good.
pub(crate) fn offered(handle: *mut c_void) -> Option<Arc<Mutex<EntryBuffer>>> {
    lock(&LISTINGS).get(&(handle as usize)).cloned()
}

/// A handle is no good any more.
pub(crate) fn withdraw(handle: *mut c_void) {
    lock(&LISTINGS).remove(&(handle as usize));
}
