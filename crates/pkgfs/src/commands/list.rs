//! `pkgfs list`: the registered variants, printed as they come: no number of them fills the memory.

mod table;

use std::{
    io::{self, BufWriter, ErrorKind, Write},
    ops::ControlFlow,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use pkgfs_daemon::{Amount, Client, ListLine, TargetsOrder};
use serde::Deserialize;
use serde_json::Value;

use super::targets;
use crate::{
    cli::ListArguments,
    output::{Outcome, bytes, note},
    sys,
};
use table::Table;

/// A variant, as far as the table tells of it.
#[derive(Deserialize)]
struct Variant {
    uri: String,
    path: String,
    origin: Option<String>,
    package: String,
    status: String,
    pinned: bool,
    known: Amount,
    local: Amount,
    used: i64,
}

pub(crate) fn run(arguments: &ListArguments) -> anyhow::Result<Outcome> {
    let (mount, targets) = targets::read(&arguments.targets, &arguments.file)?;
    let order = TargetsOrder { targets };
    let mut printer = Printer::new(arguments.json);
    let (mut printed, mut unknown) = (Ok(()), None);
    super::block_on(async {
        let told = |line| match line {
            ListLine::Variants(variants) => {
                printed = printer.print(variants, &mount.mountpoint);
                if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            }
            ListLine::Unknown(reasons) => {
                unknown = Some(Ok(reasons));
                ControlFlow::Break(())
            }
            ListLine::Failed(reason) => {
                unknown = Some(Err(reason));
                ControlFlow::Break(())
            }
        };
        Ok(Client::connect(&mount.source).await?.list(&order, told).await?)
    })?;
    if let Err(error) = printed {
        return enough(error);
    }
    let unknown = match unknown {
        Some(Ok(unknown)) => unknown,
        Some(Err(reason)) => bail!("the list is not whole: {reason}"),
        None => bail!("the daemon did not finish its answer: it is ending, or its log tells why"),
    };
    unknown.iter().for_each(|reason| note(reason));
    if let Err(error) = printer.end(unknown.is_empty()) {
        return enough(error);
    }
    Ok(Outcome { text: Vec::new(), code: u8::from(!unknown.is_empty()) })
}

/// Whoever reads may have enough of it.
fn enough(error: anyhow::Error) -> anyhow::Result<Outcome> {
    let broken = |error: &io::Error| error.kind() == ErrorKind::BrokenPipe;
    if error.downcast_ref().is_some_and(broken) {
        return Ok(Outcome::default());
    }
    Err(error)
}

/// Prints variants as they come.
struct Printer {
    out: BufWriter<io::Stdout>,
    /// What is printed; JSON without it.
    table: Option<Table>,
    printed: bool,
    now: i64,
}

impl Printer {
    fn new(json: bool) -> Self {
        let stdout = io::stdout();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self {
            out: BufWriter::new(stdout),
            table: (!json).then(|| Table::new(sys::terminal_width())),
            printed: false,
            now: now.cast_signed(),
        }
    }

    fn print(&mut self, variants: Vec<Value>, mountpoint: &Path) -> anyhow::Result<()> {
        for mut variant in variants {
            if let Some(path) = variant["path"].as_str() {
                variant["path"] = mountpoint.join(path).to_string_lossy().into();
            }
            match &mut self.table {
                Some(table) => {
                    let variant = Variant::deserialize(variant);
                    let row = row(&variant.context("the daemon's answer is odd")?, self.now);
                    table.add(row, &mut self.out)?;
                }
                None => {
                    let before = if self.printed { "," } else { "{\n  \"variants\": [" };
                    let text = serde_json::to_string_pretty(&variant)?.replace('\n', "\n    ");
                    write!(self.out, "{before}\n    {text}")?;
                }
            }
            self.printed = true;
        }
        Ok(())
    }

    fn end(mut self, well: bool) -> anyhow::Result<()> {
        match self.table {
            Some(table) if self.printed => table.end(&mut self.out)?,
            Some(_) if well => writeln!(self.out, "nothing is registered")?,
            Some(_) => {}
            None if self.printed => writeln!(self.out, "\n  ]\n}}")?,
            None => writeln!(self.out, "{{\n  \"variants\": []\n}}")?,
        }
        Ok(self.out.flush()?)
    }
}

fn row(variant: &Variant, now: i64) -> table::Row {
    let pinned = if variant.pinned { ", pinned" } else { "" };
    let Amount { files, bytes: local } = variant.local;
    let known = format!(
        "{}/{} of {}/{}",
        files,
        bytes(local),
        variant.known.files,
        bytes(variant.known.bytes)
    );
    [
        format!("{}{pinned}", variant.status),
        variant.package.clone(),
        known,
        ago(now.saturating_sub(variant.used)),
        variant.uri.clone(),
        variant.path.clone(),
        variant.origin.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

fn ago(seconds: i64) -> String {
    match seconds {
        ..60 => "now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}
