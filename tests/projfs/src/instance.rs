//! Running instances.

use std::{
    ffi::c_void,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, OnceLock, Weak},
};

use pkgfs_projfs_engine::{
    Code, Volume, Wide,
    notify::Mappings,
    protocol,
    provider::Gone,
    serve::Server,
    volume::{Options, Switches},
};
use windows_sys::Win32::Storage::ProjectedFileSystem::PRJ_CALLBACKS;

use crate::{
    buffers::lock,
    callbacks::{Callbacks, Data, Pointer},
    commands::Commands,
};

/// An instance: what `PRJ_NAMESPACE_VIRTUALIZATION_CONTEXT` points to. It is never freed, since a
/// provider may still complete commands of one that it has stopped.
pub(crate) struct Instance {
    pub(crate) volume: OnceLock<Arc<Volume>>,
    pub(crate) commands: Arc<Commands>,
    server: Mutex<Option<Server>>,
    address: Option<PathBuf>,
}

/// Who is where, for functions that take a path and no instance.
static RUNNING: LazyLock<Mutex<Vec<Weak<Volume>>>> = LazyLock::new(Mutex::default);

/// How an instance is to run.
pub(crate) struct Start {
    pub(crate) table: PRJ_CALLBACKS,
    pub(crate) context: Pointer,
    pub(crate) mappings: Vec<(Wide, u32)>,
    pub(crate) negative_cache: bool,
    pub(crate) threads: usize,
}

impl Instance {
    /// Starts one: the pointer that the provider knows it by.
    pub(crate) fn start(root: &Path, start: Start) -> Result<*mut c_void, Code> {
        let itself: Arc<OnceLock<Pointer>> = Arc::default();
        let cancel = start.table.CancelCommandCallback.map(|callback| {
            let (itself, context) = (Arc::clone(&itself), start.context);
            let tell = move |number: i32| {
                let Some(instance) = itself.get() else { return };
                let data = Data { path: Wide::default(), version: None, stream: 0, flags: 0 };
                data.give(number, *instance, context, |data| {
                    // SAFETY: the provider's function, with what its documentation says.
                    unsafe { callback(data) };
                    0
                });
            };
            Box::new(tell) as Box<dyn Fn(i32) + Send + Sync>
        });
        let commands = Arc::new(Commands::new(start.threads, cancel));
        let instance: &'static Self = Box::leak(Box::new(Self {
            volume: OnceLock::new(),
            commands: Arc::clone(&commands),
            server: Mutex::new(None),
            address: std::env::var_os(protocol::ADDRESS).map(PathBuf::from),
        }));
        let pointer = Pointer(std::ptr::from_ref(instance).cast_mut().cast());
        itself.set(pointer).ok();
        let callbacks =
            Callbacks { table: start.table, instance: pointer, context: start.context, commands };
        let options = Options {
            mappings: Mappings::new(start.mappings),
            negative_cache: start.negative_cache,
        };
        let volume = Volume::open(root, Arc::new(callbacks), options)?;
        lock(&RUNNING).push(Arc::downgrade(&volume));
        instance.volume.set(Arc::clone(&volume)).ok();
        if let Some(address) = &instance.address {
            let server = Server::start(volume)?;
            std::fs::write(address, server.address().to_string())?;
            *lock(&instance.server) = Some(server);
        }
        Ok(pointer.get())
    }

    /// The instance of a pointer.
    ///
    /// # Safety
    /// `pointer` is null or came from [`Instance::start`].
    pub(crate) unsafe fn of(pointer: *mut c_void) -> Option<&'static Self> {
        // SAFETY: as promised by the caller; instances are never freed.
        unsafe { pointer.cast::<Self>().as_ref() }
    }

    pub(crate) fn volume(&self) -> Result<&Arc<Volume>, Code> {
        self.volume.get().ok_or(Code::INVALID_PARAMETER)
    }

    /// Stops: programs are served no more, and no callback runs when this returns.
    pub(crate) fn stop(&self) {
        if let Some(address) = &self.address {
            std::fs::remove_file(address).ok();
        }
        if let Some(volume) = self.volume.get() {
            let released = Switches { hold_data: false, ..volume.switches() };
            volume.switch(released);
        }
        let server = lock(&self.server).take();
        if let Some(mut server) = server {
            server.stop();
        }
        self.commands.stop();
        if let Some(volume) = self.volume.get() {
            volume.leave();
            let volume = Arc::downgrade(volume);
            lock(&RUNNING).retain(|running| !running.ptr_eq(&volume));
        }
    }
}

/// The volume that a full path lies in, and the path below its root: a running one, or what a stopped
/// one has left.
pub(crate) fn volume_of(path: &Wide) -> Result<(Arc<Volume>, Wide), Code> {
    let running: Vec<Arc<Volume>> = lock(&RUNNING).iter().filter_map(Weak::upgrade).collect();
    for volume in running {
        if let Some(below) = path.below(volume.name()) {
            return Ok((volume, below));
        }
    }
    let full = PathBuf::from(path.to_string());
    for root in full.ancestors().skip(1) {
        if let Ok(volume) = Volume::open(root, Arc::new(Gone), Options::default()) {
            let below = path.below(volume.name()).ok_or(Code::PATH_NOT_FOUND)?;
            return Ok((volume, below));
        }
    }
    Err(Code::FILE_NOT_FOUND)
}
