//! `pkgfs-starter`: a program that starts, step by step.
//!
//! Each line on standard input is a path, or an offset, a length and a path: the file, or that part
//! of it, is read, and the digest of its bytes said. It ends with its standard input.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};

fn main() -> Result<()> {
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line?;
        let slash = line.iter().position(|byte| *byte == b'/').context("no path")?;
        let (part, path) = line.split_at(slash);
        let path = Path::new(OsStr::from_bytes(path));
        let mut numbers = std::str::from_utf8(part)?.split_whitespace();
        let bytes = match (numbers.next(), numbers.next()) {
            (Some(offset), Some(length)) => {
                let mut bytes = vec![0; length.parse()?];
                File::open(path)?.read_exact_at(&mut bytes, offset.parse()?)?;
                bytes
            }
            _ => fs::read(path)?,
        };
        println!("{}", blake3::hash(&bytes));
        std::io::stdout().flush()?;
    }
    Ok(())
}
