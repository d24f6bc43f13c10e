//! `pkgfs upgrade`: another program goes on serving a mount, and those who use it notice a pause.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use pkgfs_daemon::{Client, ClientError, DaemonStatus, UpgradeOrder};

use super::targets;
use crate::{cli::UpgradeArguments, output::Outcome, sys};

/// How long the next daemon may take to answer.
const LONGEST: Duration = Duration::from_secs(30);

pub(crate) fn run(arguments: &UpgradeArguments) -> anyhow::Result<Outcome> {
    if let Some(why) = sys::NO_HAND_OVER {
        bail!(why);
    }
    let mount = targets::mount(arguments.mountpoint.as_ref(), &arguments.file)?;
    let program = match &arguments.program {
        Some(given) => std::path::absolute(given)?,
        None => std::env::current_exe().context("cannot tell where this program lies")?,
    };
    let version = version_of(&program)?;
    super::block_on(async {
        let former = Client::connect(&mount.source).await?.status().await?;
        let asked = Instant::now();
        let order = UpgradeOrder { program: program.clone() };
        let _ = Client::connect(&mount.source).await?.upgrade(&order).await?;
        let now = successor_of(&former, &mount.source).await?;
        if now.version != version {
            bail!(
                "{} did not take over; version {} goes on in process {}: the log {} tells why",
                program.display(),
                now.version,
                now.pid,
                now.log.display()
            );
        }
        let text = format!(
            "{}: process {} (version {}) has taken over from process {} (version {}) in {} ms\n",
            mount.mountpoint.display(),
            now.pid,
            now.version,
            former.pid,
            former.version,
            asked.elapsed().as_millis()
        );
        Ok(text.into())
    })
}

/// The version of a program, which must be this one's in another version.
fn version_of(program: &Path) -> anyhow::Result<String> {
    let said = Command::new(program)
        .arg("--version")
        .output()
        .with_context(|| format!("cannot run {}: choose another --program", program.display()))?;
    let said = String::from_utf8_lossy(&said.stdout);
    match said.trim().strip_prefix("pkgfs ") {
        Some(version) => Ok(version.to_owned()),
        None => bail!("{} is not pkgfs: choose another --program", program.display()),
    }
}

/// The state of the daemon that comes after this one.
async fn successor_of(former: &DaemonStatus, store: &Path) -> anyhow::Result<DaemonStatus> {
    let until = Instant::now() + LONGEST;
    loop {
        let status = async { Client::connect(store).await?.status().await };
        match status.await {
            Ok(status) if status.pid != former.pid => return Ok(status),
            Ok(_) | Err(ClientError::NoDaemon { .. } | ClientError::Broken { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if Instant::now() >= until {
            bail!(
                "no daemon answers for {} since process {} ended: the log {} tells why",
                store.display(),
                former.pid,
                former.log.display()
            );
        }
        // There is no event to wait for: its socket comes.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
