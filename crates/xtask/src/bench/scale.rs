//! What grows with how much is known: memory, the time a mount takes, the cost of a look-up; and
//! what grows with the delay of storage.

mod delay;
mod entries;
mod registrations;

use anyhow::Result;
use pkgfs_standin::Options as Cost;

use super::Bench;
use super::figures::{Claim, Curve, Limit, Part};
use super::ground::Ground;
use super::mount::Mount;
use super::way::Way;

/// The most bytes that are resident while nothing is done.
const IDLE: f64 = 30.0;

/// Runs it.
pub(super) fn run(bench: &Bench) -> Result<Part> {
    let mut found = Found::default();
    idle(bench, &mut found)?;
    entries::measure(bench, &mut found)?;
    registrations::measure(bench, &mut found)?;
    delay::measure(bench, &mut found)?;
    let heading = "Scale: what grows with how much is known";
    let Found { claims, curves } = found;
    Ok(Part { name: "scale", heading, rows: Vec::new(), claims, curves })
}

/// What the parts of this part found.
#[derive(Default)]
struct Found {
    claims: Vec<Claim>,
    curves: Vec<Curve>,
}

fn idle(bench: &Bench, found: &mut Found) -> Result<()> {
    let ground = Ground::new(bench, &Cost::default())?;
    for way in [Way::Passthrough, Way::Stateless] {
        let mount = Mount::make(&ground, way, way.heading())?;
        let (daemon, all) = mount.memory()?;
        let what = format!("resident MB, idle, {}", way.heading());
        found.claims.push(Claim::of(what, megabytes(daemon), Limit::AtMost(IDLE)));
        let what = format!("the same with the worker that reads storage, {}", way.heading());
        found.claims.push(Claim::of(what, megabytes(all), Limit::AtMost(IDLE)));
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
