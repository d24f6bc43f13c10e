//! The view behind one virtualization instance: who answers ProjFS, and what each needs for it.
//!
//! ```text
//! callbacks ── Provider ─┬─ resolve      what is at a path
//!   (Answers)            ├─ enumeration  listings under way
//!                        ├─ hydration    bytes of files
//!                        ├─ vetoes       what nobody may do
//!                        ├─ replay       what rez did, into the view
//!                        ├─ levels       what the view has, on disk
//!                        └─ trees        what was projected, and how it goes again
//! ```

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

use pkgfs_view::{Caller, NodeId, View, ViewError};
use tokio::{runtime::Handle, sync::Semaphore};

use crate::{
    codes::{Win32, win32},
    commands::{Commands, Completes, Outcome},
    enumeration::{Asked, Buffer, Enumerations, Session},
    ground::Ground,
    hydration::MOST_UNITS,
    lanes::Lanes,
    levels::Levels,
    names::{Order, Wide},
    own::Own,
    payload::Payloads,
    placeholder::{Placeholder, Version},
    projection::{Answers, Event, Projection, Request, Stream},
    security::{Descriptors, with_denial},
    trees::Trees,
};

/// A view that is shown through ProjFS.
pub(crate) struct Provider {
    pub(crate) view: Arc<View>,
    pub(crate) projection: Arc<dyn Projection>,
    pub(crate) ground: Arc<Ground>,
    pub(crate) own: Arc<Own>,
    pub(crate) rules: Order,
    pub(crate) runtime: Handle,
    /// How often this root was mounted before.
    pub(crate) life: u32,
    pub(crate) caller: Caller,
    pub(crate) payloads: Payloads,
    pub(crate) levels: Levels,
    pub(crate) trees: Trees,
    pub(crate) lanes: Lanes,
    pub(crate) pieces: Arc<Semaphore>,
    pub(crate) descriptors: Descriptors,
    /// How `<inc>` leads to its tree.
    ways: AtomicU8,
    closing: AtomicBool,
    enumerations: Arc<Enumerations>,
    commands: Arc<Commands>,
    completes: Arc<dyn Completes>,
}

/// How `<inc>` leads to its tree. rez renames it, which ProjFS does with no directory that it projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A junction on disk: where the file system has them, as NTFS does.
    OnDisk = 0,
    /// A symbolic link that is projected.
    Projected = 1,
    /// Not at all: the tree is projected in its place.
    Within = 2,
}

/// What a provider is made of.
pub(crate) struct Parts {
    pub(crate) view: Arc<View>,
    pub(crate) projection: Arc<dyn Projection>,
    pub(crate) ground: Ground,
    pub(crate) own: Arc<Own>,
    pub(crate) rules: Order,
    pub(crate) runtime: Handle,
    pub(crate) life: u32,
}

impl Provider {
    pub(crate) fn new(parts: Parts) -> Result<Arc<Self>, ViewError> {
        let Parts { view, projection, ground, own, rules, runtime, life } = parts;
        // What rez makes belongs to whoever the view runs as.
        let root = runtime.block_on(view.attributes(NodeId::ROOT))?.attributes;
        let caller = Caller { uid: root.uid, gid: root.gid, pid: 0 };
        let has_links = projection.has_links();
        let payloads = Payloads::new(Arc::clone(&view), Arc::clone(&rules), caller, has_links);
        let completes = Arc::clone(&projection) as Arc<dyn Completes>;
        Ok(Arc::new(Self {
            view,
            ground: Arc::new(ground),
            own,
            rules,
            runtime,
            life,
            caller,
            payloads,
            levels: Levels::default(),
            trees: Trees::default(),
            lanes: Lanes::default(),
            pieces: Arc::new(Semaphore::new(MOST_UNITS as usize)),
            descriptors: Descriptors::default(),
            ways: AtomicU8::new(Way::OnDisk as u8),
            closing: AtomicBool::new(false),
            enumerations: Arc::default(),
            commands: Arc::default(),
            completes,
            projection,
        }))
    }

    /// The process behind a request, as the view knows callers.
    pub(crate) fn caller(&self, pid: u32) -> Caller {
        Caller { pid, ..self.caller }
    }

