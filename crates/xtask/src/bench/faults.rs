//! Storage that hangs: what that costs who reads what is local, and who does not.
//!
//! Each run reads the same local content twice in each mode, with storage well and with storage
//! that answers nothing while other programs ask for files that are not local; which comes first
//! changes from run to run. Of local reads the 99.9th percentile is taken, of cold ones the longest.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pkgfs_standin::{Effect, Fault, Options as Cost};

use super::Bench;
use super::figures::{Cell, Claim, Limit, Part, Row};
use super::ground::{Asked, Ground};
use super::mount::Mount;
use super::reading;
use super::way::Way;
use crate::demo::interrupt;

/// `origin.deadline_seconds` here.
const DEADLINE: Duration = Duration::from_secs(2);
/// Programs that ask for what is not local, and what each run asks for.
const COLD_THREADS: usize = 8;
const COLD_FILES: usize = 32;
/// No return of storage is noticed as late as that.
const PATIENCE: Duration = Duration::from_secs(30);

/// Storage in one run of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Storage {
    Well,
    Hangs,
}

/// Local reads, by what the reader calls them.
const WORKS: [(&str, &str); 2] =
    [("open, read, close", "opens"), ("a page past the page cache", "pages")];

/// Runs it.
pub(super) fn run(bench: &Bench) -> Result<Part> {
    let ground = Ground::new(bench, &Cost::default())?;
    let mounts = Way::PKGFS
        .map(|way| Subject::make(bench, &ground, way))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    for (name, _) in WORKS {
        for storage in ["well", "hangs"] {
            rows.push(Row::new(&format!("{name}, storage {storage}")));
        }
    }
    let mut cold = Row::new("the longest cold read of storage that hangs");
    let mut back = Row::new("until a cold file is read once storage is back");
    let mut late = 0;
    for run in 0..bench.pace.runs() {
        for subject in &mounts {
            interrupt::check()?;
            let mut order = [Storage::Well, Storage::Hangs];
            order.rotate_left(run % 2);
            for storage in order {
                let measured = subject.measure(bench, &ground, storage, run)?;
                for (work, seconds) in measured.local.into_iter().enumerate() {
                    let row = &mut rows[2 * work + usize::from(storage == Storage::Hangs)];
                    add(row, subject.way, seconds);
                }
                if let Some(Outage { longest, back: returned }) = measured.outage {
                    late += u32::from(longest > DEADLINE);
                    add(&mut cold, subject.way, longest.as_secs_f64());
                    add(&mut back, subject.way, returned.as_secs_f64());
                }
            }
        }
    }
    let mut claims = Vec::new();
    for (work, (name, _)) in WORKS.into_iter().enumerate() {
        for way in Way::PKGFS {
            let [well, hangs] = [0, 1].map(|storage| rows[2 * work + storage].median(way));
            let ratio = hangs.zip(well).map(|(hangs, well)| hangs / well);
            let what =
                format!("{name}, {}, storage that hangs to storage that is well", way.heading());
            claims.extend(ratio.map(|ratio| Claim::of(what, ratio, Limit::AtMost(1.5))));
        }
    }
    let what = "runs in which a cold read ended after its deadline";
    claims.push(Claim::of(what, f64::from(late), Limit::AtMost(0.0)));
    rows.extend([cold, back]);
    rows.iter().for_each(|row| eprintln!("{}", row.line()));
    let heading = "Faults: storage hangs; 99.9th percentiles of local reads";
    Ok(Part { name: "faults", heading, rows, claims, curves: Vec::new() })
}

fn add(row: &mut Row, way: Way, seconds: f64) {
    row.cells.entry(way).or_default().take(Cell::of(seconds, Asked::default()));
}

/// A mount, part of it local.
struct Subject {
    way: Way,
    /// Small files, and a file, that are local.
    files: PathBuf,
    file: PathBuf,
    /// What is not.
    cold: Vec<PathBuf>,
    mount: Mount,
}

