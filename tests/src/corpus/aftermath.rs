//! After every case: the engine's containers, the control plane's descriptors and its memory are back where they were.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::stage::Stage;

const LIMIT: Duration = Duration::from_secs(10);
/// How often to look: each look asks the engine for its containers.
const EVERY: Duration = Duration::from_millis(100);
/// Connections to the engine that are kept for the next call.
const DESCRIPTORS: usize = 16;
/// What an allocator may keep of what was given back.
const MEMORY: u64 = 48 << 20;

/// How it is when nothing happens.
#[derive(Clone, Copy, Debug)]
pub struct Peace {
    descriptors: usize,
    memory: u64,
    pool: usize,
}

impl Peace {
    /// As it is now, with a full pool.
    pub async fn observe(stage: &Stage) -> Self {
        let [pool] = stage.metrics(["code_sandbox_pool_size"]).await;
        let peace = Self { descriptors: usize::MAX, memory: u64::MAX, pool };
        peace.returns(stage, Duration::from_secs(60)).await.unwrap();
        Self { descriptors: stage.service.descriptors(), memory: stage.service.memory(), pool }
    }

    /// Waits until it is so again; else says what is not.
    pub async fn is_back(&self, stage: &Stage) -> Result<(), String> {
        self.returns(stage, LIMIT).await
    }

    async fn returns(&self, stage: &Stage, limit: Duration) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        while let Err(disturbed) = self.holds(stage).await {
            if Instant::now() > deadline {
                return Err(format!("{} s later {disturbed}", limit.as_secs()));
            }
            sleep(EVERY).await;
        }
        Ok(())
    }

    async fn holds(&self, stage: &Stage) -> Result<(), String> {
        let [here, ready] =
            stage.metrics(["code_sandbox_executions_in_phase", "code_sandbox_pool_containers"]).await;
        if here > 0 {
            return Err(format!("{here} executions are in some phase"));
        }
        if ready != self.pool {
            return Err(format!("{ready} containers stand ready, for a pool of {}", self.pool));
        }
        let there = stage.service.containers().await.len();
        if there != self.pool {
            return Err(format!("there are {there} containers, for a pool of {}", self.pool));
        }
        let descriptors = stage.service.descriptors();
        if descriptors > self.descriptors.saturating_add(DESCRIPTORS) {
            return Err(format!("{descriptors} descriptors are open, {} in peace", self.descriptors));
        }
        let memory = stage.service.memory();
        if memory > self.memory.saturating_add(MEMORY) {
            return Err(format!("{} MiB of memory are in use, {} in peace", memory >> 20, self.memory >> 20));
        }
        Ok(())
    }
}
