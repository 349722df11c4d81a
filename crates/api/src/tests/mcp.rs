//! `POST /mcp` message by message; what a client makes of it is tests/tests/mcp.rs.

use super::{callers::with_key_of, *};

fn post(message: String) -> Request<Body> {
    Request::post("/mcp")
        .header("content-type", "application/json")
        .header("host", "127.0.0.1")
        .header("accept", "application/json, text/event-stream")
        .body(message.into())
        .unwrap()
}

impl Service {
    /// The answer to a message, with its HTTP status.
    async fn message(&self, key: Option<&str>, message: Value) -> (StatusCode, Value) {
        self.message_of(key, message.to_string()).await
    }

    async fn message_of(&self, key: Option<&str>, message: String) -> (StatusCode, Value) {
        let mut request = post(message);
        if let Some(key) = key {
            request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        }
        let response = self.send(request).await;
        let (status, body) = (response.status(), bytes_of(response).await);
        let text = std::str::from_utf8(&body).unwrap();
        // Alone or as the last of its events.
        let last = text.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap_or(text);
        (status, serde_json::from_str(last).unwrap_or_else(|_| panic!("{status}: {text}")))
    }
}

impl Service {
    /// What a tool gives back.
    pub(super) async fn tool(&self, key: Option<&str>, name: &str, arguments: Value) -> Value {
        let call = request("tools/call", json!({ "name": name, "arguments": arguments }));
        self.message(key, call).await.1["result"].clone()
    }
}

fn request(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_told_from_a_method_that_is_not_there() {
    with_service(async |service| {
        for (method, params, code, said) in [
            ("tools/call", json!({}), -32602, "missing field `name`"),
            ("tools/call", json!({ "name": 5 }), -32602, "invalid type"),
            ("tools/call", Value::Null, -32602, "missing"),
            ("initialize", json!({ "protocolVersion": 5 }), -32602, "invalid type: integer `5`"),
            ("server/discover", json!({ "x": 5 }), -32602, "_meta is missing"),
            ("tools/brew", json!({}), -32601, "tools/brew"),
        ] {
            let (_, answer) = service.message(None, request(method, params.clone())).await;
            let error = &answer["error"];
            assert_eq!(error["code"], code, "{method} {params}: {answer}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(said), "{method} {params}: {message}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_begins_with_an_initialize_that_succeeds() {
    with_service(async |service| {
        let client = json!({ "name": "a", "version": "1" });
        let fits =
            json!({ "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": client.clone() });
        let does_not = json!({ "protocolVersion": 7, "capabilities": {}, "clientInfo": client });
        for (method, params, begins) in
            [("initialize", fits, true), ("initialize", does_not, false), ("tools/list", json!({}), false)]
        {
            let response = service.send(post(request(method, params.clone()).to_string())).await;
            assert_eq!(response.headers().contains_key("mcp-session-id"), begins, "{method} {params}");
        }
    })
    .await;
}

#[tokio::test]
async fn arguments_that_do_not_fit_have_a_small_answer_however_large_they_are() {
    with_service(async |service| {
        let large = "x".repeat(20_000);
        let repeated = format!(r#"{{"code": "", "input_data": {{"{large}": 1, "{large}": 2}}}}"#);
        for (name, arguments) in [
            ("list_data", json!({ &large: 1 }).to_string()),
            ("upload_data", json!({ "key": "k", "content": "", "encoding": large }).to_string()),
            ("execute_python", repeated),
        ] {
            let call = request("tools/call", json!({ "name": name, "arguments": {} })).to_string();
            let call = call.replace(r#""arguments":{}"#, &format!(r#""arguments":{arguments}"#));
            let answer = service.message_of(None, call).await.1;
            assert_eq!(answer["result"]["isError"], true, "{name}: {answer}");
            assert!(answer.to_string().len() < 2_000, "{name}: {answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_model_is_told_what_is_wrong_with_its_arguments() {
    with_service(async |service| {
        for (arguments, told) in [
            (json!([]), "arguments: Input should be a valid dictionary"),
            (json!(r#"{"code": "1"}"#), "arguments: Input should be a valid dictionary"),
            (json!({ "code": "1", "timeout": 0 }), "timeout: Input should be greater than 0"),
        ] {
            let call = request("tools/call", json!({ "name": "execute_python", "arguments": arguments }));
            let answer = service.message(None, call).await.1;
            assert_eq!(answer["result"]["content"][0]["text"], told, "{answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_the_shape_of_all_errors() {
    with_service(async |service| {
        let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": {} });
        for message in [answer, json!({ "jsonrpc": "1.0" }), json!([])] {
            let (status, refusal) = service.message(None, message.clone()).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{message}");
            assert!(refusal["detail"].is_string() && refusal["error"].is_null(), "{message}: {refusal}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_in_an_unknown_version_is_told_which_ones_are_known() {
    with_service(async |service| {
        let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2099-01-01" });
        let (status, answer) = service.message(None, request("tools/list", json!({ "_meta": meta }))).await;
        assert_eq!((status, &answer["id"]), (StatusCode::BAD_REQUEST, &json!(1)), "{answer}");
        assert!(answer["error"]["code"].is_i64(), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn the_tools_are_described_with_the_limits_of_who_asks() {
    with_key_of("small", "timeout=2s memory=64m", async |service, key| {
        let (_, listed) = service.message(Some(key), request("tools/list", json!({}))).await;
        let tools = listed["result"]["tools"].as_array().unwrap_or_else(|| panic!("{listed}"));
        let execute = tools.iter().find(|tool| tool["name"] == "execute_python").unwrap();
        let properties = &execute["inputSchema"]["properties"];
        let limits = |name: &str| (properties[name]["default"].clone(), properties[name]["maximum"].clone());
        assert_eq!(limits("timeout"), (json!(2.0), json!(2.0)));
        assert_eq!(limits("memory_mb"), (json!(64), json!(64)));
    })
    .await;
}
