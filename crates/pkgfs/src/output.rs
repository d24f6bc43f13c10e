//! What a user reads.

use std::{
    io::{self, Write},
    process::ExitCode,
};

/// What a command has to say, and how it exits.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Text, but for names on disk that are none.
    pub(crate) text: Vec<u8>,
    pub(crate) code: u8,
}

impl From<String> for Outcome {
    fn from(text: String) -> Self {
        Self { text: text.into_bytes(), code: 0 }
    }
}

/// Prints the outcome, or the error in one line.
pub(crate) fn finish(result: anyhow::Result<Outcome>) -> ExitCode {
    match result {
        Ok(Outcome { text, code }) => {
            let mut stdout = io::stdout();
            let written = stdout.write_all(&text).and_then(|()| stdout.flush());
            match written {
                // Whoever reads has enough.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    note(&format!("cannot write the output: {error}"));
                    ExitCode::FAILURE
                }
                _ => ExitCode::from(code),
            }
        }
        Err(error) => {
            note(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// One line on standard error.
pub(crate) fn note(text: &str) {
    // With standard error closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "pkgfs: {}", harmless(text.trim_end()));
}

/// A text that does nothing to a terminal but end lines: names in it may be anybody's.
fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => harmless.push('\n'),
            control if control.is_control() => harmless.extend(control.escape_default()),
            other => harmless.push(other),
        }
    }
    harmless
}

/// Bytes for people: `1.5 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A share for people: `12.5 %`, or a dash of nothing.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", part as f64 * 100.0 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_escapes_does_nothing_to_a_terminal() {
        assert_eq!(harmless("a\u{1b}[31m is é,\n  b\u{9b}\r"), "a\\u{1b}[31m is é,\n  b\\u{9b}\\r");
    }

    #[test]
    fn amounts_are_told_with_a_fitting_unit() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(bytes(u64::MAX), "16384.0 PiB");
        assert_eq!(share(1, 8), "12.5 %");
        assert_eq!(share(0, 0), "-");
    }
}
