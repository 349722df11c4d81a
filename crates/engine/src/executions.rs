//! What is queued and what runs, by tenant; and the way to cancel it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Engine,
    request::{ExecutionRequest, Timeout},
    tenant::Tenant,
};

/// An execution that has not been answered yet.
#[derive(Clone, Debug)]
pub struct Execution {
    /// As in its request.
    pub id: Uuid,
    /// When it came in.
    pub queued_at: SystemTime,
    /// When it got its turn; none while it is queued.
    pub started_at: Option<SystemTime>,
    /// Wall clock its code may take.
    pub timeout: Timeout,
}

/// Every execution between its arrival and its answer: at most those that may run or wait.
#[derive(Debug, Default)]
pub(crate) struct Executions(Mutex<Registry>);

#[derive(Debug, Default)]
struct Registry {
    entries: HashMap<Uuid, Entry>,
    arrivals: u64,
}

#[derive(Debug)]
struct Entry {
    arrival: u64,
    tenant: Tenant,
    execution: Execution,
    cancel: CancellationToken,
}

/// Keeps an execution in the registry until it is dropped.
#[derive(Debug)]
pub(crate) struct Entered<'a> {
    executions: &'a Executions,
    id: Uuid,
    /// Cancelled when somebody wants the execution to end.
    pub(crate) cancel: CancellationToken,
}

impl Executions {
    pub(crate) fn enter(&self, request: &ExecutionRequest, cancel: CancellationToken) -> Entered<'_> {
        let id = request.id;
        let execution =
            Execution { id, queued_at: SystemTime::now(), started_at: None, timeout: request.timeout };
        let mut registry = self.registry();
        let arrival = registry.arrivals;
        registry.arrivals += 1;
        let entry = Entry { arrival, tenant: request.tenant.clone(), execution, cancel: cancel.clone() };
        registry.entries.insert(id, entry);
        Entered { executions: self, id, cancel }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entered<'_> {
    /// It has its turn.
    pub(crate) fn started(&self) {
        if let Some(entry) = self.executions.registry().entries.get_mut(&self.id) {
            entry.execution.started_at = Some(SystemTime::now());
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.executions.registry().entries.remove(&self.id);
    }
}

impl Engine {
    /// What this tenant has running and queued, in order of arrival.
    pub fn executions(&self, tenant: &Tenant) -> Vec<Execution> {
        let registry = self.shared.executions.registry();
        let mut own: Vec<_> = registry.entries.values().filter(|entry| entry.tenant == *tenant).collect();
        own.sort_unstable_by_key(|entry| entry.arrival);
        own.into_iter().map(|entry| entry.execution.clone()).collect()
    }

    /// Has an execution of this tenant end and be answered as cancelled, queued or running. False if it has none of this id.
    pub fn cancel(&self, tenant: &Tenant, id: Uuid) -> bool {
        let registry = self.shared.executions.registry();
        let own = registry.entries.get(&id).filter(|entry| entry.tenant == *tenant);
        let cancel = own.map(|entry| entry.cancel.clone());
        drop(registry);
        cancel.inspect(CancellationToken::cancel).is_some()
    }
}
