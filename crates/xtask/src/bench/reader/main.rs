//! `pkgfs-bench-reader WORK PATH [NUMBER]`: does one kind of reading and tells what it took.
//!
//! | work | reads |
//! | --- | --- |
//! | `walk` | every directory below PATH, as `find` does |
//! | `stat` | the attributes of every file below PATH; finding them is not timed |
//! | `read` | every file below PATH, whole; finding them is not timed |
//! | `names` | the attributes of the paths that stand in the file PATH, one a line |
//! | `files` | the files that stand in the file PATH, whole |
//! | `sequential` | the file PATH from its start to its end, 1 MiB at a time |
//! | `first` | the first 4 KiB of the file PATH, open included |
//! | `mapped` | a byte of NUMBER pages of the file PATH, mapped, in an order of chance |
//! | `readers` | the file PATH, by NUMBER threads |
//! | `processes` | every file below PATH, by each of NUMBER processes |
//! | `opens` | every file below PATH, whole, NUMBER times, by several threads |
//! | `pages` | NUMBER pages of the file PATH, none from the page cache, by several threads |
//! | `cold` | the files that stand in the file PATH, by NUMBER threads; they may fail |
//!
//! Of the last three the time is that of single ones: 99.9 of 100 `opens` and `pages` took no
//! longer, and no `cold` one did, of which `files` counts those that failed.
//!
//! The answer is a line of JSON: `{"nanoseconds": …, "files": …, "bytes": …}`. What is timed
//! begins when this program runs and everything that is not part of the work is done.

mod crowd;
mod single;
mod work;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pkgfs-bench-reader: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let [work, path, more @ ..] = arguments else { bail!("usage: WORK PATH [NUMBER]") };
    let path = Path::new(path);
    let number = || -> Result<usize> {
        Ok(more.first().context("this work needs a number")?.parse::<usize>()?)
    };
    let done = match work.as_str() {
        "walk" => work::walk(path)?,
        "stat" => work::stat(&work::files_below(path)?)?,
        "read" => work::read(&work::files_below(path)?)?,
        "names" => work::stat(&work::listed(path)?)?,
        "files" => work::read(&work::listed(path)?)?,
        "sequential" => work::sequential(path)?,
        "first" => work::first(path)?,
        "mapped" => work::mapped(path, number()?)?,
        "readers" => crowd::readers(path, number()?)?,
        "processes" => crowd::processes(path, number()?)?,
        "opens" => single::opens(&work::files_below(path)?, number()?)?,
        "pages" => single::pages(path, number()?)?,
        "cold" => single::cold(&work::listed(path)?, number()?)?,
        crowd::MEMBER => crowd::member(path, number()?)?,
        unknown => bail!("no work is called {unknown:?}"),
    };
    println!("{}", serde_json::to_string(&done)?);
    Ok(())
}
