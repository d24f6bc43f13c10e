//! `pkgfs mount`: through the running daemon of the store, or a new one.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use pkgfs_daemon::{
    Client, ClientError, FailureKind, LaunchError, MountOrder, Mounted, Presence, Settings, launch,
    mount_table::{PathState, resolve, state_of},
};

use crate::{
    cli::MountArguments,
    config,
    output::{Outcome, note},
};

/// How long a daemon that starts or ends beside us may take.
const RIVAL: Duration = Duration::from_secs(10);

pub(crate) fn run(arguments: &MountArguments) -> anyhow::Result<Outcome> {
    let mut settings = config::load(&arguments.settings)?.settings;
    let mountpoint = arguments.mountpoint.clone().or_else(|| settings.mountpoint.clone());
    let Some(mountpoint) = mountpoint else {
        bail!("no mountpoint: give one, or set `mountpoint` in the configuration");
    };
    let place = |path: &Path| {
        let path = resolve(path).with_context(|| format!("cannot find {}", path.display()))?;
        if path.to_str().is_none() {
            bail!("{} is not UTF-8, and rez could not use it: choose another path", path.display());
        }
        Ok(path)
    };
    if let Some(turnable) = pkgfs_daemon::turnable(&settings.store) {
        bail!(turnable);
    }
    settings.store = place(&settings.store)?;
    let mountpoint = place(&mountpoint)?;
    if let Some(path) = settings.repositories.iter().find(|path| path.to_str().is_none()) {
        bail!("the repository {} is not UTF-8, and rez could not use it", path.display());
    }
    let order = MountOrder { mountpoint, settings };
    if arguments.foreground {
        pkgfs_daemon::run(order.clone(), Presence::Foreground, |mounted| {
            note(tell(mounted, &order.settings).trim_end());
        })?;
        return Ok(Outcome::default());
    }
    let mounted = mount(&order)?;
    match state_of(&order.mountpoint) {
        PathState::MountOf { source, .. } if source == order.settings.store => {}
        _ => bail!(
            "{} was mounted and does not answer: the log {} tells why",
            order.mountpoint.display(),
            mounted.log.display()
        ),
    }
    if !mounted.already {
        mounted.notes.iter().for_each(|line| note(line));
    }
    Ok(tell(&mounted, &order.settings).into())
}

/// Asks the daemon of the store, or starts one; a rival that starts or ends in the same
/// moment is waited for.
fn mount(order: &MountOrder) -> anyhow::Result<Mounted> {
    let started = Instant::now();
    loop {
        let late = started.elapsed() > RIVAL;
        match ask(order) {
            Ok(mounted) => return Ok(mounted),
            Err(ClientError::NoDaemon { .. }) => match launch(order) {
                Err(LaunchError::Failed(failure))
                    if failure.kind == FailureKind::StoreInUse && !late => {}
                other => return Ok(other?),
            },
            Err(ClientError::Broken { .. }) if !late => {}
            Err(ClientError::Refused(failure))
                if failure.kind == FailureKind::Stopping && !late => {}
            Err(error) => return Err(error.into()),
        }
        // There is no event to wait for: the rival's socket comes or its lock goes.
        thread::sleep(Duration::from_millis(50));
    }
}

fn ask(order: &MountOrder) -> Result<Mounted, ClientError> {
    let asked = super::block_on(async {
        Ok(match Client::connect(&order.settings.store).await {
            Ok(client) => client.mount(order).await,
            Err(error) => Err(error),
        })
    });
    asked.unwrap_or_else(|error| {
        let store = order.settings.store.clone();
        Err(ClientError::Broken { store, reason: error.to_string() })
    })
}

fn tell(mounted: &Mounted, settings: &Settings) -> String {
    let (place, store) = (mounted.mountpoint.display(), settings.store.display());
    if mounted.already {
        return format!("{place} is already mounted (store {store}, process {})\n", mounted.pid);
    }
    let recovered = if mounted.recovered {
        format!("{place}: the daemon of an earlier mount had died; that mount was taken away\n")
    } else {
        String::new()
    };
    format!("{recovered}{place} is mounted (store {store}, log {})\n", mounted.log.display())
}
