//! Many fresh stores that start the same application at once.
//!
//! Each is in a mount namespace of its own and has a mount of storage with one slot, so that the kernel keeps nothing for
//! another and all together have 16 slots: what a server that shares itself out fairly gives each
//! of 16 busy machines.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use pkgfs_standin::Options as Cost;

use super::Bench;
use super::figures::{Cell, Claim, Limit, Part, Row};
use super::ground::{Asked, Ground};
use super::mount::Mount;
use super::namespace::Namespace;
use super::reading::Import;
use super::way::Way;

const MEMBERS: usize = 16;
const WAYS: [Way; 2] = [Way::Straight, Way::Passthrough];

/// Runs it.
pub(super) fn run(bench: &Bench) -> Result<Part> {
    let cost = Cost { slots: 1, ..Cost::default() };
    let members = if bench.quick { 4 } else { MEMBERS };
    let mut grounds =
        (0..members).map(|_| Ground::new(bench, &cost)).collect::<Result<Vec<_>>>()?;
    let (one, alone) = row(bench, "one alone", &mut grounds[..1])?;
    let name = format!("{members} at once");
    let (all, together) = row(bench, &name, &mut grounds)?;
    let mut claims = Vec::new();
    if let Some(ratio) = all.ratio(Way::Passthrough, Way::Straight) {
        let what = format!("{name}, until the last has imported, to straight");
        claims.push(Claim::of(what, ratio, Limit::AtMost(1.0)));
    }
    #[allow(clippy::cast_precision_loss)]
    let over = |count: u64, other: u64| count as f64 / other.max(1) as f64;
    let what = format!("{name}, operations until then, to {members} × one's");
    let times = members as u64;
    let operations = over(together[&Way::Passthrough], times * alone[&Way::Passthrough]);
    // What is guessed ahead depends on who is first: two runs differ by a few of a thousand.
    claims.push(Claim::of(what, operations, Limit::AtMost(1.0)));
    let straight = over(together[&Way::Passthrough], together[&Way::Straight]);
    let what = format!("{name}, operations until then, to straight");
    claims.push(Claim::of(what, straight, Limit::AtMost(1.0)));
    let what = format!("{name}, bytes to {members} × one's");
    let bytes = over(all.asked(Way::Passthrough).bytes, times * one.asked(Way::Passthrough).bytes);
    claims.push(Claim::of(what, bytes, Limit::AtMost(1.0)));
    let heading = "Herd: fresh stores that start the same application at once";
    Ok(Part { name: "herd", heading, rows: vec![one, all], claims, curves: Vec::new() })
}

/// A row, and the operations of each way until the last had imported: what follows in the
/// background is in the row, and no part of the start.
fn row(bench: &Bench, name: &str, grounds: &mut [Ground]) -> Result<(Row, BTreeMap<Way, u64>)> {
    let package = bench.repository.imports.first().context("nothing is imported")?.clone();
    let module = package.module.context("nothing is imported")?;
    let mut places: Vec<PathBuf> = Vec::new();
    for ground in grounds.iter() {
        // The place follows from the path of the repository, which each has of its own.
        let mount = Mount::make(ground, Way::Passthrough, "probe")?;
        places.extend(mount.add(std::slice::from_ref(&package))?.into_values());
    }
    let until: RefCell<BTreeMap<Way, u64>> = RefCell::default();
    let row = bench.pace.row(name, &WAYS, |way, _| {
        // Ends after the mounts in it.
        let mut namespaces = Vec::new();
        let mut mounts = Vec::new();
        let mut ready = Vec::new();
        // All before the first namespace, which would hold what is mounted anew.
        grounds.iter_mut().try_for_each(Ground::renew)?;
        for (ground, place) in grounds.iter().zip(&places) {
            let namespace = Rc::new(Namespace::make()?);
            let root = if way == Way::Straight {
                ground.location().join(package.payload())
            } else {
                let mount = Mount::inside(ground, way, "member", &namespace)?;
                let root = mount.mountpoint().join(place);
                ensure!(!is_mounted(&mount)?, "a member's mount is seen outside its namespace");
                mounts.push(mount);
                root
            };
            ground.reset()?;
            ready.push(Import::inside(&namespace, &root, module)?);
            namespaces.push(namespace);
        }
        let began = Instant::now();
        let started = ready.into_iter().map(Import::start).collect::<Result<Vec<_>>>()?;
        for import in started {
            import.finish()?;
        }
        let seconds = began.elapsed().as_secs_f64();
        let operations =
            grounds.iter().map(|it| Ok(it.asked()?.operations)).sum::<Result<u64>>()?;
        let mut until = until.borrow_mut();
        let most = until.entry(way).or_default();
        *most = operations.max(*most);
        drop(until);
        let mut asked = Asked::default();
        for (number, ground) in grounds.iter().enumerate() {
            let partial = mounts.get(number).map(Mount::partial);
            let more = ground.settle(partial.as_deref())?;
            asked.operations += more.operations;
            asked.bytes += more.bytes;
        }
        Ok(Cell::of(seconds, asked))
    })?;
    Ok((row, until.into_inner()))
}

/// Whether it is seen from here.
fn is_mounted(mount: &Mount) -> Result<bool> {
    let at = mount.mountpoint();
    let mounted = fs::read_to_string("/proc/self/mounts")?;
    Ok(mounted.lines().any(|line| line.split(' ').nth(1) == at.to_str()))
}
