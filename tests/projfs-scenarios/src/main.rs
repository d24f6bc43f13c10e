//! `projfs-scenarios [--subject reference|pkgfs|copied] [--pkgfs PATH] [--driver standin|win32] [--base DIR]
//! [--list] [--impossible COUNT] [--jobs COUNT] [--retries COUNT] [WORDS…]`: plays the scenarios whose sentence
//! has all words, so many at once, and prints a line each. It fails if one does, also when it is played again
//! so often, and if others than COUNT cannot be played on this machine.

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

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
    jobs: usize,
    retries: usize,
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
        jobs: 1,
        retries: 0,
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
            "--jobs" => chosen.jobs = value()?.parse::<NonZeroUsize>()?.get(),
            "--retries" => chosen.retries = value()?.parse()?,
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

/// What has come of scenarios so far.
#[derive(Default)]
struct Tally {
    passed: usize,
    skipped: usize,
    impossible: usize,
    failed: usize,
}

impl Tally {
    fn count(&mut self, sentence: &str, outcome: anyhow::Result<Outcome>) {
        match outcome {
            Ok(Outcome::Passed) => {
                self.passed += 1;
                println!("ok    {sentence}");
            }
            Ok(Outcome::Skipped(why)) => {
                self.skipped += 1;
                println!("skip  {sentence}: {why}");
            }
            Ok(Outcome::Impossible(why)) => {
                self.impossible += 1;
                println!("can't {sentence}: {why}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAIL  {sentence}: {error:#}");
            }
        }
    }
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
    if chosen.is_empty() {
        bail!("no scenario has these words");
    }
    if arguments.list {
        chosen.iter().for_each(|scenario| println!("{}", scenario.sentence));
        return Ok(ExitCode::SUCCESS);
    }
    let tally = Mutex::new(Tally::default());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                while let Some(scenario) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let play = || {
                        Scene::new(arguments.base.as_deref(), arguments.drive)
                            .and_then(|scene| scenario.play(&scene, arguments.subject.as_ref()))
                    };
                    let mut outcome = play();
                    for _ in 0..arguments.retries {
                        let Err(error) = &outcome else { break };
                        println!("AGAIN {}: {error:#}", scenario.sentence);
                        outcome = play();
                    }
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.count(scenario.sentence, outcome);
                }
            });
        }
    });
    let Tally { passed, skipped, impossible, failed } =
        tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!(
        "{}: {passed} passed, {skipped} do not concern it, {impossible} cannot be played here, \
         {failed} failed",
        arguments.subject.name()
    );
    if let Some(expected) = arguments.impossible.filter(|expected| *expected != impossible) {
        bail!("{impossible} scenarios cannot be played here, not {expected}");
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
