//! Killed at any instant, under load, the store opens and has all it acknowledged.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Barrier, Mutex},
    thread,
    time::Duration,
};

use pkgfs_store::{NewDirectory, RegistrationId, RegistrationState, Store};

use crate::{
    Dice,
    acknowledged::Acknowledged,
    fixture::{audit, directory, finished, sys, variant},
};

const DIR: &str = "PKGFS_STORE_CRASH";
const ROUND: &str = "PKGFS_STORE_CRASH_ROUND";
const KILLS: u64 = 60;

/// What a file holds: half of the time something that others hold too.
fn bytes(dice: &mut Dice) -> Vec<u8> {
    let kind = if dice.below(2) == 0 { dice.below(20) } else { dice.below(1 << 40) };
    kind.to_le_bytes().repeat(1 + usize::try_from(kind % 20).unwrap() * 300)
}

/// Tells the parent, in one write.
fn say(line: &str) {
    std::io::stdout().write_all(format!("\n@{line}\n").as_bytes()).unwrap();
}

#[test]
#[ignore = "the process that the test below kills"]
fn load() {
    let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let store = Store::open(&dir).unwrap();
    say("open");
    let shared = Mutex::new(Vec::<RegistrationId>::new());
    let all = Barrier::new(4);
    thread::scope(|scope| {
        for worker in 0..4_u64 {
            let (store, shared, all) = (&store, &shared, &all);
            let mut dice = Dice(round << 8 | worker);
            scope.spawn(move || {
                all.wait();
                for n in 0.. {
                    let number = round << 32 | worker << 24 | n;
                    let mut new = variant(number);
                    let copied = dice.below(8) == 0;
                    if copied {
                        new.state = RegistrationState::Copying;
                    }
                    let id = store.register(new).unwrap().id;
                    say(&format!("registered {} {number}", id.0));
                    if copied {
                        seal(store, id, &mut dice);
                        continue;
                    }
                    shared.lock().unwrap().push(id);
                    hydrate(store, id, &mut dice);
                    let chosen = {
                        let mut shared = shared.lock().unwrap();
                        let index = dice.below(shared.len() as u64);
                        shared.swap_remove(usize::try_from(index).unwrap())
                    };
                    match dice.below(4) {
                        0 => {
                            say(&format!("unregistering {}", chosen.0));
                            store.unregister(chosen, true).unwrap();
                            say(&format!("unregistered {}", chosen.0));
                        }
                        1 => {
                            say(&format!("flushing {}", chosen.0));
                            store.retire_directories(chosen).unwrap();
                        }
                        _ => shared.lock().unwrap().push(chosen),
                    }
                }
            });
        }
    });
}

fn hydrate(store: &Store, id: RegistrationId, dice: &mut Dice) {
    let files: Vec<Vec<u8>> = (0..1 + dice.below(6)).map(|_| bytes(dice)).collect();
    let sizes: Vec<u64> = files.iter().map(|bytes| bytes.len() as u64).collect();
    let listed = store.record_directory(&directory(id, "lib", &sizes)).unwrap();
    let batch = files.iter().zip(0..).map(|(bytes, n)| finished(store, listed, n, bytes));
    for one in store.commit(batch.collect()).unwrap() {
        say(&format!("committed {} {} {} {}", id.0, listed.0, one.file.entry, one.digest));
    }
}

fn seal(store: &Store, id: RegistrationId, dice: &mut Dice) {
    let staging = store.staging_dir(id);
    fs::create_dir(&staging).unwrap();
    let bytes = bytes(dice);
    fs::write(staging.join("file"), &bytes).unwrap();
    let (digest, size) = store.adopt(&staging.join("file")).unwrap();
    let carried = vec![(0, digest)];
    let listed =
        store.record_directory(&NewDirectory { carried, ..directory(id, "", &[size]) }).unwrap();
    store.set_state(id, RegistrationState::Sealed).unwrap();
    store.protect(&[digest].into()).unwrap();
    say(&format!("committed {} {} 0 {digest}", id.0, listed.0));
    store.discard_staging(id).unwrap();
}

/// Lets a process work until it has said `lines`, and a little longer, and kills it.
fn kill_one(dir: &Path, round: u64, lines: u64, longer: Duration, heard: &mut Acknowledged) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "kills::load", "--nocapture"])
        .env(DIR, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut said = 0;
    let mut line = String::new();
    let mut killed = false;
    loop {
        if said >= lines && !killed {
            // Not to wait for anything: to kill at another point than just after a line.
            thread::sleep(longer);
            child.kill().unwrap();
            killed = true;
        }
        line.clear();
        if output.read_line(&mut line).unwrap() == 0 {
            break;
        }
        // A last line that was cut short has no end.
        if let Some(said_so) = line.strip_prefix('@').and_then(|line| line.strip_suffix('\n')) {
            heard.hear(said_so);
            said += 1;
        }
    }
    let status = child.wait().unwrap();
    assert!(killed && sys::was_killed(status), "the process ended by itself: {status}");
}

#[test]
fn nothing_acknowledged_is_lost_by_kills_at_any_moment() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("store");
    let mut heard = Acknowledged::default();
    let mut dice = Dice(std::process::id().into());
    for round in 0..KILLS {
        // Now and then while it is still being made or opened.
        let lines = if round % 6 == 0 { 0 } else { 1 + dice.below(150) };
        let longer = Duration::from_micros(dice.below(6_000));
        kill_one(&dir, round, lines, longer, &mut heard);
        let store = Store::open(&dir).unwrap();
        heard.check(&store);
        assert_eq!(fs::read_dir(dir.join("partial")).unwrap().count(), 0);
        audit(&dir);
    }
    assert!(heard.registered.len() > 100 && heard.contents.len() > 100);
    assert!(!heard.unregistered.is_empty() && !heard.flushed.is_empty());
}
