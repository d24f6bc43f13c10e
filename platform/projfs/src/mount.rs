//! A root that is served: started, told of changes, unmounted.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use pkgfs_view::{Caches, NodeId, View};
use tokio::{runtime::Handle, sync::watch};

use crate::{
    api::Api,
    error::MountError,
    ground::{Ground, Links},
    instance::{Instance, Native},
    own::Own,
    path::{SYS, TREES},
    projection::{Nothing, Projection},
    provider::{Parts, Provider},
    record::{RECORD, Record},
    trees::sweep,
};

/// How long requests under way may take before an unmount gives them up.
const DRAIN: Duration = Duration::from_secs(10);

/// How a root is served.
#[derive(Debug, Clone, Copy)]
pub struct MountOptions {
    /// Threads that ProjFS calls on at once. None of them ever waits for origin.
    pub threads: usize,
}

/// What lies at a path that is to be mounted.
#[derive(Debug)]
pub enum RootState {
    /// Nothing.
    Missing,
    /// An empty directory.
    EmptyDirectory,
    /// A directory with something in it.
    NonEmptyDirectory,
    /// No directory.
    NotADirectory,
    /// A root of ours, served or left behind.
    Root,
    /// A root of another provider.
    OtherRoot,
    /// It cannot be told.
    Unreadable {
        /// Why.
        reason: String,
    },
}

/// What lies at a path.
#[must_use]
pub fn state_of(root: &Path) -> RootState {
    use std::os::windows::fs::MetadataExt;
    /// `FILE_ATTRIBUTE_REPARSE_POINT`
    const REPARSE: u32 = 0x400;
    let data = match fs::symlink_metadata(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return RootState::Missing,
        Err(error) => return RootState::Unreadable { reason: error.to_string() },
        Ok(data) => data,
    };
    if !data.is_dir() {
        return RootState::NotADirectory;
    }
    match Record::read(root) {
        Ok(Some(_)) => return RootState::Root,
        Err(error) => return RootState::Unreadable { reason: error.to_string() },
        Ok(None) => {}
    }
    if data.file_attributes() & REPARSE != 0 {
        return RootState::OtherRoot;
    }
    match fs::read_dir(root).map(|mut entries| entries.next().is_none()) {
        Ok(true) => RootState::EmptyDirectory,
        Ok(false) => RootState::NonEmptyDirectory,
        Err(error) => RootState::Unreadable { reason: error.to_string() },
    }
}

/// A view that is shown in a root.
pub struct Mount {
    root: PathBuf,
    provider: Arc<Provider>,
    instance: Arc<Instance>,
    ended: watch::Sender<bool>,
    /// Kept for as long as programs may have to be told something.
    _caches: Arc<Told>,
}

impl Mount {
    /// Serves the view in an existing directory. One that was served before is taken over, with what
    /// its provider left.
    ///
    /// # Errors
    /// Each variant of [`MountError`] says what stands in the way and what to do.
    pub fn start(
        view: Arc<View>,
        root: &Path,
        options: MountOptions,
        runtime: Handle,
    ) -> Result<Self, MountError> {
        let api = Api::load()?;
        let root = absolute(root)?;
        let io = |action| {
            let path = root.clone();
            move |source| MountError::Io { action, path, source }
        };
        let record = Record::begin_life(&root).map_err(io("write the mount's record in"))?;
        Instance::mark(&api, &root, record.instance)?;
        let (own, instance) =
            (Arc::<Own>::default(), Instance::new(api, root.clone(), record.instance));
        let parts = Parts {
            view: Arc::clone(&view),
            projection: Arc::clone(&instance) as Arc<dyn Projection>,
            ground: Ground::new(root.clone(), Box::new(Junctions), Arc::clone(&own)),
            own,
            rules: Arc::new(Native(api)),
            runtime: runtime.clone(),
            life: record.life,
        };
        let failed = |source| MountError::View { mountpoint: root.clone(), source };
        let provider = Provider::new(parts).map_err(failed)?;
        instance.start(Box::new(Arc::clone(&provider)), options.threads.max(1))?;
        let caches = Arc::new(Told { provider: Arc::clone(&provider), runtime: runtime.clone() });
        view.add_caches(Arc::downgrade(&(Arc::clone(&caches) as Arc<dyn Caches>)));
        let started = runtime.block_on(async {
            provider.mirror_sys().await?;
            provider.settle_leavings().await;
            Ok(())
        });
        if let Err(source) = started {
            instance.stop();
            return Err(failed(source));
        }
        provider.retire_leavings();
        let ended = watch::Sender::new(false);
        Ok(Self { root, provider, instance, ended, _caches: caches })
    }

