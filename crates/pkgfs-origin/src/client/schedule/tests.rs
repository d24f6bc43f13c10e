//! Each rule of the schedule, on a clock of our own.

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    name: u32,
    fills_file: bool,
    abandoned: bool,
}

impl Task for Asked {
    fn fills_file(&self) -> bool {
        self.fills_file
    }

    fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    fn untold_wishes(&self) -> Vec<Wish> {
        Vec::new()
    }
}

fn lookup(name: u32) -> Asked {
    Asked { name, fills_file: false, abandoned: false }
}

fn fetch(name: u32) -> Asked {
    Asked { fills_file: true, ..lookup(name) }
}

const DEADLINE: Duration = Duration::from_secs(8);

struct Clock {
    schedule: Schedule<Asked>,
    now: Instant,
}

impl Clock {
    /// A schedule with a worker that runs.
    fn running(parallel: usize, max_left_behind: usize) -> Self {
        let now = Instant::now();
        let rules = Rules { parallel, deadline: DEADLINE, max_left_behind };
        let mut schedule = Schedule::new(rules, now);
        schedule.worker_started(now);
        Self { schedule, now }
    }

    fn submit(&mut self, asked: impl IntoIterator<Item = Asked>) {
        asked.into_iter().for_each(|one| self.submit_one(one).unwrap());
    }

    fn submit_one(&mut self, one: Asked) -> Result<(), Refused<Asked>> {
        self.schedule.submit(one, &Path::new("/shared").into(), self.now)
    }

    fn dispatch(&mut self) -> Vec<(u64, u32)> {
        self.schedule.dispatch().iter().map(|(id, asked)| (*id, asked.name)).collect()
    }

    fn names(&mut self) -> Vec<u32> {
        self.dispatch().into_iter().map(|(_, name)| name).collect()
    }

    fn pass(&mut self, eighths: u32) -> Vec<Due<Asked>> {
        self.now += DEADLINE / 8 * eighths;
        self.schedule.tick(self.now)
    }

    fn hear(&mut self) {
        self.schedule.heard(self.now);
    }

    fn answer(&mut self, id: u64) -> Option<u32> {
        self.hear();
        self.schedule.answered(id, self.now).map(|asked| asked.name)
    }
}

#[test]
fn no_more_is_sent_than_there_are_threads() {
    let mut clock = Clock::running(4, 1);
    clock.submit((0..6).map(lookup));
    assert_eq!(clock.names(), [0, 1, 2, 3]);
    assert_eq!(clock.names(), []);
    assert_eq!(clock.answer(2), Some(2));
    assert_eq!(clock.names(), [4]);
}

#[test]
fn fetches_leave_threads_for_lookups_and_lookups_go_first() {
    let mut clock = Clock::running(4, 1);
    clock.submit((0..6).map(fetch));
    assert_eq!(clock.names(), [0, 1, 2]);
    clock.submit([lookup(10)]);
    assert_eq!(clock.names(), [10]);
    assert_eq!(clock.answer(0), Some(0));
    clock.submit([lookup(11)]);
    assert_eq!(clock.names(), [11]);
}

#[test]
fn one_late_request_fails_alone_while_the_worker_speaks() {
    let mut clock = Clock::running(4, 1);
    clock.submit([lookup(0), lookup(1)]);
    clock.dispatch();
    assert_eq!(clock.pass(4), [Due::Ping]);
    assert_eq!(clock.pass(1), [], "one ping at a time");
    clock.hear();
    clock.answer(1);
    assert_eq!(clock.pass(3), [Due::TimedOut(lookup(0))]);
    assert_eq!(clock.schedule.stuck(), 1);
    clock.submit((2..9).map(lookup));
    assert_eq!(clock.names(), [2, 3, 4], "a stuck thread serves nothing");
    assert_eq!(clock.answer(0), None, "it is late");
    assert_eq!((clock.schedule.stuck(), clock.names()), (0, vec![5]));
}

