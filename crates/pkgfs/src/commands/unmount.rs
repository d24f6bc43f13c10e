//! `pkgfs unmount`: through the daemon that serves the mount; without it where that
//! daemon is dead. Returns when neither mount nor process is left.

use std::{fmt::Write, path::Path, time::Duration};

use anyhow::{Context, bail};
use pkgfs_daemon::{
    Client, ClientError, FailureKind, UnmountOrder,
    mount_table::{self, MountError, MountInfo, PathState, mount_at, resolve, state_of, users},
    remove_mountpoint, words,
};

use crate::{
    cli::UnmountArguments,
    config,
    output::Outcome,
    sys::{self, Process},
};

/// How long a daemon may take to end after its last mount has.
const END: Duration = Duration::from_secs(30);

pub(crate) fn run(arguments: &UnmountArguments) -> anyhow::Result<Outcome> {
    let settings = config::load_with(&arguments.file)?.settings;
    let Some(given) = arguments.mountpoint.clone().or(settings.mountpoint) else {
        bail!("no mountpoint: give one, or set `mountpoint` in the configuration");
    };
    let place = resolve(&given).with_context(|| format!("cannot find {}", given.display()))?;
    let Some(mount) =
        mount_at(&place).with_context(|| format!("cannot read {}", mount_table::NAME))?
    else {
        return Err(MountError::NotMounted { mountpoint: place }.into());
    };
    if !mount.is_pkgfs() {
        bail!(
            "{} is a mount of {} ({}), not of pkgfs: unmount it with umount",
            place.display(),
            mount.source.display(),
            mount.fstype
        );
    }
    // Run from inside the mount, this command must not be what keeps it busy.
    std::env::set_current_dir(sys::root_directory())
        .context("cannot leave the current directory")?;
    super::block_on(unmount(&mount, arguments.lazy))
}

async fn unmount(mount: &MountInfo, lazy: bool) -> anyhow::Result<Outcome> {
    let place = &mount.mountpoint;
    let client = match Client::connect(&mount.source).await {
        Ok(client) => client,
        Err(ClientError::NoDaemon { .. }) => return abandoned(mount, lazy),
        Err(error) => return Err(error.into()),
    };
    // Taken before the daemon is asked to end, so that it is surely this process.
    let daemon = client.daemon_pid().and_then(|pid| Some((pid, Process::find(pid)?)));
    let order = UnmountOrder { mountpoint: place.clone(), lazy };
    match client.unmount(&order).await {
        Ok(unmounted) => {
            if unmounted.remaining == 0 {
                wait_for(daemon)?;
            }
            let mut text = format!("{} is unmounted\n", place.display());
            if lazy && unmounted.remaining > 0 {
                writeln!(text, "its daemon ends when the last file in use is closed")?;
            }
            Ok(text.into())
        }
        Err(ClientError::Refused(failure)) if failure.kind == FailureKind::Busy => {
            busy(mount, &failure.message)
        }
        // The store's daemon is not this mount's: that one died.
        Err(ClientError::Refused(failure)) if failure.kind == FailureKind::NotMounted => {
            abandoned(mount, lazy)
        }
        // A daemon that hangs is no reason to keep its mount in the way.
        Err(ClientError::Silent { .. }) if lazy => abandoned(mount, lazy),
        Err(error) => Err(error.into()),
    }
}

/// A mount without a daemon: nothing can be under way, and all its users get ENOTCONN.
fn abandoned(mount: &MountInfo, lazy: bool) -> anyhow::Result<Outcome> {
    let place = &mount.mountpoint;
    let stale = matches!(state_of(place), PathState::Stale { .. });
    match mount_table::unmount(place, lazy || stale) {
        Ok(()) => {}
        Err(error @ MountError::Busy { .. }) => return busy(mount, &error.to_string()),
        Err(error) => return Err(error.into()),
    }
    remove_mountpoint(place);
    let why = if stale { "; its daemon had died" } else { "" };
    Ok(format!("{} is unmounted{why}\n", place.display()).into())
}

/// What uses the mount is told by the system's table, or in the words of the refusal.
fn busy(mount: &MountInfo, refusal: &str) -> anyhow::Result<Outcome> {
    if !mount_table::TELLS_USERS {
        bail!("{refusal}");
    }
    let place = mount.mountpoint.display();
    let mut message = format!("{place} is in use: end what uses it, or detach it with --lazy");
    let users = users(mount);
    for user in &users {
        write!(message, "\n  {user}")?;
    }
    if users.is_empty() {
        let below = mounted_below(&mount.mountpoint);
        match below {
            Some(below) => write!(message, "\n  {} is mounted in it", below.display())?,
            None => {
                write!(message, "\n  (by a process that only {} can see)", words::ADMINISTRATOR)?
            }
        }
    }
    bail!(message)
}

fn mounted_below(place: &Path) -> Option<std::path::PathBuf> {
    let all = mount_table::all_mounts().ok()?;
    let below =
        |other: &MountInfo| other.mountpoint != place && other.mountpoint.starts_with(place);
    all.into_iter().find(below).map(|mount| mount.mountpoint)
}

/// Waits for the daemon's end.
fn wait_for(daemon: Option<(u32, Process)>) -> anyhow::Result<()> {
    // A process that cannot be found was gone before it could be watched.
    let Some((pid, process)) = daemon else { return Ok(()) };
    if !process.wait(END).context("cannot wait for the daemon's end")? {
        bail!(
            "it is unmounted, but its daemon has not ended within {} s: see process {pid}",
            END.as_secs()
        );
    }
    Ok(())
}
