//! Windows: configuration below the user's profile and the machine's, processes by handles.

use std::{
    env, io,
    path::{Path, PathBuf},
    time::Duration,
};

use pkgfs_win32::{console, detached, ownership};

use crate::output::note;

/// What memory comes from.
pub type Allocator = std::alloc::System;
/// It.
pub const ALLOCATOR: Allocator = std::alloc::System;

/// Between the paths of a list in a variable: a colon is part of them.
pub(crate) const LIST_SEPARATOR: char = ';';

/// Why no other program can take over a mount.
pub(crate) const NO_HAND_OVER: Option<&str> = Some(
    "on Windows no other program can take over a mount in use: unmount it with this program \
     (`pkgfs unmount`), then mount it with the other",
);

/// The directory that may hold the machine's `pkgfs\config.toml`: passed over if anybody else than
/// administrators could have written it, for it names programs that are run.
pub(crate) fn system_configuration() -> Vec<PathBuf> {
    let directory = pkgfs_daemon::machine_directory();
    let file = directory.join("config.toml");
    match [&directory, &file].into_iter().find_map(|path| stranger(path)) {
        None => directory.parent().map(PathBuf::from).into_iter().collect(),
        Some((path, owner)) => {
            note(&format!(
                "passed over {}: {} belongs to {owner}, and only administrators may decide for all; \
                 have one of them make it anew",
                file.display(),
                path.display()
            ));
            Vec::new()
        }
    }
}

/// Whose a path is, if it is neither this user's nor the system's.
fn stranger(path: &Path) -> Option<(PathBuf, String)> {
    let owner = match ownership::owner(path) {
        Ok(owner) => owner,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => error.to_string(),
    };
    let own = ownership::own_user().ok();
    let trusted = ownership::is_system(&owner) || own.is_some_and(|own| own == owner);
    (!trusted).then(|| (path.to_owned(), owner))
}

/// The directory that may hold the user's.
pub(crate) fn user_configuration() -> Option<PathBuf> {
    let roaming = env::var_os("APPDATA").map(PathBuf::from).filter(|path| path.is_absolute());
    roaming.or_else(|| Some(env::home_dir()?.join(r"AppData\Roaming")))
}

/// A directory that nobody wants to take away.
pub(crate) fn root_directory() -> PathBuf {
    env::var_os("SystemRoot").map_or_else(|| PathBuf::from(r"C:\"), PathBuf::from)
}

/// The width of the console at standard output, if it is one.
pub(crate) fn terminal_width() -> Option<usize> {
    console::width(&io::stdout()).filter(|width| *width > 0)
}

/// A process whose end can be waited for; surely this one, whatever becomes of its number.
pub(crate) struct Process(detached::Process);

impl Process {
    /// The process that has this number now; none if there is none.
    pub(crate) fn find(pid: u32) -> Option<Self> {
        detached::Process::find(pid).ok().map(Self)
    }

    /// Waits for its end. False if it has not ended in this time.
    pub(crate) fn wait(&self, at_most: Duration) -> io::Result<bool> {
        self.0.wait(Some(at_most))
    }
}
