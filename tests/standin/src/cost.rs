//! What an operation costs in time: a fixed delay, then its bytes through a shared link.
//!
//! The delay counts from the moment the operation gets its slot, so the mirror's own work on
//! the source is hidden inside it. The link is a clock of when it is next free: each transfer
//! books its time after the one before, which shares the bandwidth in order of arrival.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Sleeping overshoots by the wake-up of a thread; the last stretch is spun instead.
const SPIN: Duration = Duration::from_micros(30);

/// The settable delay and bandwidth.
#[derive(Debug)]
pub(crate) struct Cost {
    delay_us: AtomicU64,
    /// Bytes a second; 0 is unlimited.
    bandwidth: AtomicU64,
    link_free: Mutex<Option<Instant>>,
}

impl Cost {
    pub(crate) fn new(delay_us: u64, bandwidth: Option<u64>) -> Self {
        Self {
            delay_us: AtomicU64::new(delay_us),
            bandwidth: AtomicU64::new(bandwidth.unwrap_or(0)),
            link_free: Mutex::new(None),
        }
    }

    pub(crate) fn delay_us(&self) -> u64 {
        self.delay_us.load(Ordering::Relaxed)
    }

    pub(crate) fn set_delay_us(&self, delay_us: u64) {
        self.delay_us.store(delay_us, Ordering::Relaxed);
    }

    pub(crate) fn bandwidth(&self) -> Option<u64> {
        Some(self.bandwidth.load(Ordering::Relaxed)).filter(|&rate| rate > 0)
    }

    /// Sets the bandwidth in bytes a second; 0 lifts the limit.
    pub(crate) fn set_bandwidth(&self, bandwidth: u64) {
        self.bandwidth.store(bandwidth, Ordering::Relaxed);
    }

    /// Returns when an operation that began at `began` and answers `bytes` is due, and waits
    /// until then.
    pub(crate) fn pay(&self, began: Instant, bytes: u64) {
        wait_until(self.book(began, bytes));
    }

    fn book(&self, began: Instant, bytes: u64) -> Instant {
        let ready = began + Duration::from_micros(self.delay_us());
        let Some(rate) = self.bandwidth().filter(|_| bytes > 0) else {
            return ready;
        };
        let transfer = Duration::from_secs_f64(bytes as f64 / rate as f64);
        let mut free = self.link_free.lock().unwrap_or_else(PoisonError::into_inner);
        let done = free.map_or(ready, |free| free.max(ready)) + transfer;
        *free = Some(done);
        done
    }
}

fn wait_until(due: Instant) {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        match left.checked_sub(SPIN) {
            Some(most) if !most.is_zero() => thread::sleep(most),
            _ => thread::yield_now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cost, wait_until};
    use std::time::{Duration, Instant};

    #[test]
    fn transfers_share_the_link_one_after_another() {
        let cost = Cost::new(1000, Some(1_000_000));
        let began = Instant::now();
        let delay = Duration::from_millis(1);
        assert_eq!(cost.book(began, 500_000), began + delay + Duration::from_millis(500));
        assert_eq!(cost.book(began, 500_000), began + delay + Duration::from_millis(1000));
    }

    #[test]
    fn an_answer_without_bytes_does_not_wait_for_the_link() {
        let cost = Cost::new(1000, Some(1));
        let began = Instant::now();
        cost.book(began, 100);
        assert_eq!(cost.book(began, 0), began + Duration::from_millis(1));
    }

    #[test]
    fn waiting_never_ends_early() {
        let due = Instant::now() + Duration::from_micros(300);
        wait_until(due);
        assert!(Instant::now() >= due);
    }
}
