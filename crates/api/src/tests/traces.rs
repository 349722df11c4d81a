//! Traces, as a collector gets them. What it gets is protobuf: ids are in it as their bytes, names as they are.

use std::sync::Mutex;

use axum::{extract::State, routing::post};
use tokio::net::TcpListener;

use super::*;

type Received = Arc<Mutex<Vec<u8>>>;

/// A collector that keeps everything, and traces that go to it.
async fn collector() -> (Traces, Received) {
    let received = Received::default();
    let keep = async |State(received): State<Received>, body: Bytes| {
        received.lock().unwrap().extend_from_slice(&body);
    };
    let router = Router::new().route("/v1/traces", post(keep)).with_state(Arc::clone(&received));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await });
    (Traces::export_to(&format!("http://{address}/")).unwrap(), received)
}

/// How often the collector has got these bytes.
fn count(received: &Received, bytes: &[u8]) -> usize {
    received.lock().unwrap().windows(bytes.len()).filter(|window| *window == bytes).count()
}

fn traced(trace: u128, sampled: u8, code: &str) -> Request<Body> {
    Request::post("/execute_code")
        .header("content-type", "application/json")
        .header("traceparent", format!("00-{trace:032x}-{CLIENT:016x}-{sampled:02x}"))
        .body(json!({ "code": code }).to_string().into())
        .unwrap()
}

/// The client's span.
const CLIENT: u64 = 0x1234_5678_9abc_def0;
const ANSWERED: u128 = 0xa1a1_0000_5eed_5eed_5eed_5eed_5eed_a1a1;
const LEFT: u128 = 0xb2b2_0000_5eed_5eed_5eed_5eed_5eed_b2b2;
const STREAMED: u128 = 0xd4d4_0000_5eed_5eed_5eed_5eed_5eed_d4d4;
const BY_TOOL: u128 = 0xe5e5_0000_5eed_5eed_5eed_5eed_5eed_e5e5;
const UNWANTED: u128 = 0xc3c3_0000_5eed_5eed_5eed_5eed_5eed_c3c3;

#[tokio::test]
async fn a_request_and_its_phases_are_spans_of_the_clients_trace() {
    let (traces, received) = collector().await;
    with(None, 1, 0, traces.clone(), async |service| {
        let response = service.send(traced(ANSWERED, 1, "1/0")).await;
        let told = header(&response, "traceparent").to_owned();
        let [version, trace, span, flags] = told.split('-').collect::<Vec<_>>()[..] else { panic!("{told}") };
        assert_eq!((version, trace, flags), ("00", format!("{ANSWERED:032x}").as_str(), "01"));
        let span = u64::from_str_radix(span, 16).unwrap();
        assert_ne!(span, CLIENT);

        let left = service.send(traced(LEFT, 1, "import time; time.sleep(15)"));
        assert!(tokio::time::timeout(Duration::from_secs(2), left).await.is_err());
        service.send(traced(UNWANTED, 0, "1")).await;
        assert_eq!(service.get("/health/live").await.0, StatusCode::OK);
        let mut streamed = traced(STREAMED, 1, "1");
        *streamed.uri_mut() = "/execute_code/stream".parse().unwrap();
        let streamed = bytes_of(service.send(streamed).await).await;
        assert!(streamed.starts_with(b"event: started"), "{streamed:?}");
        let mut by_tool = traced(BY_TOOL, 1, "");
        *by_tool.uri_mut() = "/mcp".parse().unwrap();
        by_tool.headers_mut().insert("host", "localhost".parse().unwrap());
        by_tool.headers_mut().insert("accept", "application/json, text/event-stream".parse().unwrap());
        *by_tool.body_mut() = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "execute_python", "arguments": { "code": "1" } },
        })
        .to_string()
        .into();
        let called = bytes_of(service.send(by_tool).await).await;
        let called = String::from_utf8_lossy(&called);
        assert!(called.contains("structuredContent"), "{called}");
        // What is removed behind the answers is.
        service.engine.drain(Duration::from_secs(10), &CancellationToken::new()).await;
        tokio::task::spawn_blocking(move || traces.finish()).await.unwrap();

        // The request's span, and queue, lease, send, run, collect and remove below it.
        assert_eq!(count(&received, &ANSWERED.to_be_bytes()), 7);
        assert_eq!(count(&received, &span.to_be_bytes()), 1 + 6);
        // That of the client who left has not come to collect.
        assert_eq!(count(&received, &LEFT.to_be_bytes()), 6);
        assert_eq!(count(&received, &STREAMED.to_be_bytes()), 7);
        assert_eq!(count(&received, &BY_TOOL.to_be_bytes()), 7);
        assert_eq!(count(&received, &CLIENT.to_be_bytes()), 4);
        assert_eq!(count(&received, &UNWANTED.to_be_bytes()), 0);
        for (name, spans) in
            [("POST /execute_code", 2), ("GET /health/live", 1), ("lease", 4), ("collect", 3), ("remove", 4)]
        {
            let named = [&[0x2a, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
            assert_eq!(count(&received, &named), spans, "{name}");
        }
    })
    .await;
}
