//! `pkgfs warm`: fetches variants ahead, and shows how far it is.

use std::{fmt::Write as _, io::Write as _};

use anyhow::bail;
use pkgfs_daemon::{
    Client, TargetsOrder, WarmLimits, WarmLine, WarmOrder, WarmProgress, WarmReport,
};

use super::{change, progress::Shown, targets};
use crate::{
    cli::WarmArguments,
    output::{Outcome, bytes, note},
};

pub(crate) fn run(arguments: &WarmArguments) -> anyhow::Result<Outcome> {
    let (mount, targets) = targets::read(&arguments.what.targets, &arguments.what.file)?;
    let TargetsOrder { targets } = TargetsOrder { targets };
    let limits =
        WarmLimits { max_file_size: arguments.max_file_size, max_total: arguments.max_total };
    let order = WarmOrder { targets, limits, detached: arguments.no_wait };
    let mut shown = Shown::new(arguments.quiet || arguments.no_wait);
    let mut last = None;
    let ended = super::block_on(async {
        let client = Client::connect(&mount.source).await?;
        let job = client.warm(&order, |line| match line {
            WarmLine::Progress(progress) => {
                let (done, known) = (progress.done.bytes, progress.known.bytes);
                shown.progress(done, known, || told(&progress));
            }
            other => last = Some(other),
        });
        super::unless_interrupted(job).await
    })?;
    shown.end();
    match (ended, last) {
        (None, _) => bail!("cancelled; what was fetched stays"),
        (_, Some(WarmLine::Detached)) => {
            Ok("the daemon fetches them; its log tells the end\n".to_owned().into())
        }
        (_, Some(WarmLine::Report(report))) => tell(&report),
        _ => bail!("the daemon did not finish its answer: it is ending, or its log tells why"),
    }
}

fn tell(report: &WarmReport) -> anyhow::Result<Outcome> {
    let mut outcome = change::tell(&report.variants, "added", "already there")?;
    let text = &mut outcome.text;
    writeln!(
        text,
        "{} files, {} are local; {} files, {} were fetched",
        report.local.files,
        bytes(report.local.bytes),
        report.fetched.files,
        bytes(report.fetched.bytes)
    )?;
    if report.left_out.files > 0 {
        let (files, size) = (report.left_out.files, bytes(report.left_out.bytes));
        writeln!(text, "left out by size: {files} files, {size}")?;
    }
    report.failed.iter().for_each(|reason| note(&format!("not fetched: {reason}")));
    let untold = report.failures - report.failed.len() as u64;
    if untold > 0 {
        note(&format!("not fetched: {untold} more"));
    }
    if report.not_tried > 0 {
        let files = report.not_tried;
        note(&format!("shared storage does not answer: {files} files were not tried; try again"));
    }
    if report.failures > 0 || report.not_tried > 0 {
        outcome.code = 1;
    }
    Ok(outcome)
}

/// Files, the rate, and the time that is left at this rate.
fn told(progress: &WarmProgress) -> String {
    let (done, known) = (progress.done.files, progress.known.files);
    let rate = progress.bytes_per_second;
    let more = if progress.listing { "+" } else { "" };
    let mut text = format!("{done} of {known}{more} files, {}/s", bytes(rate));
    let left = progress.known.bytes.saturating_sub(progress.done.bytes);
    if let Some(seconds) = left.checked_div(rate) {
        let _ = write!(text, ", {}:{:02} left", seconds / 60, seconds % 60);
    }
    text
}
