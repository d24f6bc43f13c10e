//! `pkgfs verify`: compares all local bytes with their digests, and tells what was bad.

use std::fmt::Write as _;

use anyhow::bail;
use pkgfs_daemon::{Client, VerifyLine, VerifyOrder, VerifyReport};

use super::{progress::Shown, targets};
use crate::{
    cli::VerifyArguments,
    output::{Outcome, bytes, note},
};

pub(crate) fn run(arguments: &VerifyArguments) -> anyhow::Result<Outcome> {
    let mount = targets::mount(arguments.mountpoint.as_ref(), &arguments.file)?;
    let order = VerifyOrder { repair: arguments.repair };
    let mut shown = Shown::new(arguments.quiet || arguments.json);
    let mut last = None;
    let ended = super::block_on(async {
        let client = Client::connect(&mount.source).await?;
        let check = client.verify(&order, |line| match line {
            VerifyLine::Progress(progress) => {
                let (checked, known) = (progress.checked, progress.known);
                let told = || format!("{} of {} blobs", checked.files, known.files);
                shown.progress(checked.bytes, known.bytes, told);
            }
            VerifyLine::Report(report) => last = Some(report),
        });
        super::unless_interrupted(check).await
    })?;
    shown.end();
    match (ended, last) {
        (None, _) => bail!("cancelled; what was found bad until then is out of use"),
        (_, Some(report)) => tell(&report, arguments),
        _ => bail!("the daemon did not finish its answer: it is ending, or its log tells why"),
    }
}

fn tell(report: &VerifyReport, arguments: &VerifyArguments) -> anyhow::Result<Outcome> {
    let left = report.bad_files.saturating_sub(report.repaired);
    // Bad bytes that are sound again are no failure of a repair.
    let sound = report.bad_blobs == 0 && report.database.is_none();
    let well = report.failures == 0 && (sound || arguments.repair);
    let code = u8::from(!well);
    if arguments.json {
        let text = format!("{}\n", serde_json::to_string_pretty(report)?);
        return Ok(Outcome { text: text.into(), code });
    }
    let mut text = String::new();
    for bad in &report.bad {
        writeln!(text, "bad: {} ({})", bad.digest, bad.reason)?;
        bad.files.iter().try_for_each(|file| writeln!(text, "  {file}"))?;
        match bad.file_count - bad.files.len() as u64 {
            0 => {}
            more => writeln!(text, "  and {more} more")?,
        }
    }
    if let Some(database) = &report.database {
        writeln!(text, "the database was damaged: {database}")?;
    }
    let checked = report.checked;
    write!(text, "{} blobs, {} checked", checked.files, bytes(checked.bytes))?;
    writeln!(text, "; {} bad", report.bad_blobs)?;
    if report.repaired > 0 {
        writeln!(text, "{} files were fetched anew", report.repaired)?;
    }
    for variant in &report.removed {
        writeln!(text, "{variant}: rez's copy was removed; rez copies it in anew")?;
    }
    if left > 0 && !arguments.repair {
        writeln!(text, "{left} files are fetched anew when they are read")?;
    }
    report.failed.iter().for_each(|reason| note(reason));
    let untold = report.failures - report.failed.len() as u64;
    if untold > 0 {
        note(&format!("and {untold} more"));
    }
    Ok(Outcome { text: text.into(), code })
}
