//! What was measured, as JSON, as Markdown, and as plots.

mod plot;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::figures::{Claim, Limit, Part, Row, rounded};
use super::way::Way;

/// Writes one part's files into a directory: `<part>.json`, `<part>.md`, `<part>-….svg`.
pub(super) fn write(part: &Part, to: &Path, quick: bool) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let name = if quick { format!("{}-quick", part.name) } else { part.name.to_owned() };
    let json = serde_json::to_string_pretty(part)? + "\n";
    fs::write(to.join(format!("{name}.json")), json)?;
    let mut text = format!("## {}\n\n", part.heading);
    if !part.rows.is_empty() {
        text += &table(&part.rows);
        let image = format!("{name}-rows.svg");
        plot::rows(&part.rows, &to.join(&image))?;
        text += &format!("\n![{}]({image})\n", part.heading);
    }
    if !part.claims.is_empty() {
        text += &format!("\n{}", claims(part));
    }
    for (number, curve) in part.curves.iter().enumerate() {
        let image = format!("{name}-curve-{number}.svg");
        plot::curve(curve, &to.join(&image))?;
        text += &format!("\n![{}]({image})\n", curve.name);
    }
    fs::write(to.join(format!("{name}.md")), &text)?;
    println!("{text}");
    Ok(())
}

/// Median time, ratio to native or else to straight, operations and bytes at storage.
fn table(rows: &[Row]) -> String {
    let ways: Vec<Way> = Way::ALL
        .into_iter()
        .filter(|way| rows.iter().any(|row| row.cells.contains_key(way)))
        .collect();
    let mut text = "| |".to_owned();
    for way in &ways {
        text += &format!(" {} |", way.heading());
    }
    text += &format!("\n|{}\n", " --- |".repeat(ways.len() + 1));
    for row in rows {
        text += &format!("| {} |", row.name);
        for way in &ways {
            text += &format!(" {} |", cell(row, *way).unwrap_or_else(|| "–".to_owned()));
        }
        text.push('\n');
    }
    text
}

fn cell(row: &Row, way: Way) -> Option<String> {
    let cell = row.cells.get(&way)?;
    let mut text = seconds(cell.median()?);
    let base = if row.cells.contains_key(&Way::Native) { Way::Native } else { Way::Straight };
    if let Some(ratio) = row.ratio(way, base).filter(|_| way != base) {
        text += &format!(" ({}×)", rounded(ratio));
    }
    let asked = cell.asked();
    if asked.operations > 0 {
        text += &format!("; {} op, {}", asked.operations, bytes(asked.bytes));
    }
    if cell.seconds.len() < 15 {
        text += &format!("; n = {}", cell.seconds.len());
    }
    Some(text)
}

/// Each figure beside its limit; of comparisons with other caches those that are missed.
fn claims(part: &Part) -> String {
    let mut text = "| figure | measured | limit | |\n| --- | --- | --- | --- |\n".to_owned();
    let is_told = |claim: &&Claim| !claim.is_comparison() || !claim.is_met();
    for claim in part.claims.iter().filter(is_told) {
        let limit = match claim.limit {
            Limit::AtMost(most) => format!("≤ {}", rounded(most)),
            Limit::AtLeast(least) => format!("≥ {}", rounded(least)),
        };
        let met = if claim.is_met() { "met" } else { "**missed**" };
        text += &format!("| {} | {} | {limit} | {met} |\n", claim.what, rounded(claim.figure));
    }
    let others = part.claims.iter().filter(|claim| claim.is_comparison());
    let (met, missed): (Vec<_>, Vec<_>) = others.partition(|claim| claim.is_met());
    if met.len() + missed.len() > 0 {
        let all = met.len() + missed.len();
        text += &format!(
            "\nNo slower than rclone and than rez's copy: {} of {all} comparisons.\n",
            met.len()
        );
    }
    text
}

/// A time with a unit that fits.
fn seconds(seconds: f64) -> String {
    match seconds {
        long if long >= 1.0 => format!("{} s", rounded(long)),
        middle if middle >= 1e-3 => format!("{} ms", rounded(middle * 1e3)),
        short => format!("{} µs", rounded(short * 1e6)),
    }
}

#[allow(clippy::cast_precision_loss)]
fn bytes(bytes: u64) -> String {
    match bytes {
        0 => "0 B".to_owned(),
        few if few < 100_000 => format!("{} kB", rounded(few as f64 / 1e3)),
        many => format!("{} MB", rounded(many as f64 / 1e6)),
    }
}
