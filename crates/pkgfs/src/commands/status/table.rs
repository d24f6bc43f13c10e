//! The state of mounts for people.

use std::fmt::Write;

use serde::Deserialize;

use super::Report;
use crate::output::{bytes, share};

/// What is said begins in this column.
const LABEL: usize = 14;

/// What is shown of a view's state; the JSON holds more.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct View {
    repositories: Vec<String>,
    missing_repositories: Vec<String>,
    registrations: Registrations,
    known: Amount,
    hydrated: Amount,
    hits: u64,
    misses: u64,
    ahead: Ahead,
    profiles: Profiles,
    origin: Origin,
    store: Store,
    room: Room,
    checks: Checks,
    problems: Vec<Problem>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Registrations {
    ready: u64,
    copying: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Amount {
    files: u64,
    bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ahead {
    all: Amount,
    unread: Amount,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Profiles {
    known: u64,
    learnt: u64,
    ahead: Ahead,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Origin {
    operations: Operations,
    timed_out: u64,
    refused: u64,
    replaced: u64,
    left_behind: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Operations {
    list: u64,
    stat: u64,
    open: u64,
    read: u64,
    resolve: u64,
    xattr: u64,
    bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Store {
    blobs: u64,
    blob_bytes: u64,
    disk_available: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Room {
    quota: Option<u64>,
    evicted_blobs: u64,
    evicted_bytes: u64,
    full: bool,
    refused: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Checks {
    checked: Amount,
    bad: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    text: String,
    times: u64,
}

pub(super) fn of(reports: &[Report]) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    let mut told = Vec::new();
    for report in reports {
        if !rows.is_empty() {
            rows.push(("", String::new()));
        }
        rows.push(("mount", report.mountpoint.display().to_string()));
        if let Some(mode) = &report.mode {
            rows.push(("mode", mode.clone()));
        }
        rows.push(("store", report.store.display().to_string()));
        if let Some(problem) = &report.problem {
            rows.push(("problem", problem.clone()));
        }
        let Some(daemon) = &report.daemon else { continue };
        // Several mounts of one store share everything below.
        if told.contains(&daemon.pid) {
            continue;
        }
        told.push(daemon.pid);
        rows.push(("daemon", format!("process {}, version {}", daemon.pid, daemon.version)));
        if let Some(end) = &daemon.hand_over.last_end {
            let times = daemon.hand_over.taken_over;
            rows.push(("taken over", format!("{times} times, last since the daemon {end}")));
        }
        if daemon.hand_over.holder.is_none() {
            rows.push(("hand-over", "none: this mount ends with its daemon".to_owned()));
        }
        rows.push(("log", daemon.log.display().to_string()));
        let view = View::deserialize(&daemon.view).unwrap_or_default();
        push_view(&mut rows, &view);
        rows.extend(daemon.notes.iter().map(|note| ("problem", note.clone())));
        rows.extend(view.problems.iter().map(|problem| match problem.times {
            0 | 1 => ("problem", problem.text.clone()),
            times => ("problem", format!("{} ({times} times)", problem.text)),
        }));
    }
    let mut text = String::new();
    let mut former = "";
    for (name, value) in rows {
        debug_assert!(name.len() < LABEL, "{name} leaves no room before its value");
        let shown = if name == former { "" } else { name };
        former = name;
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", format!("{shown:<LABEL$}{value}").trim_end());
    }
    text
}

fn push_view(rows: &mut Vec<(&str, String)>, view: &View) {
    if view.repositories.is_empty() && view.missing_repositories.is_empty() {
        rows.push(("repositories", "none; variants appear when rez adds them".to_owned()));
    }
    rows.extend(view.repositories.iter().map(|path| ("repositories", path.clone())));
    let missing = view.missing_repositories.iter();
    rows.extend(
        missing.map(|path| ("repositories", format!("{path}: missing; served once it is there"))),
    );
    let copying = match view.registrations.copying {
        0 => String::new(),
        count => format!(", {count} being copied in by rez"),
    };
    rows.push(("variants", format!("{} registered{copying}", view.registrations.ready)));
    rows.push((
        "local",
        format!(
            "{} of {} known files, {} of {} ({})",
            view.hydrated.files,
            view.known.files,
            bytes(view.hydrated.bytes),
            bytes(view.known.bytes),
            share(view.hydrated.bytes, view.known.bytes),
        ),
    ));
    push_store(rows, view);
    let asked = &view.origin.operations;
    let operations =
        asked.list + asked.stat + asked.open + asked.read + asked.resolve + asked.xattr;
    rows.push((
        "origin",
        format!(
            "{operations} operations (list {}, stat {}, open {}, read {}, resolve {}, xattr {}), {}",
            asked.list,
            asked.stat,
            asked.open,
            asked.read,
            asked.resolve,
            asked.xattr,
            bytes(asked.bytes)
        ),
    ));
    if view.origin.timed_out + view.origin.replaced + view.origin.left_behind > 0 {
        rows.push((
            "origin faults",
            format!(
                "{} requests timed out, {} more failed at once, {} workers replaced, {} hanging",
                view.origin.timed_out,
                view.origin.refused,
                view.origin.replaced,
                view.origin.left_behind
            ),
        ));
    }
    let first_reads = view.hits + view.misses;
    rows.push((
        "hit ratio",
        format!("{} of {first_reads} first reads", share(view.hits, first_reads)),
    ));
    let Ahead { all, unread } = &view.ahead;
    rows.push((
        "fetched ahead",
        format!(
            "{} files, {}; of these {}, {} unread",
            all.files,
            bytes(all.bytes),
            unread.files,
            bytes(unread.bytes),
        ),
    ));
    let Profiles { known, learnt, ahead: Ahead { all, unread } } = &view.profiles;
    rows.push((
        "profiles",
        format!(
            "{known} known, {learnt} launches learnt; fetched by them {} files, {}; of these {}, {} unread",
            all.files,
            bytes(all.bytes),
            unread.files,
            bytes(unread.bytes),
        ),
    ));
}

fn push_store(rows: &mut Vec<(&str, String)>, view: &View) {
    let View { store, room, checks, .. } = view;
    let quota = room.quota.map(|quota| format!(" of {}", bytes(quota))).unwrap_or_default();
    let (held, free) = (bytes(store.blob_bytes), bytes(store.disk_available));
    let size = format!("{held}{quota} in {} blobs; {free} free on its disk", store.blobs);
    rows.push(("store size", size));
    if room.evicted_blobs > 0 {
        let gone = format!("{} blobs, {}", room.evicted_blobs, bytes(room.evicted_bytes));
        rows.push(("evicted", gone));
    }
    if checks.checked.files > 0 {
        let Checks { checked, bad } = checks;
        let told = format!("{} blobs, {}; {bad} bad", checked.files, bytes(checked.bytes));
        rows.push(("checked", told));
    }
    if let Some(reason) = &room.refused {
        rows.push(("store refuses", format!("what is read is not kept: {reason}")));
    } else if room.full {
        rows.push(("store full", "what is read is not kept".to_owned()));
    }
}
