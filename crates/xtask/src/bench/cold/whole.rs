//! A package of many small files, fetched whole.

use anyhow::Result;

use super::{Cold, Entry};
use crate::bench::figures::{Claim, Limit};
use crate::bench::reading;
use crate::bench::way::Way;

const WAYS: [Way; 5] = [Way::Straight, Way::Rez, Way::Rclone, Way::Passthrough, Way::Stateless];

/// The most that `pkgfs warm` may take to rez's copy.
const TO_REZ: f64 = 0.1;

pub(super) fn measure(cold: &mut Cold) -> Result<()> {
    let small = cold.bench.repository.small();
    let name = "all small files fetched";
    let row = cold.row(name, &WAYS, &small, |cold, way, root, entry| match entry {
        Entry::Pkgfs(mount) => mount.warm(std::slice::from_ref(&small)),
        // What is timed is the copying.
        Entry::Rez(_) => Ok(0.0),
        Entry::Straight | Entry::Rclone(_) => {
            Ok(reading::read(&cold.bench.programs, way.user(), "read", root, None)?.seconds())
        }
    })?;
    for way in Way::PKGFS {
        if let Some(ratio) = row.ratio(way, Way::Rez) {
            let what = format!("{name}, pkgfs warm, {}, to rez's copy", way.heading());
            cold.claims.push(Claim::of(what, ratio, Limit::AtMost(TO_REZ)));
        }
    }
    Ok(())
}
