//! The first import of each package where its launch profile is known from another store.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::{Cold, Entry, over};
use crate::bench::figures::{Claim, Limit};
use crate::bench::reading;
use crate::bench::repository::Package;
use crate::bench::way::Way;
use crate::demo::interrupt;

const WAYS: [Way; 4] = [Way::Straight, Way::Passthrough, Way::Stateless, Way::Cached];

/// The most that it may take to an import straight from storage.
const TIME: f64 = 0.5;

/// A launch is over when nothing was touched for a few seconds; it is learnt then.
const LEARNT: Duration = Duration::from_secs(60);

pub(super) fn measure(cold: &mut Cold) -> Result<()> {
    for package in cold.bench.repository.imports.clone() {
        let Some(module) = package.module else { continue };
        let learnt = learn(cold, &package, module)?;
        let led: RefCell<BTreeMap<Way, u64>> = RefCell::default();
        let name = format!("first import of {module}, profile learnt");
        let row = cold.row(&name, &WAYS, &package, |cold, way, root, entry| {
            if let Entry::Pkgfs(mount) = entry {
                mount.import_profiles(&learnt)?;
            }
            let done = reading::import(way.user(), root, module)?;
            if let Entry::Pkgfs(mount) = entry {
                cold.quiet(entry)?;
                let files = mount.number("/daemon/view/profiles/ahead/all/files")?;
                led.borrow_mut().insert(way, files);
            }
            Ok(done.seconds())
        })?;
        for (way, files) in led.into_inner() {
            let heading = way.heading();
            if let Some(ratio) = row.ratio(way, Way::Straight) {
                let what = format!("{name}, {heading}, to straight");
                cold.claims.push(Claim::of(what, ratio, Limit::AtMost(TIME)));
            }
            let what = format!("{name}, {heading}, files fetched for it");
            cold.claims.push(Claim::exact(what, over(files, 1), Limit::AtLeast(1.0)));
        }
    }
    Ok(())
}

/// Has a store of its own learn what the import touches, and tells where that is written.
fn learn(cold: &mut Cold, package: &Package, module: &str) -> Result<PathBuf> {
    let way = Way::Passthrough;
    let entry = cold.enter(way)?;
    let (root, _) = cold.root(&entry, package)?;
    reading::import(way.user(), &root, module)?;
    let Entry::Pkgfs(mount) = &entry else { bail!("only pkgfs learns") };
    let file = cold.ground.file(&format!("{}.profile", package.name));
    let began = Instant::now();
    while mount.export_profiles(&file).context("no profile can be had")? == 0 {
        interrupt::check()?;
        if began.elapsed() > LEARNT {
            bail!("nothing was learnt of the import of {module} within {} s", LEARNT.as_secs());
        }
        thread::sleep(Duration::from_millis(100));
    }
    cold.leave(entry)?;
    Ok(file)
}
