//! `pkgfs-witness ORIGINAL PAYLOAD`: reads a payload again and again and compares it with its
//! original, until standard input ends.
//!
//! Each round looks at every name, reads every file anew, and every byte of mappings that are
//! held from the first round on: what somebody stored in the page cache shows there, whatever
//! the file system answered. Says `ready` after the first round, and the number of rounds at the
//! end; exits with 1 and the difference when there is one.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail, ensure};
use pkgfs_tests::{Mapping, Tree};

fn main() -> ExitCode {
    match watch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pkgfs-witness: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn watch() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(original), Some(payload)) = (arguments.next(), arguments.next()) else {
        bail!("usage: pkgfs-witness ORIGINAL PAYLOAD");
    };
    let expected = Tree::of(&original)?.as_payload();
    let mapped = mapped(&original, &payload, &expected)?;
    let ended = Arc::new(AtomicBool::new(false));
    let mut rounds = 0_u64;
    loop {
        // Asked first: the last round begins after the end was told.
        let last = ended.load(Ordering::Acquire);
        let shown = Tree::of(&payload).context("the payload cannot be read")?.as_payload();
        if let Some(difference) = shown.difference(&expected) {
            bail!("round {rounds}: shown, expected: {difference}");
        }
        for (name, mapping, bytes) in &mapped {
            let changed = bytes.iter().enumerate().find(|(at, byte)| mapping.load(*at) != **byte);
            ensure!(changed.is_none(), "round {rounds}: {name:?} mapped: {changed:?} differs");
        }
        rounds += 1;
        if rounds == 1 {
            println!("ready");
            let ended = Arc::clone(&ended);
            std::thread::spawn(move || {
                std::io::stdin().read_to_end(&mut Vec::new()).ok();
                ended.store(true, Ordering::Release);
            });
        }
        if last {
            println!("{rounds}");
            return Ok(());
        }
    }
}

type Mapped = Vec<(PathBuf, Mapping, Vec<u8>)>;

fn mapped(original: &Path, payload: &Path, tree: &Tree) -> Result<Mapped> {
    let mut mapped = Vec::new();
    for (name, seen) in &tree.0 {
        let is_link = fs::symlink_metadata(original.join(name))?.is_symlink();
        if seen.content.is_some() && seen.size > 0 && !is_link {
            let bytes = fs::read(original.join(name))?;
            let mapping = Mapping::readable(File::open(payload.join(name))?, bytes.len())?;
            mapped.push((name.clone(), mapping, bytes));
        }
    }
    Ok(mapped)
}
