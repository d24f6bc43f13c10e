//! Faults: hang, error, short read.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use pkgfs_standin::{Effect, Fault, FaultErrno, Operation, Options};
use rustix::io::Errno;

use crate::storage::{Storage, keeping, wait_until, write};

/// Nothing kept by the kernel, pages included: every operation reaches the mirror each time.
fn forgetful() -> Options {
    Options { reread_at_open: true, ..Options::uncached() }
}

fn two_files(options: &Options) -> Storage {
    Storage::mount(options, |source| {
        write(source.join("a/f"), b"of a");
        write(source.join("b/f"), b"of b");
    })
}

fn read_aside(path: PathBuf) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || fs::read(path))
}

#[test]
fn a_hung_read_goes_on_after_release_and_holds_up_nobody_else_meanwhile() {
    let storage = two_files(&Options { slots: 1, ..keeping() });
    let control = storage.control();
    control.fault(&Fault::new(Effect::Hang).at("a").on([Operation::Read])).unwrap();

    let readers: Vec<_> = (0..3).map(|_| read_aside(storage.seen("a/f"))).collect();
    wait_until("a read hangs", || control.stats().unwrap().hung >= 1);
    assert!(!readers.iter().any(JoinHandle::is_finished));
    assert_eq!(fs::read(storage.seen("b/f")).unwrap(), b"of b");
    assert_eq!(control.stats().unwrap().in_service, 0);

    assert!(control.release().unwrap() >= 1);
    for reader in readers {
        assert_eq!(reader.join().unwrap().unwrap(), b"of a");
    }
    assert_eq!(control.stats().unwrap().hung, 0);
}

#[test]
fn every_operation_can_hang() {
    let storage = two_files(&forgetful());
    let control = storage.control();
    for operation in [Operation::Lookup, Operation::Getattr, Operation::Open, Operation::Read] {
        control.fault(&Fault::new(Effect::Hang).on([operation])).unwrap();
        let reader = read_aside(storage.seen("a/f"));
        wait_until("it hangs", || control.stats().unwrap().hung == 1);
        control.release().unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), b"of a");
    }
}

#[test]
fn more_operations_hang_at_once_than_there_are_slots() {
    let storage = Storage::mount(&Options { slots: 2, ..keeping() }, |source| {
        for number in 0..20 {
            write(source.join(number.to_string()), b"x");
        }
    });
    let control = storage.control();
    control.fault(&Fault::new(Effect::Hang).on([Operation::Open])).unwrap();
    let readers: Vec<_> =
        (0..20).map(|number| read_aside(storage.seen(&number.to_string()))).collect();
    wait_until("all hang", || control.stats().unwrap().hung == 20);
    assert_eq!(control.release().unwrap(), 20);
    for reader in readers {
        assert_eq!(reader.join().unwrap().unwrap(), b"x");
    }
}

#[test]
fn an_error_strikes_its_path_until_the_faults_are_cleared() {
    let storage = two_files(&forgetful());
    let faults = [
        (FaultErrno::Eio, Operation::Read, Errno::IO),
        (FaultErrno::Eacces, Operation::Open, Errno::ACCESS),
        (FaultErrno::Enoent, Operation::Lookup, Errno::NOENT),
        (FaultErrno::Estale, Operation::Open, Errno::STALE),
        (FaultErrno::Etimedout, Operation::Read, Errno::TIMEDOUT),
    ];
    for (errno, operation, expected) in faults {
        let fault = Fault::new(Effect::Error { errno }).at("a").on([operation]);
        storage.control().fault(&fault).unwrap();
        let error = fs::read(storage.seen("a/f")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(expected.raw_os_error()));
        assert_eq!(fs::read(storage.seen("b/f")).unwrap(), b"of b");
        storage.control().clear_faults().unwrap();
        assert_eq!(fs::read(storage.seen("a/f")).unwrap(), b"of a");
    }
    assert!(storage.control().stats().unwrap().faulted >= 5);
}

#[test]
fn a_fault_can_strike_once_and_late() {
    let storage = two_files(&forgetful());
    let eacces = Effect::Error { errno: FaultErrno::Eacces };
    let fault = Fault::new(eacces).on([Operation::Open]).after(1).times(1);
    storage.control().fault(&fault).unwrap();
    let opened: Vec<_> = (0..4).map(|_| fs::File::open(storage.seen("a/f")).is_ok()).collect();
    assert_eq!(opened, [true, false, true, true]);
}

#[test]
fn a_short_read_gives_less_than_there_is() {
    let storage = Storage::mount(&keeping(), |source| write(source.join("f"), vec![1; 10_000]));
    storage.control().fault(&Fault::new(Effect::ShortRead).at("f")).unwrap();
    let mut bytes = Vec::new();
    fs::File::open(storage.seen("f")).unwrap().read_to_end(&mut bytes).unwrap();
    assert!(bytes.len() < 10_000, "{} bytes", bytes.len());
    assert!(bytes.iter().all(|&byte| byte == 1), "zeros in place of bytes");
    assert!(storage.control().stats().unwrap().operations.bytes_read < 10_000);
}

#[test]
fn a_request_that_is_not_understood_is_refused_and_the_next_one_served() {
    use std::io::{BufRead, BufReader, Write};
    let mount = tempfile::tempdir().unwrap();
    let source = tempfile::tempdir().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control");
    let mut standin =
        pkgfs_standin::Standin::mount(source.path(), mount.path(), Options::uncached()).unwrap();
    standin.serve_control(&socket).unwrap();

    let mut connection = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    let lines = b"{\"cmd\":\"fault\",\"kind\":\"what\"}\n{\"cmd\":\"release\"}\n";
    connection.write_all(lines).unwrap();
    let mut answers = BufReader::new(connection).lines().map(Result::unwrap);
    assert!(answers.next().unwrap().starts_with(r#"{"refused":"unknown variant `what`"#));
    assert_eq!(answers.next().unwrap(), r#"{"released":0}"#);
}