/// What one run took.
struct Measured {
    /// Of each of [`WORKS`], in seconds.
    local: Vec<f64>,
    outage: Option<Outage>,
}

struct Outage {
    longest: Duration,
    back: Duration,
}

impl Subject {
    fn make(bench: &Bench, ground: &Ground, way: Way) -> Result<Self> {
        let settings = format!("origin.deadline_seconds = {}", DEADLINE.as_secs());
        let mount = Mount::set(ground, way, way.heading(), &settings)?;
        let repository = &bench.repository;
        let (small, large) = (repository.small(), repository.large());
        let cold = repository.imports.first().context("nothing is imported")?.clone();
        mount.warm(&[small.clone(), large.clone()])?;
        let places = mount.add(&[small.clone(), large.clone(), cold.clone()])?;
        let at = |name: &str| -> Result<PathBuf> {
            Ok(mount.mountpoint().join(places.get(name).context("it is not registered")?))
        };
        let (files, file, root) =
            (at(small.name)?, at(large.name)?.join("large.bin"), at(cold.name)?);
        // Listed, not read.
        reading::read(&bench.programs, way.user(), "walk", &root, None)?;
        let mut cold_files = Vec::new();
        let mut waiting = vec![PathBuf::new()];
        let source = repository.root(&cold);
        while let Some(below) = waiting.pop() {
            for entry in fs::read_dir(source.join(&below))? {
                let (entry, below) = (entry?, &below);
                let below = below.join(entry.file_name());
                let data = entry.metadata()?;
                if data.is_dir() {
                    waiting.push(below);
                } else if data.is_file() && data.len() > 0 {
                    cold_files.push(root.join(below));
                }
            }
        }
        cold_files.sort();
        Ok(Self { way, files, file, cold: cold_files, mount })
    }

    fn measure(
        &self,
        bench: &Bench,
        ground: &Ground,
        storage: Storage,
        run: usize,
    ) -> Result<Measured> {
        let (programs, user) = (&bench.programs, self.way.user());
        let asking = if storage == Storage::Hangs {
            ground.control()?.fault(&Fault::new(Effect::Hang))?;
            let asked = self.cold.iter().cycle().skip(run * COLD_FILES).take(COLD_FILES);
            let list: String = asked.map(|path| format!("{}\n", path.display())).collect();
            let list_file = ground.file(&format!("cold-{}", self.way.heading()));
            fs::write(&list_file, list)?;
            let asking = reading::begin(programs, user, "cold", &list_file, COLD_THREADS)?;
            self.wait_until(|| Ok(ground.control()?.stats()?.hung > 0))?;
            Some(asking)
        } else {
            None
        };
        let (times, pages) = if bench.quick { (1, 1_000) } else { (5, 20_000) };
        let mut local = Vec::new();
        for (_, work) in WORKS {
            let (path, number) =
                if work == "opens" { (&self.files, times) } else { (&self.file, pages) };
            local.push(reading::read(programs, user, work, path, Some(number))?.seconds());
        }
        let Some(asking) = asking else { return Ok(Measured { local, outage: None }) };
        let done = asking.finish()?;
        ensure!(done.files > 0, "no cold read failed: storage did not hang");
        ground.control()?.release()?;
        let began = Instant::now();
        let last = self.cold.iter().cycle().skip(run * COLD_FILES);
        let last = last.take(COLD_FILES).last().context("nothing is cold")?;
        self.wait_until(|| Ok(reading::read(programs, user, "sequential", last, None).is_ok()))?;
        let back = began.elapsed();
        ground.settle(Some(&self.mount.partial()))?;
        Ok(Measured { local, outage: Some(Outage { longest: done.longest(), back }) })
    }

    fn wait_until(&self, mut happens: impl FnMut() -> Result<bool>) -> Result<()> {
        let began = Instant::now();
        while !happens()? {
            interrupt::check()?;
            ensure!(began.elapsed() < PATIENCE, "{}: waited in vain", self.way.heading());
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}
