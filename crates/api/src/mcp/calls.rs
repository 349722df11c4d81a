//! Calls under way, for the notifications that cancel them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::http::StatusCode;
use bytes::Bytes;
use engine::Tenant;
use rmcp::model::RequestId;
use serde::Deserialize;
use serde_json::{error::Category, value::RawValue};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use uuid::Uuid;

use crate::error::ApiError;

/// Bytes of a message beside a tool's arguments.
const LONGEST: usize = 64 << 10;

/// Which call. Clients number their requests alike: only their session tells them apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CallId {
    tenant: Tenant,
    session: String,
    request: RequestId,
}

impl CallId {
    pub(super) fn new(tenant: &Tenant, session: &str, request: &RequestId) -> Self {
        Self { tenant: tenant.clone(), session: session.to_owned(), request: request.clone() }
    }
}

/// Every call that can be cancelled. Bounded by the requests that are being answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(Arc<Mutex<HashMap<CallId, (Uuid, CancellationToken)>>>);

/// Forgotten when dropped.
#[derive(Debug)]
pub(super) struct Entered {
    id: CallId,
    /// Tells it from a later one with the same id.
    own: Uuid,
    token: CancellationToken,
    calls: Calls,
}

impl Calls {
    pub(super) fn enter(&self, id: CallId) -> Entered {
        let token = CancellationToken::new();
        // A client that uses an id twice can cancel the later call alone.
        let own = Uuid::now_v7();
        self.map().insert(id.clone(), (own, token.clone()));
        Entered { id, own, token, calls: self.clone() }
    }

    pub(super) fn cancel(&self, id: &CallId) {
        if let Some((_, token)) = self.map().get(id) {
            token.cancel();
        }
    }

    fn map(&self) -> MutexGuard<'_, HashMap<CallId, (Uuid, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entered {
    pub(super) fn cancelled(&self) -> WaitForCancellationFuture<'_> {
        self.token.cancelled()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut calls = self.calls.map();
        if calls.get(&self.id).is_some_and(|(own, _)| *own == self.own) {
            calls.remove(&self.id);
        }
    }
}

/// As much of a JSON-RPC message as concerns us here; what it is otherwise is checked by the library.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message<'a> {
    method: String,
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Params<'a> {
    request_id: Option<RequestId>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

impl<'a> Message<'a> {
    pub(super) fn peek(bytes: &'a [u8]) -> Result<Self, ApiError> {
        serde_json::from_slice(bytes).or_else(|error| match error.classify() {
            // JSON, but nothing of ours.
            Category::Data => Ok(Self::default()),
            _ => Err(ApiError::MalformedJson(error.to_string())),
        })
    }

    /// A tool's arguments as they were sent: once parsed they have lost large numbers and names that appear twice.
    pub(super) fn arguments(&self) -> &'a str {
        self.params.arguments.map_or("{}", RawValue::get)
    }

    /// The message for the library, which makes a tree of it that takes a hundred times the memory: without the arguments. Refused if
    /// it is still large.
    pub(super) fn without_arguments(&self, bytes: &'a [u8]) -> Result<Bytes, ApiError> {
        let parts = match self.params.arguments {
            Some(arguments) => {
                // They are a part of the message.
                let start = arguments.get().as_ptr().addr() - bytes.as_ptr().addr();
                [&bytes[..start], b"{}", &bytes[start + arguments.get().len()..]]
            }
            None => [bytes, b"", b""],
        };
        if parts.iter().map(|part| part.len()).sum::<usize>() > LONGEST {
            let reason = format!("A message may have at most {LONGEST} bytes beside a tool's arguments");
            return Err(ApiError::NotMcp { status: StatusCode::PAYLOAD_TOO_LARGE, reason });
        }
        Ok(parts.concat().into())
    }

    /// The call that it is to end.
    pub(super) fn cancels(&self, tenant: &Tenant, session: Option<&str>) -> Option<CallId> {
        let request = self.params.request_id.as_ref().filter(|_| self.method == "notifications/cancelled")?;
        Some(CallId::new(tenant, session?, request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cancels(tenant: &str, session: Option<&str>, message: &str) -> Option<CallId> {
        Message::peek(message.as_bytes()).ok()?.cancels(&Tenant::try_from(tenant).unwrap(), session)
    }

    const CANCEL: &str = r#"{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5, "reason": "x"}}"#;

    #[test]
    fn a_cancellation_ends_the_call_of_its_own_session_and_tenant_alone() {
        let calls = Calls::default();
        let id = |tenant, session| cancels(tenant, Some(session), CANCEL).unwrap();
        let entered = calls.enter(id("a", "s"));
        for other in [id("b", "s"), id("a", "t")] {
            calls.cancel(&other);
            assert!(!entered.token.is_cancelled());
        }
        let later = calls.enter(id("a", "s"));
        drop(entered);
        calls.cancel(&id("a", "s"));
        assert!(later.token.is_cancelled());
        drop(later);
        assert!(calls.map().is_empty());
    }

    #[test]
    fn the_library_gets_a_message_without_its_arguments_and_no_large_one() {
        let call = |arguments: &str| {
            format!(
                r#"{{"method":"tools/call","params":{{"name":"x","arguments":{arguments},"_meta":{{}}}}}}"#
            )
        };
        let large = call(&format!(r#"{{"a":[{}1]}}"#, "1,".repeat(LONGEST)));
        for message in [&large, &call(r#"{ "arguments": {} }"#), &call("{}")] {
            let peeked = Message::peek(message.as_bytes()).unwrap();
            assert_eq!(peeked.without_arguments(message.as_bytes()).unwrap(), call("{}"));
        }
        let list = r#"{"method":"tools/list"}"#;
        assert_eq!(Message::peek(list.as_bytes()).unwrap().without_arguments(list.as_bytes()).unwrap(), list);
        for message in [format!("[{}1]", "1,".repeat(LONGEST)), large.replace("arguments", "argument")] {
            let peeked = Message::peek(message.as_bytes()).unwrap();
            let refused = peeked.without_arguments(message.as_bytes()).unwrap_err();
            assert!(matches!(refused, ApiError::NotMcp { status: StatusCode::PAYLOAD_TOO_LARGE, .. }));
        }
    }

    #[test]
    fn what_is_no_cancellation_cancels_nothing() {
        assert!(cancels("a", None, CANCEL).is_none());
        for message in
            ["", "[]", "{}", r#"{"method": "tools/call", "params": {"requestId": 5}}"#, r#"{"method": 5}"#]
        {
            assert!(cancels("a", Some("s"), message).is_none());
        }
    }
}
