//! What is asked of storage for a few of many files, and for none.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::{Cold, Entry, over};
use crate::bench::figures::{Claim, Limit};
use crate::bench::mount::Mount;
use crate::bench::reading;
use crate::bench::way::Way;

const WAYS: [Way; 5] = [Way::Straight, Way::Rclone, Way::Passthrough, Way::Stateless, Way::Cached];

/// One file of this many is read.
const STEP: usize = 10;

/// The most bytes that may be asked for, to the sizes of the files that are read; and the most
/// that may be fetched beside, to those.
const DEMANDED: f64 = 1.02;
const SPECULATED: f64 = 0.5;

pub(super) fn measure(cold: &mut Cold) -> Result<()> {
    touched(cold)?;
    nothing(cold)
}

fn touched(cold: &mut Cold) -> Result<()> {
    let small = cold.bench.repository.small();
    let source = cold.bench.repository.root(&small);
    let names = touched_names(&source)?;
    let sizes = names.iter().map(|name| Ok(source.join(name).metadata()?.len()));
    let size = sizes.sum::<Result<u64>>()?;
    let list = cold.ground.file("list");
    let ahead: RefCell<BTreeMap<Way, u64>> = RefCell::default();
    let name = "a tenth of the small files";
    let row = cold.row(name, &WAYS, &small, |cold, way, root, entry| {
        let lines = names.iter().map(|name| format!("{}\n", root.join(name).display()));
        fs::write(&list, lines.collect::<String>())?;
        let done = reading::read(&cold.bench.programs, way.user(), "files", &list, None)?;
        ensure!(done.bytes == size, "{} bytes were read of {size}", done.bytes);
        if let Entry::Pkgfs(mount) = entry {
            cold.quiet(entry)?;
            let bytes = mount.number("/daemon/view/ahead/all/bytes")?;
            ahead.borrow_mut().insert(way, bytes);
        }
        Ok(done.seconds())
    })?;
    for (way, ahead) in ahead.into_inner() {
        let demanded = row.asked(way).bytes.saturating_sub(ahead);
        let heading = way.heading();
        let what = format!("{name}, {heading}, bytes demanded to their sizes");
        cold.claims.push(Claim::exact(what, over(demanded, size), Limit::AtMost(DEMANDED)));
        let what = format!("{name}, {heading}, bytes speculated to their sizes");
        cold.claims.push(Claim::exact(what, over(ahead, size), Limit::AtMost(SPECULATED)));
    }
    Ok(())
}

/// Names of a tenth of the files below a directory.
fn touched_names(root: &Path) -> Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                names.push(path.strip_prefix(root)?.to_owned());
            }
        }
    }
    names.sort_unstable();
    Ok(names.into_iter().step_by(STEP).collect())
}

/// Everything is local: nothing is asked, after a restart neither.
fn nothing(cold: &mut Cold) -> Result<()> {
    let packages = cold.bench.repository.packages();
    for way in Way::PKGFS {
        let Entry::Pkgfs(mount) = cold.enter(way)? else { continue };
        mount.warm(&packages)?;
        for (place, when) in ["everything local", "everything local, restarted"].iter().enumerate()
        {
            if place > 0 {
                mount.unmount()?;
                mount.mount()?;
            }
            // Whatever the kernel keeps of storage would hide that it is asked.
            cold.ground.control()?.forget("")?;
            cold.ground.reset()?;
            use_everything(cold, way, &mount)?;
            let operations = cold.ground.settle(Some(&mount.partial()))?.operations;
            let what = format!("{when}, {}, operations on payloads", way.heading());
            cold.claims.push(Claim::exact(what, over(operations, 1), Limit::AtMost(0.0)));
        }
    }
    Ok(())
}

fn use_everything(cold: &Cold, way: Way, mount: &Mount) -> Result<()> {
    let repository = &cold.bench.repository;
    let root = |name: &str| mount.mountpoint().join(&cold.places[name]);
    for package in &repository.imports {
        if let Some(module) = package.module {
            reading::import(way.user(), &root(package.name), module)?;
        }
    }
    let read = |work: &str, path: &Path| {
        reading::read(&cold.bench.programs, way.user(), work, path, None).map(drop)
    };
    read("read", &root(repository.small().name))?;
    read("walk", &root(repository.small().name))?;
    read("sequential", &root(repository.large().name).join("large.bin"))
}
