//! `pkgfs status`: what is mounted, and how well it does.

mod table;

use std::path::PathBuf;

use anyhow::{Context, bail};
use pkgfs_daemon::{
    Client, ClientError, DaemonStatus,
    mount_table::{self, MountInfo, PathState, mounts, resolve, state_of},
    words,
};
use serde::Serialize;

use crate::{cli::StatusArguments, output::Outcome};

/// Exit code for "nothing is mounted", which is no failure.
const NOTHING_MOUNTED: u8 = 3;

/// One mount, with what its daemon says.
#[derive(Debug, Serialize)]
struct Report {
    mountpoint: PathBuf,
    store: PathBuf,
    /// The user that made it.
    user: Option<u32>,
    /// `cached`, `stateless` or `passthrough`.
    mode: Option<String>,
    /// What is wrong with it.
    problem: Option<String>,
    daemon: Option<DaemonStatus>,
}

pub(crate) fn run(arguments: &StatusArguments) -> anyhow::Result<Outcome> {
    let mut all = mounts().with_context(|| format!("cannot read {}", mount_table::NAME))?;
    if let Some(given) = &arguments.mountpoint {
        let place = resolve(given).with_context(|| format!("cannot find {}", given.display()))?;
        all.retain(|mount| mount.mountpoint == place);
    }
    let reports = super::block_on(async {
        let mut reports = Vec::new();
        for mount in &all {
            reports.push(report(mount).await);
        }
        Ok(reports)
    })?;
    let code = if reports.is_empty() { NOTHING_MOUNTED } else { 0 };
    if arguments.json {
        let object = serde_json::json!({ "mounts": reports });
        return Ok(Outcome {
            text: format!("{}\n", serde_json::to_string_pretty(&object)?).into(),
            code,
        });
    }
    if reports.is_empty() {
        let text = match &arguments.mountpoint {
            Some(given) => format!("nothing is mounted at {}\n", given.display()),
            None => "nothing is mounted\n".to_owned(),
        };
        return Ok(Outcome { text: text.into(), code });
    }
    Ok(Outcome { text: table::of(&reports).into(), code })
}

async fn report(mount: &MountInfo) -> Report {
    let mut report = Report {
        mountpoint: mount.mountpoint.clone(),
        store: mount.source.clone(),
        user: mount.user_id(),
        mode: None,
        problem: None,
        daemon: None,
    };
    match ask(mount).await {
        Ok(status) => {
            let own = status.mounts.iter().find(|live| live.mountpoint == mount.mountpoint);
            report.mode = own.map(|live| live.mode.clone());
            report.daemon = Some(status);
        }
        Err(error) => {
            report.problem = Some(match state_of(&mount.mountpoint) {
                PathState::Stale { .. } => {
                    "its daemon has died: `pkgfs mount` recovers it, `pkgfs unmount` takes it away"
                        .to_owned()
                }
                _ => format!("{error:#}"),
            });
        }
    }
    report
}

async fn ask(mount: &MountInfo) -> anyhow::Result<DaemonStatus> {
    match Client::connect(&mount.source).await {
        Ok(client) => Ok(client.status().await?),
        Err(ClientError::NotYours { .. }) => {
            bail!(
                "it was mounted by another user, so only its owner and {} see more",
                words::ADMINISTRATOR
            )
        }
        Err(error) => Err(error.into()),
    }
}
