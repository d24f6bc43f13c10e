//! A large file: its first bytes, the whole of it, and many who read it at once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use pkgfs_standin::Operation;

use super::{Cold, over};
use crate::bench::figures::{Claim, Limit};
use crate::bench::reading;
use crate::bench::way::Way;

/// Every way but rez's copy, which is a sequential read of its own.
const WAYS: [Way; 5] = [Way::Straight, Way::Rclone, Way::Passthrough, Way::Stateless, Way::Cached];
const READERS: usize = 64;

/// The most operations below the file's directory before its first byte is there.
const FIRST: f64 = 6.0;
/// The least rate of a sequential read, to that of storage.
const RATE: f64 = 0.8;

pub(super) fn measure(cold: &mut Cold) -> Result<()> {
    first(cold)?;
    sequential(cold)?;
    readers(cold)
}

fn first(cold: &mut Cold) -> Result<()> {
    let large = cold.bench.repository.large();
    let before: RefCell<BTreeMap<Way, u64>> = RefCell::default();
    let name = "first 4 KiB of the large file";
    let ways = [WAYS.as_slice(), &[Way::Rez]].concat();
    cold.row(name, &ways, &large, |cold, way, root, _| {
        let control = cold.ground.control()?;
        control.set_trace(true)?;
        let file = root.join("large.bin");
        let done = reading::read(&cold.bench.programs, way.user(), "first", &file, None)?;
        let trace = control.trace()?.operations;
        control.set_trace(false)?;
        let payload = large.payload();
        let below = trace.iter().filter(|it| Path::new(&it.path).starts_with(&payload));
        // In the order of their answers: what was answered before the first bytes were.
        let answered = below.take_while(|it| it.operation != Operation::Read).count() as u64 + 1;
        let mut before = before.borrow_mut();
        let most = before.entry(way).or_default();
        *most = answered.max(*most);
        Ok(done.seconds())
    })?;
    for (way, operations) in before.into_inner() {
        if way.mode().is_some() {
            let what = format!("{name}, {}, operations until it is there", way.heading());
            let claim = Claim::exact(what, over(operations, 1), Limit::AtMost(FIRST));
            cold.claims.push(claim);
        }
    }
    Ok(())
}

fn sequential(cold: &mut Cold) -> Result<()> {
    let large = cold.bench.repository.large();
    let name = "large file, sequential, cold";
    let row = cold.row(name, &WAYS, &large, |cold, way, root, _| {
        let file = root.join("large.bin");
        let done = reading::read(&cold.bench.programs, way.user(), "sequential", &file, None)?;
        Ok(done.seconds())
    })?;
    for way in Way::PKGFS {
        if let Some(rate) = row.ratio(Way::Straight, way) {
            let what = format!("{name}, {}, rate to storage's own", way.heading());
            cold.claims.push(Claim::of(what, rate, Limit::AtLeast(RATE)));
        }
    }
    Ok(())
}

fn readers(cold: &mut Cold) -> Result<()> {
    let (large, size) = (cold.bench.repository.large(), cold.bench.repository.large_bytes());
    let name = format!("large file, {READERS} readers, cold");
    let row = cold.row(&name, &WAYS, &large, |cold, way, root, entry| {
        let file = root.join("large.bin");
        let programs = &cold.bench.programs;
        let done = reading::read(programs, way.user(), "readers", &file, Some(READERS))?;
        cold.quiet(entry)?;
        Ok(done.seconds())
    })?;
    for way in Way::PKGFS {
        let what = format!("{name}, {}, bytes from storage to the file's", way.heading());
        let bytes = over(row.asked(way).bytes, size);
        cold.claims.push(Claim::exact(what, bytes, Limit::AtMost(1.0)));
    }
    Ok(())
}
