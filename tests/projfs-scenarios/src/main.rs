//! `projfs-scenarios [--subject reference|pkgfs|copied] [--pkgfs PATH] [--driver standin|win32] [--base DIR]
//! [--list] [--impossible COUNT] [WORDS…]`: plays the scenarios whose sentence has all words, and prints a
//! line each. It fails if one does, and if others than COUNT cannot be played on this machine.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use pkgfs_projfs_scenarios::{
    Outcome, Scene, Subject, copied::Copied, pkgfs::Pkgfs, reference::Reference, scenarios,
    scene::Drive,
};

struct Arguments {
    subject: Box<dyn Subject>,
    drive: Drive,
    base: Option<PathBuf>,
    list: bool,
    impossible: Option<usize>,
    words: Vec<String>,
}

fn arguments() -> anyhow::Result<Arguments> {
    let mut subject = "reference".to_owned();
    let mut program = std::env::current_exe()?.with_file_name("pkgfs.exe");
    let mut chosen = Arguments {
        subject: Box::new(Reference),
        drive: Drive::Standin,
        base: None,
        list: false,
        impossible: None,
        words: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--subject" => subject = value()?,
            "--pkgfs" => program = value()?.into(),
            "--driver" => {
                chosen.drive = match value()?.as_str() {
                    "standin" => Drive::Standin,
                    "win32" => Drive::Win32,
                    other => bail!("unknown driver {other:?}: standin or win32"),
                }
            }
            "--base" => chosen.base = Some(value()?.into()),
            "--impossible" => chosen.impossible = Some(value()?.parse()?),
            "--list" => chosen.list = true,
            "--read" => read(&value()?)?,
            option if option.starts_with("--") => bail!("unknown option {option}"),
            word => chosen.words.push(word.to_owned()),
        }
    }
    chosen.subject = match subject.as_str() {
        "reference" => Box::new(Reference),
        "copied" => Box::new(Copied),
        "pkgfs" => Box::new(Pkgfs { program }),
        other => bail!("unknown subject {other:?}: reference, pkgfs or copied"),
    };
    Ok(chosen)
}

/// Reads a file and says when it begins: the program that another one ends while it reads.
fn read(path: &str) -> anyhow::Result<()> {
    let mut file = std::fs::File::open(path)?;
    println!("reading");
    std::io::copy(&mut file, &mut std::io::sink())?;
    Ok(())
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = arguments()?;
    // A subject's own programs answer at an address only where the stand-in is used.
    let chosen: Vec<_> = scenarios::all()
        .into_iter()
        .filter(|scenario| {
            arguments.words.iter().all(|word| scenario.sentence.contains(word.as_str()))
        })
        .collect();
    let (mut passed, mut skipped, mut impossible, mut failed) = (0, 0, 0, 0);
    for scenario in &chosen {
        if arguments.list {
            println!("{}", scenario.sentence);
            continue;
        }
        let scene = Scene::new(arguments.base.as_deref(), arguments.drive)?;
        match scenario.play(&scene, arguments.subject.as_ref()) {
            Ok(Outcome::Passed) => {
                passed += 1;
                println!("ok    {}", scenario.sentence);
            }
            Ok(Outcome::Skipped(why)) => {
                skipped += 1;
                println!("skip  {}: {why}", scenario.sentence);
            }
            Ok(Outcome::Impossible(why)) => {
                impossible += 1;
                println!("can't {}: {why}", scenario.sentence);
            }
            Err(error) => {
                failed += 1;
                println!("FAIL  {}: {error:#}", scenario.sentence);
            }
        }
    }
    if !arguments.list {
        let name = arguments.subject.name();
        println!(
            "{name}: {passed} passed, {skipped} do not concern it, {impossible} cannot be played here, \
             {failed} failed"
        );
    }
    if chosen.is_empty() {
        bail!("no scenario has these words");
    }
    if let Some(expected) = arguments.impossible.filter(|expected| *expected != impossible) {
        bail!("{impossible} scenarios cannot be played here, not {expected}");
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
