//! Registrations: the time until a mount is ready.
//!
//! One is made as users make it, and the rest are its copies in the store's database, under
//! other names: making each would measure something else.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use pkgfs_standin::Options as Cost;

use super::Found;
use crate::bench::Bench;
use crate::bench::figures::{Claim, Curve, Limit};
use crate::bench::ground::Ground;
use crate::bench::mount::Mount;
use crate::bench::way::Way;
use crate::process;

const MOUNTS: usize = 5;

/// The most seconds until a mount with the most registrations is ready.
const READY: f64 = 0.3;

pub(super) fn measure(bench: &Bench, found: &mut Found) -> Result<()> {
    let counts: &[usize] = if bench.quick { &[100] } else { &[100, 1_000, 10_000, 100_000] };
    let small = bench.repository.small();
    let mut line = Vec::new();
    for &count in counts {
        let ground = Ground::new(bench, &Cost::default())?;
        let mount = Mount::make(&ground, Way::Passthrough, "pkgfs")?;
        mount.add(std::slice::from_ref(&small))?;
        mount.unmount()?;
        multiply(&mount.store(), small.name, count)?;
        let mut times = Vec::new();
        for _ in 0..if bench.quick { 1 } else { MOUNTS } {
            times.push(mount.mount()?);
            let known = mount.number("/daemon/view/registrations/ready")?;
            found.claims.retain(|claim| !claim.what.starts_with("registrations shown"));
            found.claims.push(Claim::exact(
                format!("registrations shown of {count}"),
                known as f64,
                Limit::AtLeast(count as f64),
            ));
            mount.unmount()?;
        }
        times.sort_by(f64::total_cmp);
        line.push((count as f64, times[times.len() / 2]));
        eprintln!("{count} registrations: ready after {times:?} s");
        mount.mount()?;
    }
    if let Some((count, seconds)) = line.last() {
        let what = format!("seconds until a mount with {count} registrations is ready");
        found.claims.push(Claim::of(what, *seconds, Limit::AtMost(READY)));
    }
    found.curves.push(Curve {
        name: "Until a mount is ready".to_owned(),
        axes: ["registrations".to_owned(), "s".to_owned()],
        lines: BTreeMap::from([("pkgfs mount".to_owned(), line)]),
    });
    Ok(())
}

/// Copies the one registration of a store that nobody serves.
fn multiply(store: &Path, name: &str, count: usize) -> Result<()> {
    let other = "'package_' || i";
    let rename = |column: &str| format!("replace({column}, '\"{name}\"', '\"' || {other} || '\"')");
    let statement = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) \
         INSERT INTO registrations \
         (name, version_dir, h4, stem, handle_key, json, repository, root, state, \
         touched_secs, touched_nanos, created_secs, created_nanos) \
         SELECT {other}, version_dir, h4, stem, {}, {}, repository, root, state, \
         touched_secs, touched_nanos, created_secs, created_nanos \
         FROM registrations, n",
        count.saturating_sub(1),
        rename("handle_key"),
        rename("json"),
    );
    let mut command = process::command("sqlite3");
    process::output(command.arg(store.join("pkgfs.sqlite")).arg(statement)).map(drop)
}
