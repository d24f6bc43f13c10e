//! Which file systems of shared storage do not answer, and who may still ask them.
//!
//! One is *silent* when [`SILENT_AFTER`] requests to it have run into their deadline and nothing on
//! it was answered since the first of them was sent. From then on one request at a time goes to it,
//! with little patience, and at most every few seconds: it finds out whether storage is back. Who
//! asks while it is under way waits for what it finds; who asks between two fails at once. Any
//! answer ends the silence, a late one too.
//!
//! Each file system is judged by itself: a dead server costs nobody what another one holds.

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// Requests that must run into their deadline.
const SILENT_AFTER: u32 = 2;
/// The longest that is waited for a request that finds out.
const LONGEST_TRIAL: Duration = Duration::from_secs(1);
/// Pauses between two such requests.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// What becomes of a request to a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It goes its way.
    Sent,
    /// It finds out whether storage is back.
    Trial,
    /// It waits for what another finds.
    Held,
    /// It fails at once.
    Refused,
}

/// The file systems that were asked.
#[derive(Debug)]
pub(super) struct Silences {
    trial: Duration,
    places: HashMap<Arc<Path>, Place>,
}

#[derive(Debug, Default)]
struct Place {
    answered: Option<Instant>,
    late: u32,
    silence: Option<Silence>,
}

#[derive(Debug)]
struct Silence {
    /// Until when a trial is waited for.
    trial_until: Option<Instant>,
    next_trial: Instant,
    pause: Duration,
}

impl Silences {
    pub(super) fn new(deadline: Duration) -> Self {
        Self { trial: LONGEST_TRIAL.min(deadline / 2), places: HashMap::new() }
    }

    /// How long a trial may take.
    pub(super) fn trial(&self) -> Duration {
        self.trial
    }

    /// What becomes of a request to this file system.
    pub(super) fn admit(&mut self, place: &Path, now: Instant) -> Admission {
        let known = self.places.get_mut(place);
        let Some(silence) = known.and_then(|known| known.silence.as_mut()) else {
            return Admission::Sent;
        };
        if silence.trial_until.is_some_and(|until| now < until) {
            Admission::Held
        } else if now >= silence.next_trial {
            let until = now + self.trial;
            silence.trial_until = Some(until);
            silence.next_trial = until + silence.pause;
            silence.pause = (2 * silence.pause).min(LONGEST_PAUSE);
            Admission::Trial
        } else {
            Admission::Refused
        }
    }

    /// What becomes now of a request that is held.
    pub(super) fn held(&self, place: &Path, now: Instant) -> Admission {
        let known = self.places.get(place);
        match known.and_then(|known| known.silence.as_ref()) {
            None => Admission::Sent,
            Some(silence) if silence.trial_until.is_some_and(|until| now < until) => {
                Admission::Held
            }
            Some(_) => Admission::Refused,
        }
    }

    /// Whether this file system is silent.
    pub(super) fn is_silent(&self, place: &Path) -> bool {
        self.places.get(place).is_some_and(|known| known.silence.is_some())
    }

    /// A request ran into its deadline that was sent, or got on last, at `moved`.
    pub(super) fn late(&mut self, place: &Arc<Path>, moved: Instant, now: Instant) {
        let known = self.places.entry(Arc::clone(place)).or_default();
        if known.answered.is_some_and(|answered| answered > moved) {
            return;
        }
        known.late += 1;
        if known.late >= SILENT_AFTER && known.silence.is_none() {
            // Whoever asks next finds out at once.
            let silence = Silence { trial_until: None, next_trial: now, pause: FIRST_PAUSE };
            known.silence = Some(silence);
        }
    }

    /// Something on this file system was answered, or got on.
    pub(super) fn answered(&mut self, place: &Arc<Path>, now: Instant) {
        if let Some(known) = self.places.get_mut(place) {
            *known = Place { answered: Some(now), ..Place::default() };
        } else {
            let known = Place { answered: Some(now), ..Place::default() };
            self.places.insert(Arc::clone(place), known);
        }
    }

    /// A process that hung is gone: storage may be back.
    pub(super) fn try_again(&mut self, now: Instant) {
        for silence in self.places.values_mut().filter_map(|place| place.silence.as_mut()) {
            silence.next_trial = now;
        }
    }

    /// When a trial is over, if there is one.
    pub(super) fn wake(&self, now: Instant) -> Option<Instant> {
        let silences = self.places.values().filter_map(|place| place.silence.as_ref());
        silences.filter_map(|silence| silence.trial_until).filter(|until| *until > now).min()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(2);

    fn silent() -> (Silences, Arc<Path>, Instant) {
        let (mut silences, now) = (Silences::new(DEADLINE), Instant::now());
        let place = Arc::from(Path::new("/shared"));
        silences.late(&place, now, now + DEADLINE);
        assert_eq!(silences.admit(&place, now + DEADLINE), Admission::Sent, "one says little");
        silences.late(&place, now, now + DEADLINE);
        (silences, place, now + DEADLINE)
    }

    #[test]
    fn one_finds_out_while_others_wait_for_it_and_between_two_all_fail() {
        let (mut silences, place, mut now) = silent();
        assert_eq!(silences.admit(Path::new("/other"), now), Admission::Sent);
        for pause in [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE] {
            assert_eq!(silences.admit(&place, now), Admission::Trial);
            assert_eq!(silences.admit(&place, now), Admission::Held);
            assert_eq!(silences.wake(now), Some(now + silences.trial()));
            now += silences.trial();
            assert_eq!(silences.held(&place, now), Admission::Refused);
            assert_eq!(silences.admit(&place, now), Admission::Refused);
            now += pause;
        }
        silences.admit(&place, now);
        silences.answered(&place, now);
        assert_eq!(silences.held(&place, now), Admission::Sent);
        assert_eq!(silences.admit(&place, now), Admission::Sent);
        assert_eq!(silences.wake(now), None);
    }

    #[test]
    fn requests_that_were_late_before_an_answer_say_nothing() {
        let (mut silences, now) = (Silences::new(DEADLINE), Instant::now());
        let place: Arc<Path> = Arc::from(Path::new("/shared"));
        silences.late(&place, now, now + DEADLINE);
        silences.answered(&place, now + DEADLINE);
        for _ in 0..9 {
            silences.late(&place, now, now + 2 * DEADLINE);
        }
        assert_eq!(silences.admit(&place, now + 2 * DEADLINE), Admission::Sent);
    }

    #[test]
    fn the_end_of_a_process_that_hung_is_a_reason_to_find_out() {
        let (mut silences, place, mut now) = silent();
        silences.admit(&place, now);
        now += silences.trial();
        assert_eq!(silences.admit(&place, now), Admission::Refused);
        silences.try_again(now);
        assert_eq!(silences.admit(&place, now), Admission::Trial);
    }
}
