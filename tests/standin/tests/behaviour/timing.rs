//! The cost model: what overlaps, what queues, and the least that things take.

use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use pkgfs_standin::Options;

use crate::storage::{Storage, keeping, write};

/// Looks up `names` files at once and returns the most that were in service at a time.
fn overlap(storage: &Storage, names: usize) -> usize {
    storage.control().reset().unwrap();
    let together = Barrier::new(names);
    thread::scope(|scope| {
        for number in 0..names {
            let (path, together) = (storage.seen(&number.to_string()), &together);
            scope.spawn(move || {
                together.wait();
                fs::symlink_metadata(path).unwrap();
            });
        }
    });
    storage.control().stats().unwrap().max_in_service
}

fn numbered(options: &Options) -> Storage {
    Storage::mount(options, |source| {
        for number in 0..12 {
            write(source.join(number.to_string()), b"");
        }
    })
}

#[test]
fn as_many_operations_overlap_as_there_are_slots() {
    let options = Options { delay_us: 200_000, slots: 5, ..Options::uncached() };
    let storage = numbered(&options);
    assert_eq!(overlap(&storage, 12), 5);
    storage.control().set_slots(1).unwrap();
    storage.control().set_delay_us(5_000).unwrap();
    assert_eq!(overlap(&storage, 12), 1);
    storage.control().set_slots(12).unwrap();
    storage.control().set_delay_us(200_000).unwrap();
    assert_eq!(overlap(&storage, 12), 12);
}

#[test]
fn each_operation_takes_at_least_the_delay() {
    let storage = numbered(&Options { delay_us: 20_000, ..keeping() });
    let began = Instant::now();
    for number in 0..5 {
        fs::symlink_metadata(storage.seen(&number.to_string())).unwrap();
    }
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[test]
fn bytes_take_their_time_on_the_shared_link() {
    let storage = Storage::mount(&keeping(), |source| write(source.join("f"), vec![1; 100_000]));
    storage.control().set_bandwidth(Some(500_000)).unwrap();
    let began = Instant::now();
    assert_eq!(fs::read(storage.seen("f")).unwrap().len(), 100_000);
    assert!(began.elapsed() >= Duration::from_millis(200));
}