    /// Projects nothing more from now on.
    pub(crate) fn close(&self, closing: bool) {
        self.closing.store(closing, Ordering::SeqCst);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// How `<inc>` leads to its tree, as far as was found out.
    pub(crate) fn way(&self) -> Way {
        match self.ways.load(Ordering::Relaxed) {
            0 => Way::OnDisk,
            1 => Way::Projected,
            _ => Way::Within,
        }
    }

    /// The file system has no links.
    pub(crate) fn has_no_links(&self) {
        let way = if self.projection.has_links() { Way::Projected } else { Way::Within };
        let was = self.ways.swap(way as u8, Ordering::Relaxed);
        if was != way as u8 {
            self.view.tell(match way {
                Way::Within => {
                    "no links can be made below the mountpoint: packages are shown, but rez \
                                cannot remove any there"
                        .to_owned()
                }
                _ => {
                    "no links can be made below the mountpoint, and are projected there".to_owned()
                }
            });
        }
    }

    /// Waits for what is being answered, as long as that may take.
    pub(crate) fn drain(&self, at_most: std::time::Duration) {
        self.commands.drain(&self.completes, at_most);
    }

    /// Whether nothing is to be projected for this request, and why.
    pub(crate) fn refuses(&self, request: &Request) -> Outcome {
        if self.own.covers(request.pid, &request.path) {
            return Err(Win32::FILE_NOT_FOUND);
        }
        if self.is_closing() {
            return Err(Win32::PROVIDER_UNAVAILABLE);
        }
        Ok(())
    }

    fn run(
        &self,
        command: i32,
        operation: impl Future<Output = Outcome> + Send + 'static,
    ) -> Outcome {
        self.commands.run(&self.runtime, &self.completes, command, operation)
    }

    /// Writes a placeholder for what is at a path, and remembers those of payloads.
    async fn project(self: Arc<Self>, request: Request) -> Outcome {
        self.refuses(&request)?;
        let found = self.resolve(&request).await?.ok_or(Win32::FILE_NOT_FOUND)?;
        let digest = self.view.content(found.node).map_err(|error| win32(&error))?;
        let security = match found.tree {
            Some(_) => self.secured(found.node, found.basic.is_directory()).await?,
            None => found.security,
        };
        let placeholder = Placeholder {
            version: Version::of(
                self.life,
                found.node,
                digest.as_ref().map(|digest| digest.as_bytes()),
            ),
            basic: found.basic,
            security,
        };
        if let Some(tree) = found.tree {
            self.trees.projected(tree, &found.path, found.node);
        }
        self.projection.write_placeholder(&found.path, &placeholder)?;
        if let Some(level) = found.level {
            self.appeared(level, found.node).await;
        }
        Ok(())
    }
}

impl Provider {
    /// Who may do what to a node of a payload: what origin says, where that is asked for, less all that
    /// would change it.
    async fn secured(
        self: &Arc<Self>,
        node: NodeId,
        directory: bool,
    ) -> Result<Option<Arc<[u8]>>, Win32> {
        let own = self.view.access_list(node).await.map_err(|error| win32(&error))?;
        let kept = own.and_then(|own| with_denial(&own, directory));
        let Descriptors { file, directory: of_directory } = &self.descriptors;
        let plain = if directory { of_directory } else { file };
        Ok(Some(kept.unwrap_or_else(|| Arc::clone(plain))))
    }
}

impl Answers for Arc<Provider> {
    fn start_listing(&self, request: Request, session: Session) -> Outcome {
        let provider = Arc::clone(self);
        self.run(request.command, async move {
            let items = match provider.refuses(&request) {
                // Only what is on disk.
                Err(Win32::FILE_NOT_FOUND) => Vec::new(),
                Err(error) => return Err(error),
                Ok(()) => provider.items(&request).await?,
            };
            provider.enumerations.start(session, items);
            Ok(())
        })
    }

    fn next_listing(
        &self,
        session: &Session,
        asked: Asked,
        expression: Option<&[u16]>,
        buffer: &mut dyn Buffer,
    ) -> Outcome {
        self.enumerations.next(session, asked, expression, &*self.rules, buffer)
    }

    fn end_listing(&self, session: &Session) {
        self.enumerations.end(session);
    }

    fn placeholder(&self, request: Request) -> Outcome {
        self.run(request.command, Arc::clone(self).project(request))
    }

    fn query(&self, request: Request) -> Outcome {
        let provider = Arc::clone(self);
        self.run(request.command, async move {
            provider.refuses(&request)?;
            provider.resolve(&request).await?.map(drop).ok_or(Win32::FILE_NOT_FOUND)
        })
    }

    fn file_data(&self, request: Request, stream: Stream, offset: u64, length: u32) -> Outcome {
        let provider = Arc::clone(self);
        self.run(request.command, provider.hydrate(request, stream, offset, u64::from(length)))
    }

    fn notify(
        &self,
        request: Request,
        directory: bool,
        event: Event,
        destination: Option<Wide>,
    ) -> Outcome {
        if self.own.changes(request.pid, &request.path) {
            return Ok(());
        }
        let provider = Arc::clone(self);
        self.run(request.command, provider.notified(request, directory, event, destination))
    }

    fn cancel(&self, command: i32) {
        self.commands.cancel(command);
    }
}
