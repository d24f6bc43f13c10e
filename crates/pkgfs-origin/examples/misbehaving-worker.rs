//! A program that tests start in the worker's place. It hears something, answers with a frame that
//! is none (`nonsense`), with a part of one (`cut`) or nothing (`silence`), and waits to be killed,
//! except after a cut; or it ends at once (`exit`).

use std::{
    fs::File,
    io::{Read, Write},
};

/// The channel's end to speak into.
#[cfg(unix)]
fn mouth() -> File {
    use std::os::fd::AsFd;
    std::io::stdin().as_fd().try_clone_to_owned().expect("it is open").into()
}

/// The channel's end to speak into.
#[cfg(windows)]
fn mouth() -> File {
    use std::os::windows::io::AsHandle;
    std::io::stdout().as_handle().try_clone_to_owned().expect("it is open").into()
}

fn main() {
    let manner = std::env::args().nth(1).unwrap_or_default();
    if manner == "exit" {
        std::process::exit(1);
    }
    let mut ear = std::io::stdin();
    _ = ear.read(&mut [0]);
    let said: &[u8] = match &*manner {
        "nonsense" => b"\x03\0\0\0abc",
        "cut" => b"\xff\0\0\0abc",
        _ => b"",
    };
    _ = mouth().write_all(said);
    if manner != "cut" {
        // Until its input ends, and it is killed before that.
        _ = std::io::copy(&mut ear, &mut std::io::sink());
    }
}
