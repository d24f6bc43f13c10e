//! `cargo xtask bench scan`: 10,000 versions in 400 families, enumerated by rez and by `pkgfs scan`.
//!
//! rez runs in a Python that has imported it already and times itself, with a fresh repository
//! object each time; twice, once for the enumeration alone, and once asking each package for its
//! definition, which is what a scan tells. `pkgfs.scan_repo` runs in the same Python; `pkgfs scan` is
//! timed from outside, start of the process and JSON output included. All go in turns, and medians are
//! shown.

mod rez;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use clap::Args;
use pkgfs_standin::{Client, Options as Storage, StandinProcess};
use serde::Serialize;

use crate::setup;
use crate::{process, wheel, workspace};
use rez::Rez;

const FAMILIES: usize = 400;
const VERSIONS: usize = 25;

/// How to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Repetitions, interleaved; medians are shown.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { runs: 7, json: None }
    }
}

/// What one row of the table holds; times in milliseconds, of each run.
#[derive(Default, Serialize)]
struct Row {
    rez: Vec<f64>,
    rez_with_definitions: Vec<f64>,
    scan_repo: Vec<f64>,
    pkgfs: Vec<f64>,
    rez_operations: Option<u64>,
    pkgfs_operations: Option<u64>,
}

/// Runs it and prints a table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let installed = setup::run()?;
    let build = ["build", "--release", "--package", "pkgfs", "--package", "pkgfs-standin"];
    process::run(&mut process::cargo(&build))?;
    let place = tempfile::Builder::new().prefix("pkgfs-bench-").tempdir_in("/var/tmp")?;
    let repository = place.path().join("repository");
    fill(&repository)?;
    let [cache, modules] = ["cache", "modules"].map(|name| place.path().join(name));
    let mut unpack = process::command("python3");
    unpack.args(["-m", "zipfile", "-e"]).arg(wheel::build(false)?).arg(&modules);
    process::run(&mut unpack)?;
    let rez = Rez::start(&installed.rez, &modules, &place.path().join("python-cache"))?;
    let bench = Bench { rez, cache, repository };
    let mut rows = BTreeMap::new();
    bench.local(options.runs, &mut rows)?;
    bench.storage(options.runs.min(5), &place.path().join("storage"), &mut rows)?;
    show(&rows);
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_string_pretty(&rows)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn fill(repository: &Path) -> Result<()> {
    for family in 0..FAMILIES {
        for version in 0..VERSIONS {
            release(repository, family, &format!("{}.{}.0", version / 5, version % 5))?;
        }
        settle(&repository.join(format!("family_{family}")))?;
    }
    Ok(())
}

fn release(repository: &Path, family: usize, version: &str) -> Result<()> {
    let directory = repository.join(format!("family_{family}")).join(version);
    fs::create_dir_all(&directory)?;
    let text = format!("name = 'family_{family}'\nversion = '{version}'\n");
    fs::write(directory.join("package.py"), text)?;
    settle(&directory)
}

/// Sets a directory's time back, so that it can be relied on.
fn settle(directory: &Path) -> Result<()> {
    let old = SystemTime::now() - Duration::from_secs(3600);
    Ok(fs::File::open(directory)?.set_modified(old)?)
}

struct Bench {
    rez: Rez,
    cache: PathBuf,
    repository: PathBuf,
}

impl Bench {
    /// On the local disk.
    fn local(&self, runs: u16, rows: &mut BTreeMap<&'static str, Row>) -> Result<()> {
        self.pkgfs(&self.repository, &[])?;
        self.rez.ours(&self.repository, false)?;
        for _ in 0..runs {
            let warm = rows.entry("1 local, warm, everything read").or_default();
            self.rez(&self.repository, warm)?;
            warm.scan_repo.push(self.rez.ours(&self.repository, true)?);
            warm.pkgfs.push(self.pkgfs(&self.repository, &["--fresh"])?);
            let again = rows.entry("2 local, warm, nothing changed").or_default();
            self.rez(&self.repository, again)?;
            again.scan_repo.push(self.rez.ours(&self.repository, false)?);
            again.pkgfs.push(self.pkgfs(&self.repository, &[])?);
            if let Err(error) = drop_caches() {
                eprintln!("bench: no cold figures: {error:#}");
                continue;
            }
            let cold = rows.entry("3 local, cold, everything read").or_default();
            cold.rez.push(self.rez.bare(&self.repository)?);
            drop_caches()?;
            cold.rez_with_definitions.push(self.rez.full(&self.repository)?);
            drop_caches()?;
            cold.scan_repo.push(self.rez.ours(&self.repository, true)?);
            // The programs themselves are not what is cold.
            drop_caches()?;
            self.pkgfs(Path::new("/nowhere"), &[]).ok();
            cold.pkgfs.push(self.pkgfs(&self.repository, &["--fresh"])?);
        }
        Ok(())
    }

