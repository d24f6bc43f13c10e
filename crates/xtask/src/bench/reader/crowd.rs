//! Reading by many at a time.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};

use crate::work::{Done, files_below, read, whole};

/// The work of one of the processes that [`processes`] starts.
pub(crate) const MEMBER: &str = "member";

/// One file, whole, by each of some threads; ends with the last of them.
pub(crate) fn readers(file: &Path, count: usize) -> Result<Done> {
    let start = Barrier::new(count + 1);
    let read_whole = || {
        let mut buffer = vec![0; 1 << 18];
        start.wait();
        whole(file, &mut buffer)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(read_whole)).collect();
        start.wait();
        let began = Instant::now();
        let mut bytes = 0;
        for thread in threads {
            bytes += thread.join().map_err(|_| anyhow!("a reader panicked"))??;
        }
        Ok(Done::since(began, count as u64, bytes))
    })
}

/// Every file below a directory, by each of some processes, which begin at different ones.
pub(crate) fn processes(root: &Path, count: usize) -> Result<Done> {
    let program = std::env::current_exe()?;
    let mut members = Vec::new();
    for place in 0..count {
        let mut child = Command::new(&program)
            .args([MEMBER.as_ref(), root.as_os_str(), place.to_string().as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().context("no pipe")?;
        let stdout = BufReader::new(child.stdout.take().context("no pipe")?);
        members.push((child, stdin, stdout));
    }
    let told = |stdout: &mut BufReader<ChildStdout>| -> Result<String> {
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        Ok(line)
    };
    for (_, _, stdout) in &mut members {
        told(stdout)?;
    }
    let began = Instant::now();
    for (_, stdin, _) in &mut members {
        let start: &mut ChildStdin = stdin;
        start.write_all(b"\n")?;
    }
    let (mut files, mut bytes) = (0, 0);
    for (_, _, stdout) in &mut members {
        let done: Done = serde_json::from_str(&told(stdout)?).context("a process failed")?;
        files += done.files;
        bytes += done.bytes;
    }
    let done = Done::since(began, files, bytes);
    for (child, _, _) in &mut members {
        child.wait()?;
    }
    Ok(done)
}

/// One of those processes: says when it is ready, and begins when it is told to.
pub(crate) fn member(root: &Path, place: usize) -> Result<Done> {
    let mut files = files_below(root)?;
    let step = files.len() / 8;
    let len = files.len().max(1);
    files.rotate_left(place * step % len);
    println!("ready");
    std::io::stdin().read_exact(&mut [0])?;
    read(&files)
}
