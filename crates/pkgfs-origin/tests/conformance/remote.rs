//! The worker process as a backend.

use std::{
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use pkgfs_manifest::{FileState, Listing};
use pkgfs_origin::{
    Cause, Failure, Fetched, LinkBounds, Operations, Origin, OriginError, OriginSettings, Rest,
    Stat,
    backend::{Backend, Names, Observer, Operation, Xattrs},
};
use tokio::runtime::Runtime;

pub struct Remote {
    runtime: Runtime,
    origin: Origin,
    with_acls: Origin,
    counted: Mutex<Operations>,
}

impl Remote {
    pub fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let [origin, with_acls] = [false, true].map(|keep_acls| {
            let _inside = runtime.enter();
            let settings = super::harness::settings();
            super::harness::start(OriginSettings { keep_acls, ..settings })
        });
        Self { runtime, origin, with_acls, counted: Mutex::default() }
    }

    fn ask<T>(
        &self,
        on: &dyn Observer,
        request: impl Future<Output = Result<T, OriginError>>,
    ) -> Result<T, Failure> {
        let answer = self.runtime.block_on(request);
        let now = self.origin.counters().operations;
        let before = std::mem::replace(&mut *self.counted.lock().unwrap(), now);
        let mut reads = now.read - before.read;
        for (operation, count) in [
            (Operation::List, now.list - before.list),
            (Operation::Stat, now.stat - before.stat),
            (Operation::Open, now.open - before.open),
            (Operation::Resolve, now.resolve - before.resolve),
            (Operation::Xattr, now.xattr - before.xattr),
        ] {
            (0..count).for_each(|_| on.count(operation));
        }
        let mut bytes = now.bytes - before.bytes;
        while reads > 0 {
            reads -= 1;
            on.count(Operation::Read(std::mem::take(&mut bytes)));
        }
        answer.map_err(|error| match error {
            OriginError::NotFound { path } => Failure { path, cause: Cause::NotFound },
            OriginError::Denied { path } => Failure { path, cause: Cause::Denied },
            OriginError::NotADirectory { path } => Failure { path, cause: Cause::NotADirectory },
            OriginError::IsADirectory { path } => Failure { path, cause: Cause::IsADirectory },
            OriginError::Changed { path } => Failure { path, cause: Cause::Changed },
            OriginError::TooLarge { path, .. } => Failure { path, cause: Cause::TooLarge },
            OriginError::Io { path, errno } => Failure { path, cause: Cause::Io(errno) },
            other => panic!("{other}"),
        })
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.runtime.block_on(self.origin.stop());
        self.runtime.block_on(self.with_acls.stop());
    }
}

impl Backend for Remote {
    fn list(&self, dir: &Path, bounds: &LinkBounds, on: &dyn Observer) -> Result<Listing, Failure> {
        self.ask(on, self.origin.list(dir, &Arc::new(bounds.clone())))
    }

    fn names(&self, dir: &Path, on: &dyn Observer) -> Result<Names, Failure> {
        self.ask(on, self.origin.names(dir))
    }

    fn stat(&self, path: &Path, on: &dyn Observer) -> Result<Stat, Failure> {
        self.ask(on, self.origin.stat(path))
    }

    fn reach(&self, path: &Path, on: &dyn Observer) -> Result<Stat, Failure> {
        self.ask(on, self.origin.reach(path))
    }

    fn read(
        &self,
        path: &Path,
        limit: u64,
        on: &dyn Observer,
    ) -> Result<(Vec<u8>, FileState), Failure> {
        self.ask(on, self.origin.read(path, limit))
    }

    fn read_at(
        &self,
        path: &Path,
        expected: FileState,
        bytes: Range<u64>,
        on: &dyn Observer,
    ) -> Result<Vec<u8>, Failure> {
        self.ask(on, self.origin.read_at(path, expected, bytes))
    }

    fn canonical(&self, path: &Path, on: &dyn Observer) -> Result<PathBuf, Failure> {
        self.ask(on, self.origin.canonical(path))
    }

    fn xattrs(&self, path: &Path, acls: bool, on: &dyn Observer) -> Result<Xattrs, Failure> {
        let origin = if acls { &self.with_acls } else { &self.origin };
        self.ask(on, origin.xattrs(path))
    }

    fn fetch(
        &self,
        path: &Path,
        expected: FileState,
        into: &File,
        rest: Rest,
        on: &dyn Observer,
    ) -> Result<Fetched, Failure> {
        let into = into.try_clone().unwrap();
        self.ask(on, async {
            let mut fetch = self.origin.fetch(path, expected, into, rest);
            while let Some(bytes) = fetch.progress().await {
                on.placed(&bytes);
            }
            fetch.finish().await
        })
    }
}
