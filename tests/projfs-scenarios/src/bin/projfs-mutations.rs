//! `projfs-mutations [--subject reference|pkgfs] [WORDS…]`, on Linux: breaks the provider in each of
//! the ways that the table knows, and says which went unnoticed. The sources are put back afterwards,
//! also after an interrupt between two ways.
//!
//! It needs what building and running for Windows needs: the linker of the target in the environment of
//! cargo, and in `WINE_RUN` the program that runs a Windows program.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail, ensure};
use pkgfs_projfs_scenarios::mutations::{self, Mutation};

const TARGET: &str = "x86_64-pc-windows-gnu";
/// The most that playing the scenarios of one mutation may take, in seconds.
const PATIENCE: &str = "120";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn build(subject: &str) -> anyhow::Result<bool> {
    let mut command = Command::new("cargo");
    command.current_dir(workspace()).args(["build", "-q", "--target", TARGET, "--bins"]);
    command.args(["-p", "pkgfs-projfs-scenarios"]);
    if subject == "pkgfs" {
        command.args(["-p", "pkgfs"]);
    }
    Ok(command.status().context("cannot run cargo")?.success())
}

/// Plays the scenarios with these words: what they say, and whether all pass.
fn play(subject: &str, words: &str) -> anyhow::Result<(bool, String)> {
    let runner = env::var_os("WINE_RUN").context("set WINE_RUN to what runs Windows programs")?;
    let program = workspace().join("target").join(TARGET).join("debug/projfs-scenarios.exe");
    let output = Command::new("timeout")
        .arg(PATIENCE)
        .arg(runner)
        .arg(program)
        .args(["--subject", subject, words])
        .output()
        .context("cannot run timeout")?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// Whether a mutation is noticed.
fn noticed(mutation: &Mutation, subject: &str) -> anyhow::Result<bool> {
    let file = workspace().join(mutation.file);
    let source =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", mutation.file))?;
    let found = source.matches(mutation.text).count();
    ensure!(found == 1, "{:?} stands {found} times in {}", mutation.text, mutation.file);
    fs::write(&file, source.replace(mutation.text, mutation.replacement))?;
    let result = build(subject).and_then(|built| {
        ensure!(built, "the mutation does not build: {}", mutation.what);
        Ok(!play(subject, mutation.noticed_by)?.0)
    });
    fs::write(&file, source)?;
    result
}

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let mut subject = "reference".to_owned();
    if arguments.first().is_some_and(|argument| argument == "--subject") {
        ensure!(arguments.len() > 1, "--subject needs a value");
        subject = arguments.remove(1);
        arguments.remove(0);
    }
    let chosen: Vec<&Mutation> = mutations::of(&subject)
        .iter()
        .filter(|mutation| arguments.iter().all(|word| mutation.what.contains(word.as_str())))
        .collect();
    if chosen.is_empty() {
        bail!("no mutation of {subject} has these words");
    }
    ensure!(build(&subject)?, "the sources do not build");
    for words in
        chosen.iter().map(|mutation| mutation.noticed_by).collect::<std::collections::BTreeSet<_>>()
    {
        let (passes, said) = play(&subject, words)?;
        ensure!(passes, "{words:?} does not pass without a mutation: {said}");
    }
    let mut missed = 0;
    for mutation in chosen {
        if noticed(mutation, &subject)? {
            println!("noticed   {}", mutation.what);
        } else {
            missed += 1;
            println!("UNNOTICED {} (by {:?})", mutation.what, mutation.noticed_by);
        }
    }
    build(&subject)?;
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
