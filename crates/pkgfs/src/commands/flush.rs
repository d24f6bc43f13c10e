//! `pkgfs flush`: the next read asks shared storage again.

use std::fmt::Write;

use anyhow::Context;
use pkgfs_daemon::{Client, FlushOrder};
use serde::Deserialize;

use super::targets;
use crate::{cli::FlushArguments, config, output::Outcome};

/// The daemon's answer, as far as it is told.
#[derive(Deserialize)]
struct Report {
    flushed: Vec<String>,
    kept: Vec<String>,
    unknown: Vec<String>,
}

pub(crate) fn run(arguments: &FlushArguments) -> anyhow::Result<Outcome> {
    let mut named = None;
    let mut variants = Vec::new();
    for target in &arguments.targets {
        let text = target.to_str().with_context(|| {
            format!("{} is not UTF-8, so it can be neither mount nor variant", target.display())
        })?;
        // A path in a mount names the mount, and the variant if there is more to it. A
        // mere name is a package's, unless a mountpoint in this folder is called so.
        let holding = targets::holding(target)?;
        let holding = match holding {
            Some(mount) if !text.contains('/') => {
                (pkgfs_fuse::resolve(target)? == mount.mountpoint).then_some(mount)
            }
            other => other,
        };
        match holding {
            None => variants.push(text.to_owned()),
            Some(mount) => {
                let path = pkgfs_fuse::resolve(target)?;
                if let Ok(inside) = path.strip_prefix(&mount.mountpoint)
                    && !inside.as_os_str().is_empty()
                {
                    variants.push(inside.to_string_lossy().into_owned());
                }
                named = Some(mount);
            }
        }
    }
    let mount = match named {
        Some(mount) => mount,
        None => targets::unnamed(config::load_with(&arguments.file)?.settings.mountpoint)?,
    };
    let order = FlushOrder { variants };
    let report =
        super::block_on(async { Ok(Client::connect(&mount.source).await?.flush(&order).await?) })?;
    let report: Report = serde_json::from_value(report).context("the daemon's answer is odd")?;
    tell(&report)
}

fn tell(report: &Report) -> anyhow::Result<Outcome> {
    let mut text = String::new();
    for uri in &report.flushed {
        writeln!(text, "flushed {uri}")?;
    }
    for reason in &report.kept {
        writeln!(text, "kept {reason}")?;
    }
    for wanted in &report.unknown {
        writeln!(text, "no registered variant is {wanted}: `rez-pkg-cache` lists them")?;
    }
    if text.is_empty() {
        text.push_str("nothing is registered, so there was nothing to flush\n");
    }
    Ok(Outcome { text: text.into(), code: u8::from(!report.unknown.is_empty()) })
}
