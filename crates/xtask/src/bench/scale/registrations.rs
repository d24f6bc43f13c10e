//! Registered variants: the time until a mount is ready, the first look-up of one, and an import.
//!
//! Those that are imported and copied are made as users make them, and the rest are copies in the
//! store's database, under other names: making each would measure something else.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pkgfs_standin::Options as Cost;
use pkgfs_store::{NewRegistration, Store};

use super::{Found, megabytes};
use crate::bench::Bench;
use crate::bench::figures::{Claim, Curve, Limit};
use crate::bench::ground::Ground;
use crate::bench::mount::Mount;
use crate::bench::reading;
use crate::bench::way::Way;

const MOUNTS: usize = 5;
/// Variants that are looked up for the first time in each mount.
const LOOKED_UP: usize = 100;
/// Look-ups that each of them takes: name, version, `<h4>`, `<inc>`.
const DEPTH: usize = 4;

/// The most resident megabytes after commands about all registrations, and what that is called.
const MEMORY: f64 = 120.0;
const ABOUT_ALL: &str = "resident MB of the daemon after list, flush and clean";

/// The most seconds until a mount with the most registrations is ready.
const READY: f64 = 0.3;

pub(super) fn measure(bench: &Bench, found: &mut Found) -> Result<()> {
    let counts: &[usize] = if bench.quick { &[100, 300] } else { &[100, 1_000, 10_000, 100_000] };
    let mut lines: [Vec<(f64, f64)>; 4] = Default::default();
    for &count in counts {
        let variants = Variants::make(bench, count)?;
        let mut times: [Vec<f64>; 4] = Default::default();
        for _ in 0..if bench.quick { 1 } else { MOUNTS } {
            for (times, measured) in times.iter_mut().zip(variants.measure(bench, found)?) {
                times.push(measured);
            }
        }
        eprintln!("{count} registrations: {times:?}");
        let (all, resident) = variants.about_all()?;
        eprintln!("list, flush and clean of all: {all:?} s, {resident} MB are resident then");
        found.claims.retain(|claim| !claim.what.starts_with(ABOUT_ALL));
        let what = format!("{ABOUT_ALL} of {count} registrations");
        found.claims.push(Claim::of(what, resident, Limit::AtMost(MEMORY)));
        for (line, mut times) in lines.iter_mut().zip(times) {
            times.sort_by(f64::total_cmp);
            line.push((count as f64, times[times.len() / 2]));
        }
    }
    let [ready, looked_up, first, again] = lines;
    if let Some((count, seconds)) = ready.last() {
        let what = format!("seconds until a mount with {count} registrations is ready");
        found.claims.push(Claim::of(what, *seconds, Limit::AtMost(READY)));
    }
    let curve = |name: &str, unit: &str, lines: Vec<(&str, Vec<(f64, f64)>)>| Curve {
        name: name.to_owned(),
        axes: ["registrations".to_owned(), unit.to_owned()],
        lines: lines.into_iter().map(|(name, line)| (name.to_owned(), line)).collect(),
    };
    found.curves.extend([
        curve("Until a mount is ready", "s", vec![("pkgfs mount", ready)]),
        curve("A first look-up in a variant", "µs", vec![("of four to its root", looked_up)]),
        curve("Warm import", "s", vec![("first in this mount", first), ("again", again)]),
    ]);
    Ok(())
}

/// A store with many variants, not mounted.
struct Variants {
    mount: Mount,
    _ground: Ground,
    /// Paths of the roots of some, in no order that the store knows.
    list: PathBuf,
    looked_up: usize,
    count: usize,
    /// Where what is imported lies, and its module.
    import: (PathBuf, &'static str),
}

impl Variants {
    fn make(bench: &Bench, count: usize) -> Result<Self> {
        let ground = Ground::new(bench, &Cost::default())?;
        let mount = Mount::make(&ground, Way::Passthrough, "pkgfs")?;
        let small = bench.repository.small();
        let imported = bench.repository.imports.first().context("nothing is imported")?.clone();
        let module = imported.module.context("nothing is imported")?;
        mount.warm(std::slice::from_ref(&imported))?;
        let places = mount.add(&[small.clone(), imported.clone()])?;
        mount.unmount()?;
        multiply(&mount.store(), small.name, count)?;
        let below = places[small.name].strip_prefix(small.name)?;
        let looked_up = LOOKED_UP.min(count - 1);
        let step = (count - 1) / looked_up;
        let root = |n: usize| mount.mountpoint().join(format!("package_{}", 1 + n * step));
        let lines = (0..looked_up).map(|n| format!("{}\n", root(n).join(below).display()));
        let list = ground.file("roots");
        fs::write(&list, lines.collect::<String>())?;
        let import = (mount.mountpoint().join(&places[imported.name]), module);
        Ok(Self { mount, _ground: ground, list, looked_up, count, import })
    }

    /// Seconds of each command about all of them in a fresh mount, and megabytes that are resident then.
    fn about_all(&self) -> Result<([f64; 3], f64)> {
        self.mount.mount()?;
        let seconds = self.mount.about_all()?;
        let (daemon, _) = self.mount.memory()?;
        self.mount.unmount()?;
        Ok((seconds, megabytes(daemon)))
    }

    /// Seconds until it is ready, microseconds of a first look-up, and the seconds of an import
    /// and of the same again, in a fresh mount.
    fn measure(&self, bench: &Bench, found: &mut Found) -> Result<[f64; 4]> {
        let ready = self.mount.mount()?;
        let user = Way::Passthrough.user();
        let done = reading::read(&bench.programs, user, "names", &self.list, None)?;
        let each = done.seconds() * 1e6 / (self.looked_up * DEPTH) as f64;
        let (root, module) = &self.import;
        let first = reading::import(user, root, module)?.seconds();
        let again = reading::import(user, root, module)?.seconds();
        let known = self.mount.number("/daemon/view/registrations/ready")?;
        found.claims.retain(|claim| !claim.what.starts_with("registrations shown"));
        let what = format!("registrations shown of {}", self.count);
        let claim = Claim::exact(what, known as f64, Limit::AtLeast(self.count as f64));
        found.claims.push(claim);
        self.mount.unmount()?;
        Ok([ready, each, first, again])
    }
}

/// Copies a registration of a store that nobody serves, until there are so many of it.
fn multiply(store: &Path, name: &str, count: usize) -> Result<()> {
    let store = Store::open(store)?;
    let known = store.registrations()?.into_iter().find(|known| known.name == name);
    let known = known.with_context(|| format!("{name} is not registered"))?;
    for i in 1..count {
        let other = format!("package_{i}");
        let renamed = |text: &str| text.replace(&format!("\"{name}\""), &format!("\"{other}\""));
        store.register(NewRegistration {
            name: other.clone(),
            version_dir: known.version_dir.clone(),
            h4: known.h4.clone(),
            stem: known.stem.clone(),
            handle_key: renamed(&known.handle_key),
            json: renamed(&known.json),
            repository: known.repository.clone(),
            root: known.root.clone(),
            state: known.state,
        })?;
    }
    Ok(())
}
