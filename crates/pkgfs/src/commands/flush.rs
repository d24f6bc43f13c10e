//! `pkgfs flush`: the next read asks shared storage again.

use std::fmt::Write;

use anyhow::Context;
use pkgfs_daemon::{Client, FlushOrder};
use serde::Deserialize;

use super::targets;
use crate::{
    cli::FlushArguments,
    output::{Outcome, note},
};

/// The daemon's answer, as far as it is told.
#[derive(Deserialize)]
struct Report {
    flushed: Vec<String>,
    kept: Vec<String>,
    unknown: Vec<String>,
}

pub(crate) fn run(arguments: &FlushArguments) -> anyhow::Result<Outcome> {
    let (mount, variants) = targets::read(&arguments.targets, &arguments.file)?;
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
    report.unknown.iter().for_each(|reason| note(reason));
    if text.is_empty() && report.unknown.is_empty() {
        text.push_str("nothing is registered, so there was nothing to flush\n");
    }
    Ok(Outcome { text: text.into(), code: u8::from(!report.unknown.is_empty()) })
}
