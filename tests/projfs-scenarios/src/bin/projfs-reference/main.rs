//! A provider that shows a repository's packages, plainly: to prove the stand-in with, and to see what
//! a scenario says of a provider that is known to be right.
//!
//! `projfs-reference REPOSITORY ROOT STORE`; then orders come on standard input: `flush PACKAGE`, `stop`.
#![allow(unsafe_code)]

#[cfg(windows)]
mod packages;
#[cfg(windows)]
mod provider;

#[cfg(windows)]
fn main() -> anyhow::Result<()> {
    use std::io::BufRead as _;

    let arguments: Vec<std::path::PathBuf> = std::env::args_os().skip(1).map(Into::into).collect();
    let [repository, root, store] = arguments.as_slice() else {
        anyhow::bail!("usage: projfs-reference REPOSITORY ROOT STORE");
    };
    let provider = provider::start(repository, root, store)?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        match line?.split_once(' ') {
            Some(("flush", package)) => {
                provider.flush(package);
                println!("flushed");
            }
            _ => break,
        }
    }
    provider.stop();
    println!("stopped");
    Ok(())
}

#[cfg(not(windows))]
fn main() {
    eprintln!("projfs-reference: this program is for Windows");
    std::process::exit(2);
}
