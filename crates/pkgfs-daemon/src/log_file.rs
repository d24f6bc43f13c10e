//! The daemon's log: a file of bounded size.
//!
//! At [`LIMIT`] bytes it is renamed to `<name>.1`, over the one before, and begun anew:
//! a log never takes more than twice that.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::{DaemonError, sys};

/// Bytes after which the log is begun anew.
const LIMIT: u64 = 8 << 20;

/// Opens a log for appending, with its directories; nowhere another user's link leads to.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if let Some(turnable) = pkgfs_store::turnable(path)? {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, turnable.to_string()));
    }
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    sys::open_log(path)
}

/// Sends what `tracing` collects to the log, or to the terminal.
pub(crate) fn start(level: &str, file: Option<&Path>) -> Result<(), DaemonError> {
    let filter =
        EnvFilter::try_new(level).map_err(|_| DaemonError::LogLevel { level: level.to_owned() })?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    let started = match file {
        None if sys::takes_colours() => subscriber.with_writer(io::stderr).try_init(),
        None => subscriber.with_ansi(false).with_writer(io::stderr).try_init(),
        Some(path) => {
            let log = LogFile::open(path, LIMIT)
                .map_err(|source| DaemonError::Log { path: path.to_owned(), source })?;
            subscriber.with_ansi(false).with_writer(log).try_init()
        }
    };
    started.map_err(|error| DaemonError::System {
        action: "start the log",
        source: io::Error::other(error),
    })
}

struct LogFile {
    path: PathBuf,
    limit: u64,
    /// The file and its size.
    open: Mutex<(File, u64)>,
}

impl LogFile {
    fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), limit, open: Mutex::new((file, size)) })
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

impl Write for &LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if open.1 >= self.limit {
            let mut former = self.path.clone().into_os_string();
            former.push(".1");
            std::fs::rename(&self.path, former)?;
            *open = (self::open(&self.path)?, 0);
        }
        open.0.write_all(line)?;
        open.1 += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_log_never_takes_more_than_twice_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/daemon.log");
        let log = LogFile::open(&path, 100).unwrap();
        for number in 0..100 {
            (&log).write_all(format!("line {number:04}\n").as_bytes()).unwrap();
        }
        let now = std::fs::read_to_string(&path).unwrap();
        let former = std::fs::read_to_string(dir.path().join("state/daemon.log.1")).unwrap();
        assert!(now.ends_with("line 0099\n"), "{now}");
        assert!(former.len() <= 110 && now.len() <= 110, "{} {}", former.len(), now.len());
        assert_eq!(std::fs::read_dir(dir.path().join("state")).unwrap().count(), 2);
    }
}
