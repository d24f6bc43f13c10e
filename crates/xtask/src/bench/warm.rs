//! What is local already: nothing is fetched any more, in any way.
//!
//! Everything was read once in each way before the first run, so that caches hold what they can
//! hold. Straight from storage the kernel asks for names and attributes again after 3 s, as an NFS
//! client does.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use pkgfs_standin::Options as Cost;

use super::Bench;
use super::figures::{Cell, Claim, Limit, Part, Row};
use super::ground::Ground;
use super::mount::Mount;
use super::rclone::Rclone;
use super::reading::{self, Done};
use super::way::Way;

/// One row: its name, the work, and the most it may take to native in the modes *stateless* and
/// *passthrough*.
struct Work {
    name: &'static str,
    what: What,
    limits: [Option<f64>; 2],
}

#[derive(Clone, Copy)]
enum What {
    /// The import of the package with this name.
    Import(&'static str),
    /// The shared libraries of the package with this name, loaded with dlopen.
    Load(&'static str),
    /// A work of the reader on the small files.
    Small(&'static str, Option<usize>),
    /// A work of the reader on the large file.
    Large(&'static str, Option<usize>),
}

/// Pages touched in the mapped file: a quarter of those of 1 GiB.
const TOUCHES: usize = 1 << 16;

const WORKS: [Work; 11] = [
    Work { name: "import numpy", what: What::Import("numpy"), limits: [Some(1.1), Some(1.2)] },
    Work {
        name: "import pxr.UsdGeom",
        what: What::Import("usd_core"),
        limits: [Some(1.1), Some(1.2)],
    },
    Work {
        name: "import PySide6.QtCore",
        what: What::Import("pyside6"),
        limits: [Some(1.1), Some(1.2)],
    },
    Work {
        name: "import opentimelineio",
        what: What::Import("opentimelineio"),
        limits: [Some(1.1), Some(1.2)],
    },
    Work { name: "dlopen of numpy's libraries", what: What::Load("numpy"), limits: [None, None] },
    Work {
        name: "read all small files",
        what: What::Small("read", None),
        limits: [Some(1.5), Some(10.0)],
    },
    Work { name: "find", what: What::Small("walk", None), limits: [Some(1.0), Some(1.0)] },
    Work { name: "stat", what: What::Small("stat", None), limits: [Some(1.3), Some(1.3)] },
    Work {
        name: "large file, sequential",
        what: What::Large("sequential", None),
        limits: [Some(2.0), Some(1.0)],
    },
    Work {
        name: "large file, mapped, by chance",
        what: What::Large("mapped", Some(TOUCHES)),
        limits: [None, Some(1.0)],
    },
    Work {
        name: "small files, 8 processes",
        what: What::Small("processes", Some(8)),
        limits: [Some(1.5), Some(5.0)],
    },
];

/// Runs it.
pub(super) fn run(bench: &Bench) -> Result<Part> {
    let ground = Ground::new(bench, &Cost::default())?;
    let places = Places::make(bench, &ground)?;
    let mut part = Part {
        name: "warm",
        heading: "Warm: everything is local",
        rows: Vec::new(),
        claims: Vec::new(),
        curves: Vec::new(),
    };
    let wanted = |work: &&Work| places.has(work.what) && bench.pace.wants(work.name);
    for work in WORKS.iter().filter(wanted) {
        let row = row(bench, &ground, &places, work)?;
        claim(work, &row, &mut part.claims);
        part.rows.push(row);
    }
    claim_counts(&mut part);
    Ok(part)
}

fn row(bench: &Bench, ground: &Ground, places: &Places, work: &Work) -> Result<Row> {
    let mut native = None;
    for way in Way::ALL {
        let done = places.read(bench, way, work.what)?;
        let native = native.get_or_insert((done.files, done.bytes));
        let same = *native == (done.files, done.bytes);
        ensure!(same, "{}: {} reads {done:?}, native {native:?}", work.name, way.heading());
    }
    bench.pace.row(work.name, &Way::ALL, |way, _| {
        ground.reset()?;
        let done = places.read(bench, way, work.what)?;
        Ok(Cell::of(done.seconds(), ground.asked()?))
    })
}

fn claim(work: &Work, row: &Row, claims: &mut Vec<Claim>) {
    let name = work.name;
    let noise = row.ratio(Way::NativeAgain, Way::Native).unwrap_or(1.0);
    for (way, limit) in [Way::Stateless, Way::Passthrough].into_iter().zip(work.limits) {
        if let Some((limit, ratio)) = limit.zip(row.ratio(way, Way::Native)) {
            // Native against native in the same run is how far 1.0 is from itself.
            let limit = if limit <= 1.0 { limit.max(noise) } else { limit };
            let what = format!("{name}, {}, to native", way.heading());
            claims.push(Claim::of(what, ratio, Limit::AtMost(limit)));
        }
    }
    for way in Way::PKGFS {
        if let Some(ratio) = row.ratio(way, Way::Rclone) {
            let what = format!("{name}, {}, to rclone", way.heading());
            claims.push(Claim::comparison(what, ratio));
        }
    }
}

/// What is local is not asked for.
fn claim_counts(part: &mut Part) {
    for way in Way::PKGFS {
        let operations = part.rows.iter().map(|row| row.asked(way).operations).sum::<u64>() as f64;
        let what = format!("operations on payloads in all of it, {}", way.heading());
        part.claims.push(Claim::exact(what, operations, Limit::AtMost(0.0)));
    }
}

/// Where each package is in each way. The mounts go when this is dropped.
struct Places {
    roots: BTreeMap<Way, BTreeMap<&'static str, PathBuf>>,
    modules: BTreeMap<&'static str, &'static str>,
    small: &'static str,
    large: &'static str,
    _mounts: Vec<Mount>,
    _rclone: Rclone,
}

impl Places {
    fn make(bench: &Bench, ground: &Ground) -> Result<Self> {
        let repository = &bench.repository;
        let packages = repository.packages();
        let at = |root: PathBuf| -> BTreeMap<_, _> {
            packages.iter().map(|it| (it.name, root.join(it.payload()))).collect()
        };
        let rclone = Rclone::mount(ground, "rclone")?;
        // From the local disk: what rez's copying from storage takes is measured elsewhere.
        let copied = bench.rez.copy(&repository.path, &ground.file("rez"), &packages)?;
        let copied =
            packages.iter().filter_map(|it| Some((it.name, copied.get(it.name)?.root.clone())));
        let mut roots = BTreeMap::from([
            (Way::Native, at(repository.path.clone())),
            (Way::NativeAgain, at(repository.path.clone())),
            (Way::Straight, at(ground.location())),
            (Way::Rez, copied.collect()),
            (Way::Rclone, at(rclone.root())),
        ]);
        let mut mounts = Vec::new();
        for way in Way::PKGFS {
            let mount = Mount::make(ground, way, way.heading())?;
            mount.warm(&packages)?;
            let places = mount.add(&packages)?;
            let places = places.into_iter().map(|(name, at)| (name, mount.mountpoint().join(at)));
            roots.insert(way, places.collect());
            mounts.push(mount);
        }
        let imports = repository.imports.iter();
        Ok(Self {
            roots,
            modules: imports.filter_map(|it| Some((it.name, it.module?))).collect(),
            small: repository.small().name,
            large: repository.large().name,
            _mounts: mounts,
            _rclone: rclone,
        })
    }

    fn has(&self, what: What) -> bool {
        !matches!(what, What::Import(name) | What::Load(name) if !self.modules.contains_key(name))
    }

    fn read(&self, bench: &Bench, way: Way, what: What) -> Result<Done> {
        let name = match what {
            What::Import(name) | What::Load(name) => name,
            What::Small(..) => self.small,
            What::Large(..) => self.large,
        };
        let root = self.roots.get(&way).and_then(|roots| roots.get(name)).context("no place")?;
        let (programs, user) = (&bench.programs, way.user());
        match what {
            What::Import(name) => reading::import(user, root, self.modules[name]),
            What::Load(_) => reading::load(user, root),
            What::Small(work, number) => reading::read(programs, user, work, root, number),
            What::Large(work, number) => {
                reading::read(programs, user, work, &root.join("large.bin"), number)
            }
        }
    }
}