#[test]
fn a_fetch_that_gets_on_is_not_late() {
    let mut clock = Clock::running(4, 1);
    clock.submit([fetch(0)]);
    for _ in 0..5 {
        clock.dispatch();
        assert_eq!(clock.pass(3), []);
        clock.hear();
        clock.schedule.got_on(0, clock.now);
    }
}

#[test]
fn a_silent_worker_is_given_up_and_its_requests_go_to_the_next_once() {
    let mut clock = Clock::running(4, 2);
    clock.submit([lookup(0), fetch(1)]);
    clock.dispatch();
    assert_eq!(clock.pass(4), [Due::Ping]);
    assert_eq!(clock.pass(2), [Due::Wedged], "there is time for another");
    let departed = clock.schedule.worker_departed(clock.now);
    assert_eq!(departed.failed, []);
    clock.pass(0);
    clock.now += FIRST_PAUSE;
    assert!(clock.schedule.wants_worker(clock.now));
    clock.schedule.worker_started(clock.now);
    assert_eq!(clock.names(), [0], "a file is not filled by two workers at a time");
    clock.schedule.reaped(clock.now);
    departed.held.into_iter().for_each(|waiting| clock.schedule.resume(waiting));
    assert_eq!(clock.names(), [1]);
    let departed = clock.schedule.worker_departed(clock.now);
    assert_eq!(departed.failed, [fetch(1), lookup(0)]);
    assert!(departed.held.is_empty());
}

#[test]
fn a_worker_with_most_threads_stuck_is_given_up() {
    let mut clock = Clock::running(4, 1);
    clock.submit((0..3).map(lookup));
    clock.dispatch();
    clock.pass(7);
    clock.hear();
    let due = clock.pass(1);
    assert_eq!(due.last(), Some(&Due::Wedged));
    assert_eq!(due.len(), 4);
    let mut clock = Clock::running(4, 1);
    clock.submit((0..2).map(lookup));
    clock.dispatch();
    clock.pass(7);
    clock.hear();
    assert_eq!(clock.pass(1), [Due::TimedOut(lookup(0)), Due::TimedOut(lookup(1))]);
}

#[test]
fn with_too_many_left_behind_requests_fail_at_once_until_one_dies() {
    let mut clock = Clock::running(1, 1);
    clock.submit([lookup(0), lookup(1)]);
    clock.dispatch();
    clock.schedule.worker_departed(clock.now);
    let mut away = clock.schedule.turn_away(clock.now);
    away.sort_by_key(|asked| asked.name);
    assert_eq!(away, [lookup(0), lookup(1)]);
    assert_eq!(clock.submit_one(lookup(2)), Err(Refused::NoWorker(lookup(2))));
    clock.schedule.reaped(clock.now);
    assert_eq!(clock.submit_one(lookup(2)), Ok(()));
}

#[test]
fn beyond_the_limit_one_more_is_tried_after_a_while_and_no_end_of_them_is_not() {
    let mut clock = Clock::running(1, 1);
    clock.schedule.worker_departed(clock.now);
    clock.now += DEADLINE;
    clock.submit([lookup(0)]);
    assert!(clock.schedule.wants_worker(clock.now));
    clock.schedule.worker_started(clock.now);
    clock.schedule.worker_departed(clock.now);
    clock.now += LONGEST_PROBE * 10;
    assert!(clock.submit_one(lookup(1)).is_err());
}

#[test]
fn a_waiting_request_fails_when_nothing_is_answered_for_a_deadline() {
    let mut clock = Clock::running(1, 1);
    clock.submit([fetch(0), lookup(1), lookup(2)]);
    assert_eq!(clock.names(), [1]);
    clock.pass(7);
    assert_eq!(clock.answer(0), Some(1));
    assert_eq!(clock.names(), [2]);
    clock.pass(6);
    clock.hear();
    clock.schedule.got_on(1, clock.now);
    assert_eq!(clock.pass(7), [Due::Ping], "others were served meanwhile");
    assert!(clock.pass(1).contains(&Due::TimedOut(fetch(0))));
}

