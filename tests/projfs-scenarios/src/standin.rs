//! Programs that reach the root through the stand-in.

use std::path::{Path, PathBuf};

use pkgfs_projfs_engine::{
    Code, Wide,
    access::Descriptor,
    change::Status,
    client::Program,
    listing::Entry,
    open::How,
    protocol::{Answer, Request},
    records::Times,
    volume::Switches,
};

use crate::Driver;

/// A program on a connection of its own.
pub struct StandinDriver {
    program: Program,
    address: PathBuf,
    root: PathBuf,
}

impl StandinDriver {
    /// A program over `root`; the provider's stand-in writes where it is to `address`.
    #[must_use]
    pub fn new(address: &Path, root: &Path) -> Self {
        Self {
            program: Program::new(address, root),
            address: address.to_owned(),
            root: root.to_owned(),
        }
    }

    fn done(&self, request: &Request) -> Result<(), Code> {
        self.program.ask(request).map(drop)
    }

    /// What the provider was called for since this was last asked.
    pub fn trace(&self) -> Vec<String> {
        match self.program.ask(&Request::Trace) {
            Ok(Answer::Trace(trace)) => trace,
            _ => Vec::new(),
        }
    }

    /// Switches protections and holds, until they are switched back.
    pub fn switch(&self, switches: Switches) -> Result<(), Code> {
        self.done(&Request::Switch(switches))
    }

    /// `PrjGetOnDiskFileState` of a path.
    pub fn file_state(&self, path: &Wide) -> Result<u32, Code> {
        match self.program.ask(&Request::FileState { path: path.clone() })? {
            Answer::State(state) => Ok(state),
            _ => Err(Code::GEN_FAILURE),
        }
    }

    /// The content identifier that the provider gave with a placeholder.
    pub fn content(&self, path: &Wide) -> Result<Vec<u8>, Code> {
        match self.program.ask(&Request::Content { path: path.clone() })? {
            Answer::Bytes(bytes) => Ok(bytes),
            _ => Err(Code::GEN_FAILURE),
        }
    }
}

impl Driver for StandinDriver {
    fn another(&self) -> Box<dyn Driver> {
        Box::new(Self::new(&self.address, &self.root))
    }

    fn open(&self, path: &Wide, how: How) -> Result<u64, Code> {
        match self.program.ask(&Request::Open { path: path.clone(), how })? {
            Answer::Handle(handle) => Ok(handle),
            _ => Err(Code::GEN_FAILURE),
        }
    }

    fn read(&self, handle: u64, offset: u64, length: u32) -> Result<Vec<u8>, Code> {
        match self.program.ask(&Request::Read { handle, offset, length })? {
            Answer::Bytes(bytes) => Ok(bytes),
            _ => Err(Code::GEN_FAILURE),
        }
    }

    fn write(&self, handle: u64, offset: u64, bytes: &[u8]) -> Result<(), Code> {
        self.done(&Request::Write { handle, offset, bytes: bytes.to_vec() })
    }

    fn set_length(&self, handle: u64, length: u64) -> Result<(), Code> {
        self.done(&Request::SetLength { handle, length })
    }

    fn list(
        &self,
        handle: u64,
        pattern: Option<&Wide>,
        restart: bool,
        most: usize,
    ) -> Result<Vec<Entry>, Code> {
        let request = Request::List { handle, pattern: pattern.cloned(), restart, most };
        match self.program.ask(&request)? {
            Answer::Entries(entries) => Ok(entries),
            _ => Err(Code::GEN_FAILURE),
        }
    }

    fn held_status(&self, handle: u64) -> Result<Status, Code> {
        match self.program.ask(&Request::HeldStatus { handle })? {
            Answer::Status(status) => Ok(status),
            _ => Err(Code::GEN_FAILURE),
        }
    }

    fn close(&self, handle: u64) -> Result<(), Code> {
        self.done(&Request::Close { handle })
    }

    fn status(&self, path: &Wide, follow: bool) -> Result<Status, Code> {
        match self.program.ask(&Request::Status { path: path.clone(), follow })? {
            Answer::Status(status) => Ok(status),
            _ => Err(Code::GEN_FAILURE),
        }
    }

    fn security(&self, path: &Wide) -> Result<Descriptor, Code> {
        match self.program.ask(&Request::Security { path: path.clone() })? {
            Answer::Security(security) => Ok(security),
            _ => Err(Code::GEN_FAILURE),
        }
    }

    fn open_up(&self, path: &Wide) -> Result<(), Code> {
        self.done(&Request::SetSecurity { path: path.clone(), security: Descriptor::open() })
    }

    fn set_metadata(
        &self,
        path: &Wide,
        attributes: Option<u32>,
        times: Option<Times>,
    ) -> Result<(), Code> {
        self.done(&Request::SetMetadata { path: path.clone(), attributes, times })
    }

    fn create_directory(&self, path: &Wide) -> Result<(), Code> {
        self.done(&Request::CreateDirectory { path: path.clone() })
    }

    fn create_link(
        &self,
        path: &Wide,
        target: &Wide,
        directory: bool,
        junction: bool,
    ) -> Result<(), Code> {
        let (path, target) = (path.clone(), target.clone());
        self.done(&Request::CreateLink { path, target, directory, junction })
    }

    fn delete(&self, path: &Wide, directory: bool, despite_attribute: bool) -> Result<(), Code> {
        self.done(&Request::Delete { path: path.clone(), directory, despite_attribute })
    }

    fn rename(&self, from: &Wide, to: &Wide, replace: bool) -> Result<(), Code> {
        self.done(&Request::Rename { from: from.clone(), to: to.clone(), replace })
    }

    fn hard_link(&self, existing: &Wide, new: &Wide) -> Result<(), Code> {
        self.done(&Request::HardLink { existing: existing.clone(), new: new.clone() })
    }

    fn read_and_die(&self, path: &Wide) -> Result<(), Code> {
        let other = Self::new(&self.address, &self.root);
        let handle = other.open(path, How::read())?;
        self.trace();
        other.program.send(&Request::Read { handle, offset: 0, length: 1 << 20 })?;
        // The provider has been asked; only then does the program end.
        let asked = |line: &String| line.starts_with("data ");
        for _ in 0..500 {
            if self.trace().iter().any(asked) {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Err(Code::GEN_FAILURE)
    }

    fn standin(&self) -> Option<&StandinDriver> {
        Some(self)
    }
}
