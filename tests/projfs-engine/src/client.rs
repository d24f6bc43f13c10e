//! A program's side of the connection, and what it sees where nobody serves.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use crate::{
    Code, Volume,
    protocol::{Answer, Request},
    provider::{Asker, Gone, lock},
    serve,
    volume::Options,
};

/// A program: a connection while a provider runs, and the root as it lies there while none does.
pub struct Program {
    address: PathBuf,
    root: PathBuf,
    connection: Mutex<Option<Reached>>,
}

enum Reached {
    Served(BufReader<TcpStream>),
    Left(Arc<Volume>),
}

impl Program {
    /// A program over `root`, whose stand-in writes its address to `address`.
    #[must_use]
    pub fn new(address: &Path, root: &Path) -> Self {
        Self { address: address.to_owned(), root: root.to_owned(), connection: Mutex::new(None) }
    }

    /// Asks, and waits for the answer. After a provider has ended, the first request that needs its
    /// handles fails; others are served by whoever is there then.
    pub fn ask(&self, request: &Request) -> Result<Answer, Code> {
        let mut connection = lock(&self.connection);
        // Where nobody serves, somebody may by now.
        if !matches!(&*connection, Some(Reached::Served(_))) && self.is_served() {
            *connection = None;
        }
        for _ in 0..2 {
            if connection.is_none() {
                *connection = Some(self.reach()?);
            }
            let answer = match connection.as_mut() {
                Some(Reached::Served(stream)) => round_trip(stream, request),
                Some(Reached::Left(volume)) => {
                    Some(serve::answer(volume, &Asker::default(), 0, request.clone()))
                }
                None => None,
            };
            match answer {
                Some(Ok(Answer::Failed(code))) => return Err(code),
                Some(answer) => return answer,
                None => *connection = None,
            }
        }
        Err(Code::FILE_SYSTEM_VIRTUALIZATION_UNAVAILABLE)
    }

    /// Sends without waiting, for a program that will not be there for the answer.
    pub fn send(&self, request: &Request) -> Result<(), Code> {
        let mut connection = lock(&self.connection);
        if connection.is_none() {
            *connection = Some(self.reach()?);
        }
        match connection.as_mut() {
            Some(Reached::Served(stream)) => {
                let mut text =
                    serde_json::to_string(request).map_err(|_| Code::INVALID_PARAMETER)?;
                text.push('\n');
                stream.get_mut().write_all(text.as_bytes()).map_err(|_| Code::GEN_FAILURE)
            }
            _ => Err(Code::FILE_SYSTEM_VIRTUALIZATION_UNAVAILABLE),
        }
    }

    fn is_served(&self) -> bool {
        self.connect().is_some()
    }

    fn connect(&self) -> Option<TcpStream> {
        let address = fs::read_to_string(&self.address).ok()?;
        TcpStream::connect(address.trim()).ok()
    }

    fn reach(&self) -> Result<Reached, Code> {
        if let Some(stream) = self.connect() {
            stream.set_nodelay(true).ok();
            return Ok(Reached::Served(BufReader::new(stream)));
        }
        Ok(Reached::Left(Volume::open(&self.root, Arc::new(Gone), Options::default())?))
    }
}

fn round_trip(
    stream: &mut BufReader<TcpStream>,
    request: &Request,
) -> Option<Result<Answer, Code>> {
    let mut text = serde_json::to_string(request).ok()?;
    text.push('\n');
    stream.get_mut().write_all(text.as_bytes()).ok()?;
    let mut line = String::new();
    match stream.read_line(&mut line) {
        Ok(read) if read > 0 => Some(serde_json::from_str(&line).map_err(|_| Code::GEN_FAILURE)),
        _ => None,
    }
}
