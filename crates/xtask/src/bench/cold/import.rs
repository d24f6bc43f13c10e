//! The first import of each package.

use std::cell::RefCell;
use std::collections::BTreeMap;

use anyhow::Result;

use super::{Cold, Entry, over};
use crate::bench::figures::{Claim, Limit};
use crate::bench::reading;
use crate::bench::way::Way;

const WAYS: [Way; 6] =
    [Way::Straight, Way::Rez, Way::Rclone, Way::Passthrough, Way::Stateless, Way::Cached];

/// The most that a first import may take to one straight from storage.
const TIME: f64 = 0.9;
/// The most that may be asked for, to the sizes of the files that are opened.
const DEMANDED: f64 = 1.02;

pub(super) fn measure(cold: &mut Cold) -> Result<()> {
    for package in cold.bench.repository.imports.clone() {
        let Some(module) = package.module else { continue };
        let opened = reading::opened(&cold.bench.repository.root(&package), module)?;
        let opened: u64 = opened.values().sum();
        let ahead: RefCell<BTreeMap<Way, u64>> = RefCell::default();
        let until: RefCell<BTreeMap<Way, u64>> = RefCell::default();
        let name = format!("first import of {module}");
        let row = cold.row(&name, &WAYS, &package, |cold, way, root, entry| {
            let done = reading::import(way.user(), root, module)?;
            // What follows in the background is in the row, and no part of the start.
            let operations = cold.ground.asked()?.operations;
            let mut until = until.borrow_mut();
            let most = until.entry(way).or_default();
            *most = operations.max(*most);
            if let Entry::Pkgfs(mount) = entry {
                cold.quiet(entry)?;
                let bytes = mount.number("/daemon/view/ahead/all/bytes")?;
                ahead.borrow_mut().insert(way, bytes);
            }
            Ok(done.seconds())
        })?;
        let until = until.into_inner();
        for way in Way::PKGFS {
            let Some(ratio) = row.ratio(way, Way::Straight) else { continue };
            let (heading, asked) = (way.heading(), row.asked(way));
            let claims = &mut cold.claims;
            let what = format!("{name}, {heading}, to straight");
            claims.push(Claim::of(what, ratio, Limit::AtMost(TIME)));
            let what = format!("{name}, {heading}, operations until it ended, to straight");
            let operations = over(until[&way], until[&Way::Straight]);
            // What is guessed ahead depends on who is first.
            claims.push(Claim::of(what, operations, Limit::AtMost(1.0)));
            let ahead = ahead.borrow().get(&way).copied().unwrap_or_default();
            let demanded = asked.bytes.saturating_sub(ahead);
            let what = format!("{name}, {heading}, bytes demanded to sizes of files opened");
            claims.push(Claim::exact(what, over(demanded, opened), Limit::AtMost(DEMANDED)));
        }
    }
    Ok(())
}