#[test]
fn what_nobody_waits_for_is_not_sent_and_is_told_once_if_it_was() {
    let mut clock = Clock::running(4, 1);
    clock.submit([Asked { abandoned: true, ..fetch(0) }, fetch(1)]);
    assert_eq!(clock.dispatch(), [(0, 1)]);
    clock.schedule.flights.get_mut(&0).unwrap().waiting.task.abandoned = true;
    assert_eq!(clock.schedule.newly_abandoned(), [0]);
    assert!(clock.schedule.newly_abandoned().is_empty());
}

#[test]
fn a_worker_that_dies_at_once_is_not_restarted_at_once() {
    let mut clock = Clock::running(4, 2);
    clock.submit([lookup(0)]);
    clock.dispatch();
    clock.schedule.worker_departed(clock.now);
    clock.schedule.reaped(clock.now);
    assert!(!clock.schedule.wants_worker(clock.now));
    let wake = clock.schedule.wake(clock.now).unwrap();
    assert!(wake > clock.now && clock.schedule.wants_worker(wake));
}

#[test]
fn there_is_always_a_time_to_wake_while_anything_is_outstanding() {
    let mut clock = Clock::running(4, 1);
    assert_eq!(clock.schedule.wake(clock.now), None, "nothing to do, nothing to wake for");
    clock.submit([lookup(0)]);
    assert!(clock.schedule.wake(clock.now).is_some());
    clock.dispatch();
    assert_eq!(clock.schedule.wake(clock.now), Some(clock.now + DEADLINE / 2));
}

#[test]
fn having_waited_for_silent_storage_counts() {
    let mut clock = Clock::running(4, 1);
    clock.submit((0..4).map(lookup));
    clock.dispatch();
    clock.pass(3);
    clock.submit([lookup(4)]);
    assert_eq!(clock.names(), []);
    clock.pass(4);
    clock.hear();
    assert_eq!(clock.pass(1).last(), Some(&Due::Wedged));
    clock.schedule.worker_departed(clock.now);
    clock.schedule.reaped(clock.now);
    clock.now = clock.schedule.wake(clock.now).unwrap();
    clock.schedule.worker_started(clock.now);
    assert_eq!(clock.names(), [4]);
    clock.pass(2);
    clock.hear();
    assert_eq!(clock.pass(1), [Due::TimedOut(lookup(4))]);
}

#[test]
fn what_another_finds_out_decides_for_who_waits_for_it() {
    for answers in [true, false] {
        let mut clock = Clock::running(8, 1);
        clock.submit([lookup(0), lookup(1)]);
        clock.dispatch();
        clock.pass(7);
        clock.hear();
        assert_eq!(clock.pass(1), [Due::TimedOut(lookup(0)), Due::TimedOut(lookup(1))]);
        clock.submit([lookup(2), lookup(3)]);
        assert_eq!(clock.names(), [2], "one finds out");
        let other = Path::new("/other").into();
        clock.schedule.submit(lookup(4), &other, clock.now).unwrap();
        assert_eq!(clock.names(), [4], "it is silent by itself");
        assert_eq!(clock.answer(3), Some(4));
        if answers {
            assert_eq!(clock.answer(2), Some(2));
            assert_eq!(clock.pass(0), []);
            assert_eq!(clock.names(), [3]);
            clock.submit([lookup(5)]);
            assert_eq!(clock.names(), [5]);
        } else {
            assert_eq!(clock.pass(1), [Due::TimedOut(lookup(2)), Due::Silent(lookup(3))]);
            assert_eq!(clock.submit_one(lookup(5)), Err(Refused::Silent(lookup(5))));
            // Late, but an answer.
            assert_eq!(clock.answer(0), None);
            clock.submit([lookup(5)]);
            assert_eq!(clock.names(), [5]);
        }
    }
}
