//! One measurement: a cold start, a first `rez-env` with a real import, and a second.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::interrupt;
use super::repository::{Extent, Package, Repository, extent};
use super::scene::Scene;
use super::way::Way;

const PROBE: &str = include_str!("probe.py");
const PATIENCE: Duration = Duration::from_secs(600);

/// What one `rez-env` took.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Environment {
    /// From starting rez-env to the end of the import, which is the first result.
    pub(super) seconds: f64,
    /// The import alone.
    pub(super) import_seconds: f64,
    /// Operations that payloads on shared storage were asked, rez's reading of definitions not
    /// counted; what went on in the background is.
    pub(super) operations: u64,
    /// Bytes that shared storage sent of payloads.
    pub(super) bytes: u64,
}

/// What a cold start and a second use took.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Measurement {
    /// Nothing is local.
    pub(super) first: Environment,
    /// The same again.
    pub(super) second: Environment,
    /// Files and bytes on the local disk afterwards.
    pub(super) copied: Extent,
    /// Files and bytes of payloads that the import opened.
    pub(super) opened: Extent,
    /// How many roots there were in the first environment.
    pub(super) roots: usize,
    /// How many of them lay in the cache.
    pub(super) remapped: usize,
}

/// What the probe tells from inside the environment.
#[derive(Deserialize)]
struct Report {
    import_seconds: f64,
    roots: BTreeMap<String, PathBuf>,
    opened: BTreeMap<String, Vec<String>>,
}

/// Measures a package in a scene that was just set.
pub(super) fn measure(
    scene: &Scene,
    way: Way,
    package: &Package,
    repository: &Repository,
) -> Result<Measurement> {
    let (first, report) = enter(scene, package).context("the first rez-env failed")?;
    let copied = match way {
        Way::Straight => Extent::default(),
        Way::RezCache => report.roots.values().map(|root| extent(root)).sum::<Result<Extent>>()?,
        Way::Pkgfs => [scene.store().join("blobs"), scene.store().join("partial")]
            .iter()
            .map(|directory| extent(directory))
            .sum::<Result<Extent>>()?,
    };
    let (second, _) = enter(scene, package).context("the second rez-env failed")?;
    let cache = scene.cache();
    Ok(Measurement {
        first,
        second,
        copied,
        opened: opened(&report, repository),
        roots: report.roots.len(),
        remapped: report.roots.values().filter(|root| root.starts_with(&cache)).count(),
    })
}

/// A package's root in an environment of the scene.
pub(super) fn root(scene: &Scene, package: &Package) -> Result<PathBuf> {
    let (_, report) = enter(scene, package)?;
    report
        .roots
        .get(package.name)
        .cloned()
        .with_context(|| format!("rez-env has no {}", package.name))
}

fn enter(scene: &Scene, package: &Package) -> Result<(Environment, Report)> {
    let probe = scene.file("probe.py");
    let path = scene.file("report.json");
    let log = scene.file("rez-env.log");
    fs::write(&probe, PROBE)?;
    let mut rez_env = scene.rez("rez-env");
    rez_env
        .args([package.name, "python", "--", "python"])
        .args([&probe, Path::new(package.module), &path])
        .stdin(Stdio::null())
        .stdout(fs::File::create(&log)?)
        .stderr(fs::OpenOptions::new().append(true).open(&log)?);
    let started = Instant::now();
    let mut child = rez_env.spawn().context("cannot start rez-env")?;
    let status = interrupt::wait(&mut child, PATIENCE)?;
    let seconds = started.elapsed().as_secs_f64();
    if !status.success() {
        let said = fs::read_to_string(&log).unwrap_or_default();
        bail!("rez-env ended with {status}: {}", said.trim());
    }
    let report: Report = serde_json::from_slice(&fs::read(&path)?)
        .context("the probe's report cannot be understood")?;
    fs::remove_file(&path)?;
    let asked = scene.settle()?;
    let environment = Environment {
        seconds,
        import_seconds: report.import_seconds,
        operations: asked.operations,
        bytes: asked.bytes,
    };
    Ok((environment, report))
}

fn opened(report: &Report, repository: &Repository) -> Extent {
    report
        .opened
        .iter()
        .flat_map(|(package, files)| files.iter().map(move |file| (package, file)))
        .filter_map(|(package, file)| repository.length(package, file))
        .map(|bytes| Extent { files: 1, bytes })
        .sum()
}
