//! Answers of origin, remembered for a bounded time and asked for once.
//!
//! Whoever comes while a question is under way waits for the same answer. A failure is
//! never remembered: "did not answer" must not turn into "does not exist".

use std::{
    hash::Hash,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use lru::LruCache;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

/// How many answers are kept at most.
const MOST: NonZeroUsize = NonZeroUsize::new(8192).expect("not zero");

struct Answer<V> {
    asked: Instant,
    value: Arc<OnceCell<V>>,
}

/// Answers by question.
pub(crate) struct Asked<K, V> {
    valid: Duration,
    answers: Mutex<LruCache<K, Answer<V>>>,
}

impl<K: Hash + Eq, V: Clone> Asked<K, V> {
    pub(crate) fn new(valid: Duration) -> Self {
        Self { valid, answers: Mutex::new(LruCache::new(MOST)) }
    }

    /// The remembered answer, or the one that `ask` gives now.
    pub(crate) async fn get<E>(
        &self,
        question: K,
        ask: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        let value = {
            let mut answers = self.answers.lock();
            match answers.get(&question) {
                Some(answer) if answer.asked.elapsed() < self.valid => Arc::clone(&answer.value),
                _ => {
                    let value = Arc::new(OnceCell::new());
                    let answer = Answer { asked: Instant::now(), value: Arc::clone(&value) };
                    answers.put(question, answer);
                    value
                }
            }
        };
        value.get_or_try_init(|| ask()).await.cloned()
    }

    /// Forgets one answer.
    pub(crate) fn forget_one(&self, question: &K) {
        self.answers.lock().pop(question);
    }

    /// Forgets all answers.
    pub(crate) fn forget(&self) {
        self.answers.lock().clear();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_asked_for_once_and_a_failure_is_asked_again() {
        let asked = Asked::<u8, u8>::new(Duration::from_secs(60));
        assert_eq!(asked.get(1, async || Err::<u8, _>("down")).await, Err("down"));
        assert_eq!(asked.get(1, async || Ok::<_, &str>(7)).await, Ok(7));
        assert_eq!(asked.get(1, async || Err("never asked")).await, Ok(7));
        asked.forget();
        assert_eq!(asked.get(1, async || Ok::<_, &str>(8)).await, Ok(8));
    }

    #[tokio::test]
    async fn an_old_answer_is_asked_for_again() {
        let asked = Asked::<u8, u8>::new(Duration::ZERO);
        assert_eq!(asked.get(1, async || Ok::<_, &str>(1)).await, Ok(1));
        assert_eq!(asked.get(1, async || Ok::<_, &str>(2)).await, Ok(2));
    }
}
