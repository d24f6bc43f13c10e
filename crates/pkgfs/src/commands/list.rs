//! `pkgfs list`: the registered variants.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use pkgfs_daemon::{Amount, Client, TargetsOrder};
use serde::Deserialize;

use super::targets;
use crate::{
    cli::ListArguments,
    output::{Outcome, bytes, note},
};

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

const COLUMNS: [&str; 7] = ["STATUS", "PACKAGE", "LOCAL", "USED", "URI", "PATH", "ORIGIN"];
/// These stay, however narrow the terminal is.
const LEAST_COLUMNS: usize = 2;

pub(crate) fn run(arguments: &ListArguments) -> anyhow::Result<Outcome> {
    let (mount, targets) = targets::read(&arguments.targets, &arguments.file)?;
    let order = TargetsOrder { targets };
    let mut listed =
        super::block_on(async { Ok(Client::connect(&mount.source).await?.list(&order).await?) })?;
    listed.unknown.iter().for_each(|reason| note(reason));
    let code = u8::from(!listed.unknown.is_empty());
    for variant in &mut listed.variants {
        if let Some(path) = variant["path"].as_str() {
            variant["path"] = mount.mountpoint.join(path).to_string_lossy().into();
        }
    }
    if arguments.json {
        let object = serde_json::json!({ "variants": listed.variants });
        return Ok(Outcome {
            text: format!("{}\n", serde_json::to_string_pretty(&object)?).into(),
            code,
        });
    }
    let variants: Vec<Variant> =
        serde_json::from_value(listed.variants.into()).context("the daemon's answer is odd")?;
    if variants.is_empty() {
        let text = if code == 0 { "nothing is registered\n" } else { "" };
        return Ok(Outcome { text: text.into(), code });
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let rows: Vec<_> = variants.iter().map(|variant| row(variant, now.cast_signed())).collect();
    let stdout = std::io::stdout();
    let width = rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col));
    Ok(Outcome { text: table(&rows, width.filter(|width| *width > 0)).into(), code })
}

fn row(variant: &Variant, now: i64) -> [String; 7] {
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

/// As many columns as fit, from the left; all of them where nobody says how wide.
fn table(rows: &[[String; 7]], width: Option<usize>) -> String {
    let length = |text: &str| text.chars().count();
    let widths: [usize; 7] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| length(&row[column]));
        cells.max().unwrap_or(0).max(length(COLUMNS[column]))
    });
    let fits = |columns: usize| {
        let wide = widths[..columns].iter().sum::<usize>() + 2 * (columns - 1);
        width.is_none_or(|width| wide <= width)
    };
    let columns = (LEAST_COLUMNS..=7).rev().find(|columns| fits(*columns)).unwrap_or(LEAST_COLUMNS);
    let mut text = String::new();
    let heads = COLUMNS.map(str::to_owned);
    for row in std::iter::once(&heads).chain(rows) {
        let mut line = String::new();
        for (cell, wide) in row[..columns].iter().zip(widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', wide - length(cell) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_the_columns_that_fit() {
        let row: [String; 7] = std::array::from_fn(|column| format!("{column}").repeat(12));
        let lines = |width| -> Vec<String> {
            table(std::slice::from_ref(&row), width).lines().map(str::to_owned).collect()
        };
        assert_eq!(lines(None)[0].split_whitespace().count(), 7);
        assert_eq!(lines(Some(12 * 7 + 2 * 6))[0].split_whitespace().count(), 7);
        let narrow = lines(Some(80));
        assert_eq!(narrow[0].split_whitespace().count(), 5);
        assert!(narrow.iter().all(|line| line.len() <= 80), "{narrow:?}");
        assert_eq!(lines(Some(3))[0].split_whitespace().count(), 2);
    }
}
