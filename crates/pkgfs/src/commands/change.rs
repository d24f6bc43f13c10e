//! `pkgfs add`, `remove`, `pin` and `unpin`: one line for each variant.

use std::fmt::Write;

use pkgfs_daemon::{Client, RemoveOrder, Report, TargetsOrder};

use super::targets;
use crate::{
    cli::{RemoveArguments, TargetArguments},
    output::{Outcome, note},
};

pub(crate) fn add(arguments: &TargetArguments) -> anyhow::Result<Outcome> {
    let (mount, targets) = targets::read(&arguments.targets, &arguments.file)?;
    let order = TargetsOrder { targets };
    let report =
        super::block_on(async { Ok(Client::connect(&mount.source).await?.add(&order).await?) })?;
    tell(&report, "added", "already there")
}

pub(crate) fn remove(arguments: &RemoveArguments) -> anyhow::Result<Outcome> {
    let (mount, targets) = targets::read(&arguments.what.targets, &arguments.what.file)?;
    let order = RemoveOrder { targets, force: arguments.force };
    let report =
        super::block_on(async { Ok(Client::connect(&mount.source).await?.remove(&order).await?) })?;
    tell(&report, "removed", "not there")
}

pub(crate) fn pin(arguments: &TargetArguments, pin: bool) -> anyhow::Result<Outcome> {
    let (mount, targets) = targets::read(&arguments.targets, &arguments.file)?;
    let order = TargetsOrder { targets };
    let report = super::block_on(async {
        Ok(Client::connect(&mount.source).await?.pin(&order, pin).await?)
    })?;
    if pin {
        tell(&report, "pinned", "already pinned")
    } else {
        tell(&report, "unpinned", "not pinned")
    }
}

/// What was done goes to standard output; what was not, to standard error.
pub(super) fn tell(report: &Report, changed: &str, unchanged: &str) -> anyhow::Result<Outcome> {
    let mut text = String::new();
    for uri in &report.changed {
        writeln!(text, "{changed} {uri}")?;
    }
    for uri in &report.unchanged {
        writeln!(text, "{unchanged} {uri}")?;
    }
    for reason in &report.passed_over {
        writeln!(text, "passed over {reason}")?;
    }
    report.refused.iter().for_each(|reason| note(reason));
    Ok(Outcome { text: text.into(), code: u8::from(!report.refused.is_empty()) })
}
