//! rez's lock (`rez/vendor/lockfile/linklockfile.py`): a file of one's own, hard-linked to a name
//! that all know. Who has two links has the lock.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What Python's `hash(path)` adds to the name: with its sign no process id can be misread.
const HASH: &str = "-1234567890123456789";

/// rez gives up after this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// rez's lock, or the wish to have it.
pub(crate) struct LockFile {
    own: PathBuf,
    lock: PathBuf,
}

impl LockFile {
    /// The file of one's own, made.
    pub(crate) fn prepare(sys: &Path) -> io::Result<Self> {
        let thread = rustix::thread::gettid().as_raw_nonzero();
        let name = format!("{}-{thread:x}.{}{HASH}", host(), std::process::id());
        let this = Self { own: sys.join(name), lock: sys.join(".lock.lock") };
        drop(File::create(&this.own)?);
        Ok(this)
    }

    /// Takes the lock, waiting for it as rez does.
    pub(crate) fn acquire(sys: &Path) -> io::Result<Self> {
        let this = Self::prepare(sys)?;
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = this.try_link() {
            if error.kind() != io::ErrorKind::AlreadyExists || Instant::now() > deadline {
                return Err(error);
            }
            // rez polls as well: nothing tells of a lock's end.
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(this.links(), 2);
        Ok(this)
    }

    pub(crate) fn try_link(&self) -> io::Result<()> {
        fs::hard_link(&self.own, &self.lock)
    }

    pub(crate) fn links(&self) -> u64 {
        fs::metadata(&self.own).unwrap().nlink()
    }

    /// The name that all know.
    pub(crate) fn lock(&self) -> &Path {
        &self.lock
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // As rez: its own name first. Only who holds the lock takes it away.
        let holds = fs::metadata(&self.own).is_ok_and(|data| data.nlink() == 2);
        fs::remove_file(&self.own).ok();
        if holds {
            fs::remove_file(&self.lock).ok();
        }
    }
}

/// A process takes the lock and is killed: both names stay. Returns the name of its own file.
pub(crate) fn left_by_a_killed_process(sys: &Path, hash: &str) -> PathBuf {
    let script = format!(
        "own={}-7f3a.$${hash}; : > $own; ln $own .lock.lock; echo $own; kill -9 $$",
        host()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(sys).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), None, "{output:?}");
    let own = sys.join(String::from_utf8(output.stdout).unwrap().trim());
    assert_eq!(fs::metadata(&own).unwrap().nlink(), 2);
    own
}

fn host() -> String {
    rustix::system::uname().nodename().to_str().unwrap().to_owned()
}
