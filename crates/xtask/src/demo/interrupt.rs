//! Ctrl-C ends the demo through its guards, so that no mount and no process is left.

use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From here on, SIGINT and SIGTERM are noted instead of ending the process.
pub(crate) fn note() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))
        .context("cannot handle Ctrl-C")
}

/// An error once the demo was interrupted.
pub(crate) fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// Waits for a child, but not for ever and not past an interrupt; it is ended then.
pub(crate) fn wait(child: &mut Child, patience: Duration) -> Result<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let stop = check().err().or_else(|| {
            (Instant::now() > deadline)
                .then(|| anyhow::anyhow!("no end after {} s", patience.as_secs()))
        });
        if let Some(reason) = stop {
            child.kill().ok();
            child.wait().ok();
            return Err(reason);
        }
        // Short against what is measured (seconds), long against what it costs.
        thread::sleep(Duration::from_millis(2));
    }
}
