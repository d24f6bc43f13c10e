//! `pkgfs clean`: takes away what nobody needs, and tells what that was.

use std::fmt::Write;

use pkgfs_daemon::{CleanOrder, CleanReport, Client};

use super::targets;
use crate::{
    cli::CleanArguments,
    output::{Outcome, bytes, note},
};

pub(crate) fn run(arguments: &CleanArguments) -> anyhow::Result<Outcome> {
    let mount = targets::mount(arguments.mountpoint.as_ref(), &arguments.file)?;
    let order = CleanOrder { dry_run: arguments.dry_run };
    let report =
        super::block_on(async { Ok(Client::connect(&mount.source).await?.clean(&order).await?) })?;
    report.failed.iter().for_each(|reason| note(reason));
    let code = u8::from(!report.failed.is_empty());
    if arguments.json {
        let text = format!("{}\n", serde_json::to_string_pretty(&report)?);
        return Ok(Outcome { text: text.into(), code });
    }
    Ok(Outcome { text: told(&report)?.into(), code })
}

fn told(report: &CleanReport) -> anyhow::Result<String> {
    let (action, total) =
        if report.dry_run { ("would remove", "would free") } else { ("removed", "freed") };
    let mut text = String::new();
    for (kind, names) in [
        ("stalled copy", &report.stalled),
        ("unused", &report.unused),
        (".sys/to_delete/", &report.to_delete),
        (".sys/pending/", &report.pending),
    ] {
        let blank = if kind.ends_with('/') { "" } else { " " };
        for name in names {
            writeln!(text, "{action} {kind}{blank}{name}")?;
        }
    }
    writeln!(
        text,
        "{total} {} in {} blobs and {} in {} partial files",
        bytes(report.blob_bytes),
        report.blobs,
        bytes(report.partial_bytes),
        report.partial_files
    )?;
    Ok(text)
}
