//! Any driver, with every call told to the observer.

use std::{future::Future, sync::Arc, time::Instant};

use async_trait::async_trait;

use super::{ContainerName, ContainerSpec, Driver, DriverError, Ended, Pipe};
use crate::{
    events::{Event, Observer},
    request::Memory,
};

/// What is asked of a [`Driver`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`Driver::check`].
    Check,
    /// [`Driver::launch`].
    Launch,
    /// [`Driver::resize`].
    Resize,
    /// [`Driver::inspect`].
    Inspect,
    /// [`Driver::remove`].
    Remove,
    /// [`Driver::list`].
    List,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Check, Self::Launch, Self::Resize, Self::Inspect, Self::Remove, Self::List];

    /// As it is written in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Launch => "launch",
            Self::Resize => "resize",
            Self::Inspect => "inspect",
            Self::Remove => "remove",
            Self::List => "list",
        }
    }
}

/// Tells how long each call took, and whether it failed. One that nobody waits for any more is not told.
pub(crate) struct Observed {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) observer: Arc<dyn Observer>,
}

impl Observed {
    async fn tell<T>(
        &self,
        call: Call,
        answer: impl Future<Output = Result<T, DriverError>> + Send,
    ) -> Result<T, DriverError> {
        let began = Instant::now();
        let answer = answer.await;
        let failed = answer.is_err();
        self.observer.observe(&Event::DriverCalled { call, took: began.elapsed(), failed });
        answer
    }
}

#[async_trait]
impl Driver for Observed {
    async fn check(&self) -> Result<(), DriverError> {
        self.tell(Call::Check, self.driver.check()).await
    }

    async fn launch(&self, spec: &ContainerSpec) -> Result<Pipe, DriverError> {
        self.tell(Call::Launch, self.driver.launch(spec)).await
    }

    async fn resize(&self, name: &ContainerName, memory: Memory) -> Result<(), DriverError> {
        self.tell(Call::Resize, self.driver.resize(name, memory)).await
    }

    async fn inspect(&self, name: &ContainerName) -> Result<Ended, DriverError> {
        self.tell(Call::Inspect, self.driver.inspect(name)).await
    }

    async fn remove(&self, name: &ContainerName) -> Result<(), DriverError> {
        self.tell(Call::Remove, self.driver.remove(name)).await
    }

    async fn list(&self) -> Result<Vec<ContainerName>, DriverError> {
        self.tell(Call::List, self.driver.list()).await
    }
}