    /// Becomes true when the root is served no more.
    #[must_use]
    pub fn ended(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    /// How files are served, for `status`.
    #[must_use]
    pub fn mode(&self) -> Mode {
        Mode::ProjFs
    }

    /// Takes away all that was shown, and serves no more. What is open is in the way, and then all goes
    /// on as before; with `lazy` it is left behind, readable as far as it was read, for the next mount or
    /// [`clear`] to take away.
    ///
    /// # Errors
    /// [`MountError::Busy`] with what is open.
    pub fn unmount(&self, lazy: bool) -> Result<(), MountError> {
        if *self.ended.borrow() {
            return Err(MountError::NotMounted { mountpoint: self.root.clone() });
        }
        // Nothing new comes while what is there goes.
        self.provider.close(true);
        let users = self.provider.take_all_away();
        if !users.is_empty() && !lazy {
            self.provider.close(false);
            return Err(MountError::Busy { mountpoint: self.root.clone(), users });
        }
        let gone = self.take_down();
        if !gone && !lazy {
            self.provider.close(false);
            self.restore();
            let users = vec![self.root.display().to_string()];
            return Err(MountError::Busy { mountpoint: self.root.clone(), users });
        }
        self.provider.drain(DRAIN);
        self.instance.stop();
        if gone {
            remove(&self.root);
        }
        self.ended.send_replace(true);
        Ok(())
    }

    /// Takes the registry's directories and rez's files away; whether all went.
    fn take_down(&self) -> bool {
        let (projection, ground) = (&*self.instance, &*self.provider.ground);
        let mut gone = true;
        for name in ground.names(&[]).unwrap_or_default() {
            if name == RECORD || name == SYS {
                continue;
            }
            let _doing = self.provider.own.doing(&[&name], crate::own::What::ChangeBelow);
            gone &= sweep(projection, ground, &[&name]);
        }
        for path in self.provider.levels.paths() {
            // What ProjFS knows and the directory above does not show.
            let _ = projection.delete(&path);
        }
        let _ = projection.delete(&crate::names::wide(TREES));
        gone && ground.remove_tree(&[SYS]).is_ok()
    }

    /// An unmount was refused half way: what was taken away comes back.
    fn restore(&self) {
        let runtime = self.provider.runtime.clone();
        let provider = Arc::clone(&self.provider);
        let restored = runtime.block_on(async move {
            let restored = provider.mirror_sys().await;
            for level in provider.levels.all() {
                provider.settle(&level).await;
            }
            restored
        });
        if let Err(error) = restored {
            tracing::warn!(%error, "what an unmount took away did not all come back");
        }
    }
}

/// How files are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As projected files.
    ProjFs,
}

impl Mode {
    /// Its name in `status`.
    #[must_use]
    pub fn name(self) -> &'static str {
        "projfs"
    }
}

/// Takes away what a provider that died left in a root, without a view.
///
/// # Errors
/// [`MountError::Busy`] when something of it is open.
pub fn clear(root: &Path) -> Result<(), MountError> {
    let root = absolute(root)?;
    let failed = |source| MountError::Io { action: "read", path: root.clone(), source };
    let Some(record) = Record::read(&root).map_err(failed)? else {
        return Err(MountError::NotMounted { mountpoint: root });
    };
    let api = Api::load()?;
    Instance::mark(&api, &root, record.instance)?;
    let instance = Instance::new(api, root.clone(), record.instance);
    let ground = Ground::new(root.clone(), Box::new(Junctions), Arc::default());
    instance.start(Box::new(Nothing), 2)?;
    let mut gone = true;
    for name in ground.names(&[]).unwrap_or_default() {
        gone &= match name.as_str() {
            RECORD => true,
            SYS => ground.remove_tree(&[SYS]).is_ok(),
            name => sweep(&*instance, &ground, &[name]),
        };
    }
    instance.stop();
    if !gone {
        let users = vec![root.display().to_string()];
        return Err(MountError::Busy { mountpoint: root, users });
    }
    remove(&root);
    Ok(())
}

/// Takes an empty root away, and with it the mark that ProjFS left on it. One that cannot go, since it is
/// some program's current directory, keeps its record: by that the next mount knows it for ours.
fn remove(root: &Path) {
    let path = root.join(RECORD);
    let Ok(record) = fs::read(&path) else { return };
    let removed = fs::remove_file(&path).and_then(|()| fs::remove_dir(root));
    if let Err(error) = removed {
        tracing::warn!(%error, root = %root.display(), "the mountpoint's directory stays");
        if let Err(error) = fs::write(&path, record) {
            tracing::warn!(%error, path = %path.display(), "the mount's record is lost");
        }
    }
}

fn absolute(root: &Path) -> Result<PathBuf, MountError> {
    std::path::absolute(root).map_err(|source| MountError::Io {
        action: "find",
        path: root.to_owned(),
        source,
    })
}

/// Links of NTFS that need no privilege.
struct Junctions;

impl Links for Junctions {
    fn make(&self, link: &Path, target: &Path) -> io::Result<()> {
        pkgfs_win32::junction::make(link, target)
    }

    fn lead(&self, link: &Path, target: &Path) -> io::Result<()> {
        pkgfs_win32::junction::lead(link, target)
    }

    fn target(&self, link: &Path) -> io::Result<Option<PathBuf>> {
        match fs::symlink_metadata(link) {
            Ok(data) if data.file_type().is_symlink() => fs::read_link(link).map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn remove(&self, link: &Path) -> io::Result<()> {
        fs::remove_dir(link)
    }
}

/// What was shown and does not hold any more.
struct Told {
    provider: Arc<Provider>,
    runtime: Handle,
}

impl Caches for Told {
    fn forget_name(&self, parent: NodeId, _name: &[u8]) {
        self.runtime.block_on(self.provider.name_changed(parent));
    }

    fn forget_listing(&self, directory: NodeId) {
        self.runtime.block_on(self.provider.listing_changed(directory));
    }

    fn forget_bytes(&self, file: NodeId) {
        self.provider.dehydrate(file);
    }

    /// No blob is held open here: each request opens its own, and lets go of it.
    fn let_go_of_blobs(&self) {}
}
