//! Serving programs: a thread reads a connection, another answers, so that a program that goes away
//! while it waits is noticed at once.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    Code, Volume, Wide,
    protocol::{Answer, Request},
    provider::{Asker, lock},
    records::Kind,
};

static CLIENTS: AtomicU64 = AtomicU64::new(1);

/// How long a server may take to notice that it is to end.
const GLANCE: Duration = Duration::from_millis(100);

type Connections = Arc<Mutex<Vec<(TcpStream, JoinHandle<()>)>>>;

/// A volume that is being served.
pub struct Server {
    address: std::net::SocketAddr,
    ends: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
    connections: Connections,
}

impl Server {
    /// Serves a volume on a port of its own.
    pub fn start(volume: Arc<Volume>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let ends = Arc::new(AtomicBool::new(false));
        let connections = Connections::default();
        let accepting = {
            let (ends, connections) = (Arc::clone(&ends), Arc::clone(&connections));
            thread::spawn(move || {
                for stream in listener.incoming() {
                    if ends.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    let Ok(mine) = stream.try_clone() else { continue };
                    let volume = Arc::clone(&volume);
                    let ends = Arc::clone(&ends);
                    let thread = thread::spawn(move || serve(&volume, mine, &ends));
                    lock(&connections).push((stream, thread));
                }
            })
        };
        Ok(Self { address, ends, accepting: Some(accepting), connections })
    }

    /// Where.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    /// Ends all connections, and waits until what they had asked for has ended.
    pub fn stop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // The listener is woken by one more connection.
        TcpStream::connect(self.address).ok();
        if let Some(accepting) = self.accepting.take() {
            accepting.join().ok();
        }
        let connections = std::mem::take(&mut *lock(&self.connections));
        for (stream, _) in &connections {
            stream.shutdown(std::net::Shutdown::Both).ok();
        }
        for (_, thread) in connections {
            thread.join().ok();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(volume: &Arc<Volume>, stream: TcpStream, ends: &AtomicBool) {
    stream.set_nodelay(true).ok();
    stream.set_read_timeout(Some(GLANCE)).ok();
    let client = CLIENTS.fetch_add(1, Ordering::SeqCst);
    let asker = Asker::default();
    let Ok(mut writer) = stream.try_clone() else { return };
    let (requests, waiting) = mpsc::channel::<Request>();
    let answering = {
        let (volume, asker) = (Arc::clone(volume), asker.clone());
        thread::spawn(move || {
            for request in waiting {
                let answer =
                    answer(&volume, &asker, client, request).unwrap_or_else(Answer::Failed);
                let Ok(mut text) = serde_json::to_string(&answer) else { break };
                text.push('\n');
                if asker.is_gone() || writer.write_all(text.as_bytes()).is_err() {
                    break;
                }
            }
            volume.close_all(client);
        })
    };
    let mut reader = BufReader::new(stream);
    while let Some(request) = next(&mut reader, ends) {
        if requests.send(request).is_err() {
            break;
        }
    }
    asker.go();
    volume.changed.notify_all();
    drop(requests);
    answering.join().ok();
}

/// The next request; nothing when the program has gone or the server ends. Under Wine a shutdown does
/// not wake who reads, so this looks up now and then.
fn next(reader: &mut BufReader<TcpStream>, ends: &AtomicBool) -> Option<Request> {
    let mut line = Vec::new();
    loop {
        match reader.read_until(b'\n', &mut line) {
            Ok(_) if line.ends_with(b"\n") => return serde_json::from_slice(&line).ok(),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
                    && !ends.load(Ordering::SeqCst) => {}
            _ => return None,
        }
    }
}

/// Does what a program asks.
pub fn answer(
    volume: &Volume,
    asker: &Asker,
    client: u64,
    request: Request,
) -> Result<Answer, Code> {
    let below = |path: &Wide| path.below(volume.name()).ok_or(Code::NOT_SAME_DEVICE);
    Ok(match request {
        Request::Open { path, how } => {
            Answer::Handle(volume.open_file(asker, client, &below(&path)?, how)?)
        }
        Request::Read { handle, offset, length } => {
            Answer::Bytes(volume.read(asker, handle, offset, length)?)
        }
        Request::Write { handle, offset, bytes } => done(volume.write(handle, offset, &bytes))?,
        Request::SetLength { handle, length } => done(volume.set_length(handle, length))?,
        Request::List { handle, pattern, restart, most } => {
            Answer::Entries(volume.list(asker, handle, pattern.as_ref(), restart, most)?)
        }
        Request::HeldStatus { handle } => Answer::Status(volume.held_status(handle)?),
        Request::Close { handle } => done(volume.close(asker, handle))?,
        Request::Status { path, follow } => {
            Answer::Status(volume.status(asker, client, &below(&path)?, follow)?)
        }
        Request::Security { path } => Answer::Security(volume.security_of(asker, &below(&path)?)?),
        Request::SetSecurity { path, security } => {
            done(volume.set_security(asker, client, &below(&path)?, security))?
        }
        Request::SetMetadata { path, attributes, times } => {
            done(volume.set_metadata(asker, client, &below(&path)?, attributes, times))?
        }
        Request::CreateDirectory { path } => {
            done(volume.create_directory(asker, client, &below(&path)?))?
        }
        Request::CreateLink { path, target, directory, junction } => {
            let kind = Kind::Link { target, directory, junction };
            done(volume.create_link(asker, client, &below(&path)?, kind))?
        }
        Request::Delete { path, directory, despite_attribute } => {
            done(volume.delete(asker, client, &below(&path)?, directory, despite_attribute))?
        }
        Request::Rename { from, to, replace } => {
            done(volume.rename(asker, client, &below(&from)?, &below(&to)?, replace))?
        }
        Request::HardLink { existing, new } => {
            done(volume.hard_link(asker, client, &below(&existing)?, &below(&new)?))?
        }
        Request::Trace => Answer::Trace(volume.take_trace()),
        Request::Switches => Answer::Switches(volume.switches()),
        Request::Switch(switches) => {
            volume.switch(switches);
            Answer::Done
        }
        Request::FileState { path } => Answer::State(volume.file_state(&below(&path)?)?),
        Request::Content { path } => Answer::Bytes(volume.content(asker, &below(&path)?)?),
    })
}

fn done(result: Result<(), Code>) -> Result<Answer, Code> {
    result.map(|()| Answer::Done)
}