    /// Behind storage that takes 0.5 ms an operation, 16 at a time.
    fn storage(&self, runs: u16, at: &Path, rows: &mut BTreeMap<&'static str, Row>) -> Result<()> {
        fs::create_dir(at)?;
        let program = workspace::target_dir().join("release/pkgfs-standin");
        let standin = StandinProcess::spawn(program, &self.repository, at, &Storage::default())?;
        let control = standin.control();
        for run in 0..runs {
            let first = rows.entry("4 storage, everything read").or_default();
            fresh(control)?;
            first.rez.push(self.rez.bare(at)?);
            first.rez_operations = Some(asked(control)?);
            fresh(control)?;
            first.rez_with_definitions.push(self.rez.full(at)?);
            fresh(control)?;
            first.scan_repo.push(self.rez.ours(at, true)?);
            fresh(control)?;
            first.pkgfs.push(self.pkgfs(at, &["--fresh"])?);
            first.pkgfs_operations = Some(asked(control)?);
            let again = rows.entry("5 storage, nothing changed").or_default();
            fresh(control)?;
            again.pkgfs.push(self.pkgfs(at, &[])?);
            again.pkgfs_operations = Some(asked(control)?);
            let more = rows.entry("6 storage, one version added").or_default();
            release(&self.repository, usize::from(run), "9.9.9")?;
            fresh(control)?;
            more.pkgfs.push(self.pkgfs(at, &[])?);
            more.pkgfs_operations = Some(asked(control)?);
        }
        Ok(())
    }

    fn rez(&self, repository: &Path, row: &mut Row) -> Result<()> {
        row.rez.push(self.rez.bare(repository)?);
        row.rez_with_definitions.push(self.rez.full(repository)?);
        Ok(())
    }

    /// Milliseconds that a scan takes, its start and its output included.
    fn pkgfs(&self, repository: &Path, more: &[&str]) -> Result<f64> {
        let output = tempfile::tempfile()?;
        let mut command = Command::new(workspace::target_dir().join("release/pkgfs"));
        command.args(["scan", "--json"]).arg(repository).args(more);
        command.env("XDG_CACHE_HOME", &self.cache).stdout(Stdio::from(output.try_clone()?));
        let begun = Instant::now();
        let status = command.status()?;
        let taken = begun.elapsed();
        let mut bytes = vec![0; usize::try_from(output.metadata()?.len())?];
        output.read_exact_at(&mut bytes, 0)?;
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        if !status.success() || lines < FAMILIES * VERSIONS {
            bail!("{command:?}: {status}, {lines} packages");
        }
        Ok(taken.as_secs_f64() * 1e3)
    }
}

/// Makes the kernel forget what it knows of the storage, and the storage its counts.
fn fresh(control: &Client) -> Result<()> {
    control.forget("")?;
    Ok(control.reset()?)
}

fn asked(control: &Client) -> Result<u64> {
    Ok(control.stats()?.operations.total())
}

fn drop_caches() -> Result<()> {
    process::output(&mut process::command("sync"))?;
    fs::write("/proc/sys/vm/drop_caches", "3").context("/proc/sys/vm/drop_caches")
}

fn median(times: &[f64]) -> Option<f64> {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

fn show(rows: &BTreeMap<&'static str, Row>) {
    let ms = |times: &[f64]| median(times).map_or("-".to_owned(), |time| format!("{time:.1} ms"));
    let count = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
    println!("\n{} versions in {FAMILIES} families; medians.\n", FAMILIES * VERSIONS);
    println!(
        "| | rez | rez with definitions | scan_repo | times faster | pkgfs scan | times faster |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (name, row) in rows {
        let faster = |ours: &[f64]| {
            let times = |rez: &[f64]| Some(median(rez)? / median(ours)?);
            let both = times(&row.rez).zip(times(&row.rez_with_definitions));
            both.map_or("-".to_owned(), |(bare, full)| format!("{bare:.1} and {full:.1}"))
        };
        println!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            &name[2..],
            ms(&row.rez),
            ms(&row.rez_with_definitions),
            ms(&row.scan_repo),
            faster(&row.scan_repo),
            ms(&row.pkgfs),
            faster(&row.pkgfs),
        );
    }
    println!("\n| operations on storage | rez | pkgfs scan |\n| --- | --- | --- |");
    for (name, row) in rows.iter().filter(|(_, row)| row.pkgfs_operations.is_some()) {
        println!(
            "| {} | {} | {} |",
            &name[2..],
            count(row.rez_operations),
            count(row.pkgfs_operations)
        );
    }
}
