//! The table that the demo ends with.

use super::figures::PackageFigures;
use super::measurement::Measurement;
use super::way::Way;

const LABEL: usize = 50;
const COLUMN: usize = 13;

/// One package's part of the table.
pub(super) fn part(figures: &PackageFigures) -> String {
    let mut lines = vec![format!(
        "{} {}: {} files, {} on shared storage",
        figures.name,
        figures.version,
        count(figures.payload.files),
        bytes(figures.payload.bytes)
    )];
    let mut headings = format!("  {:LABEL$}", "");
    for way in Way::ALL {
        headings += &format!("{:>COLUMN$}", way.heading());
    }
    lines.push(headings);
    let mut row = |label: String, cell: fn(&Measurement) -> String| {
        let mut line = format!("  {label:LABEL$}");
        for way in Way::ALL {
            let cell = figures.medians.get(&way).map_or_else(|| "-".to_owned(), cell);
            line += &format!("{cell:>COLUMN$}");
        }
        lines.push(line);
    };
    row(format!("first rez-env, until `import {}` is done", figures.module), |run| {
        seconds(run.first.seconds)
    });
    row("    of which the import".into(), |run| seconds(run.first.import_seconds));
    row("    operations on shared storage".into(), |run| count(run.first.operations));
    row("the same again".into(), |run| seconds(run.second.seconds));
    row("    operations on shared storage".into(), |run| count(run.second.operations));
    row("files copied to this machine".into(), |run| count(run.copied.files));
    row("bytes copied to this machine".into(), |run| bytes(run.copied.bytes));
    row("roots in the cache at the first rez-env".into(), |run| {
        format!("{} of {}", run.remapped, run.roots)
    });
    if let Some(ratios) = figures.ratios() {
        lines.push(format!(
            "  pkgfs: usable {:.1}x sooner than rez's copy, its first import takes {:.2}x the one without cache,",
            ratios.sooner_than_rez, ratios.first_import_to_straight,
        ));
        lines.push(format!(
            "         and it copied {:.2}x the bytes of the files that were opened",
            ratios.copied_to_opened
        ));
    }
    lines.join("\n") + "\n"
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.2} s")
}

#[allow(clippy::cast_precision_loss)]
fn bytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// A number with its thousands set apart.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }
}
