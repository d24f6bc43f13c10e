//! How long definitions take to be read, on one core: `read-definitions FILE…`
//!
//! Each file is read into memory once and parsed many times, of which the fastest counts: what else
//! the machine does is no part of it. Told are the median and the slowest file.
#![allow(clippy::unwrap_used, reason = "a measurement ends with what went wrong")]

use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use pkgfs_rez::{Format, Reading, read};

/// For how long each definition is parsed.
const LONG: Duration = Duration::from_millis(100);

fn main() {
    let mut figures = Vec::new();
    for path in std::env::args().skip(1) {
        let name = Path::new(&path).file_name().and_then(|name| name.to_str()).unwrap();
        let format = Format::of_file(name).unwrap();
        let text = std::fs::read(&path).unwrap();
        if !matches!(read(&text, format), Reading::Literal(_)) {
            continue;
        }
        let (start, mut fastest) = (Instant::now(), u128::MAX);
        while start.elapsed() < LONG {
            let once = Instant::now();
            black_box(read(black_box(&text), format));
            fastest = fastest.min(once.elapsed().as_nanos());
        }
        figures.push((fastest, text.len(), path));
    }
    figures.sort();
    let shown = |what: &str, (time, bytes, path): &(u128, usize, String)| {
        println!("{what}: {time} ns for {bytes} bytes ({path})");
    };
    println!("{} literal definitions", figures.len());
    shown("median", &figures[figures.len() / 2]);
    shown("slowest", figures.last().unwrap());
}
