//! Large answers go one after the other from their runners' pipes into what is sent to the client: what is there of an answer
//! two or three times meanwhile is so of one alone. What waits for its client afterwards has a limit of its own, the API's.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Bytes of what comes back of an execution, up to which it waits for nobody.
pub(crate) const SMALL: usize = 1 << 20;
/// Better more memory than an answer that never comes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hands out the turns, in order of asking.
#[derive(Clone, Debug)]
pub(crate) struct LargeAnswers(Arc<Semaphore>);

/// The turn of one large answer, until it is dropped: that is, before anybody waits for a client.
#[derive(Debug)]
pub struct LargeTurn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl LargeAnswers {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Waits for a turn. Meanwhile the runner waits as well, in front of a full pipe.
    pub(crate) async fn turn(&self) -> LargeTurn {
        let turn = timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await;
        LargeTurn { _permit: turn.ok().and_then(Result::ok) }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_after_the_other_has_the_turn_and_nobody_waits_for_ever() {
        let answers = LargeAnswers::new();
        let first = answers.turn().await;
        let began = Instant::now();
        let second = tokio::spawn({
            let answers = answers.clone();
            async move { answers.turn().await }
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!second.is_finished());
        drop(first);
        let _second = second.await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        drop(answers.turn().await);
        assert_eq!(began.elapsed(), Duration::from_secs(5) + PATIENCE);
    }
}
