//! The first import over the delay of storage.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use pkgfs_standin::Options as Cost;

use super::Found;
use crate::bench::Bench;
use crate::bench::figures::Curve;
use crate::bench::ground::Ground;
use crate::bench::mount::Mount;
use crate::bench::reading;
use crate::bench::way::Way;

const MICROSECONDS: [u64; 5] = [0, 200, 500, 2_000, 10_000];
const WAYS: [Way; 3] = [Way::Straight, Way::Passthrough, Way::Stateless];

pub(super) fn measure(bench: &Bench, found: &mut Found) -> Result<()> {
    let delays = if bench.quick { &MICROSECONDS[..2] } else { &MICROSECONDS };
    let package = bench.repository.imports.first().context("nothing is imported")?;
    let module = package.module.context("nothing is imported")?;
    let mut lines: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for &delay_us in delays {
        for way in WAYS {
            let ground = Ground::new(bench, &Cost { delay_us, ..Cost::default() })?;
            let mut mounted = None;
            let root = if way == Way::Straight {
                ground.location().join(package.payload())
            } else {
                let mount = Mount::make(&ground, way, "pkgfs")?;
                let places = mount.add(std::slice::from_ref(package))?;
                let root = mount.mountpoint().join(&places[package.name]);
                mounted = Some(mount);
                root
            };
            let done = reading::import(way.user(), &root, module)?;
            let milliseconds = delay_us as f64 / 1e3;
            lines.entry(way.heading().to_owned()).or_default().push((milliseconds, done.seconds()));
            drop(mounted);
        }
    }
    eprintln!("first import over delay: {lines:?}");
    found.curves.push(Curve {
        name: format!("First import of {module}"),
        axes: ["ms an operation of storage".to_owned(), "s".to_owned()],
        lines,
    });
    Ok(())
}
