//! `pkgfs-standin SOURCE MOUNTPOINT`: mounts a stand-in for shared storage and serves it until
//! a signal, the end of its standard input (with `--exit-with-parent`), or an unmount by
//! someone else.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use nix::sys::signal::{SigSet, Signal};
use pkgfs_standin::{Options, Standin};

/// How often to look whether someone else unmounted.
const LOOK: Duration = Duration::from_millis(200);

/// Mirror a directory as slow, countable, breakable shared storage.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The directory to mirror.
    source: PathBuf,
    /// An existing directory to mount at.
    mountpoint: PathBuf,
    /// Answer control requests (a line of JSON each) at this Unix socket.
    #[arg(long, value_name = "SOCKET")]
    control: Option<PathBuf>,
    /// Unmount and exit when standard input ends.
    #[arg(long)]
    exit_with_parent: bool,
    #[command(flatten)]
    options: Options,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // Blocked before any thread starts, so that every thread inherits it and only the one that
    // waits receives them.
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    signals.thread_block().context("cannot block SIGTERM and SIGINT")?;

    let mut standin =
        Standin::mount(&arguments.source, &arguments.mountpoint, arguments.options.clone())?;
    if let Some(socket) = &arguments.control {
        standin.serve_control(socket)?;
    }

    let (stop, stopped) = mpsc::channel();
    if arguments.exit_with_parent {
        let stop = stop.clone();
        thread::spawn(move || {
            io::copy(&mut io::stdin().lock(), &mut io::sink()).ok();
            stop.send(()).ok();
        });
    }
    thread::spawn(move || {
        signals.wait().ok();
        stop.send(()).ok();
    });

    let mut stdout = io::stdout();
    writeln!(stdout, "ready").and_then(|()| stdout.flush()).context("cannot say ready")?;
    while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) && !standin.has_ended() {}
    Ok(())
}
