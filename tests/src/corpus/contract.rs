//! What every answer has to be, whoever asked for it: as the service's own OpenAPI document says, and without a word of others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::raw::Answer;

/// The published document, and what no answer may hold.
#[derive(Debug)]
pub(super) struct Contract {
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
    secrets: Vec<String>,
}

impl Contract {
    pub(super) fn new(document: Value, secrets: Vec<String>) -> Self {
        Self { document, validators: Mutex::default(), secrets }
    }

    /// What is wrong with an answer to this request, if anything is.
    pub(super) fn breach(&self, method: &str, path: &str, answer: &Answer) -> Option<String> {
        let Answer { http, headers, body } = answer;
        let text = body.to_string();
        if let Some(secret) =
            self.secrets.iter().find(|secret| text.contains(*secret) || headers.contains(*secret))
        {
            return Some(format!("the answer holds {secret:?}: {headers}{text:.1000}"));
        }
        // What describes all others is in no description.
        if method == "GET" && path == "/openapi.json" && *http == 200 {
            return None;
        }
        let Some(operation) = self.operation(method, path) else {
            let told = matches!(http, 401 | 404 | 405) && body["detail"].is_string();
            return (!told).then(|| {
                format!("{method} {path}, which is not published, is answered with {http}: {text}")
            });
        };
        let responses = &operation["responses"];
        let response = &responses[http.to_string()];
        if response.is_null() {
            return Some(format!("{http} is no published answer of {method} {path}: {text}"));
        }
        let schema = &response["content"]["application/json"]["schema"];
        if schema.is_null() || headers.contains("text/event-stream") {
            return None;
        }
        self.misfit("the answer", schema, body)
    }

    /// The same of an event of a stream.
    pub(super) fn event_breach(&self, name: &str, data: &Value) -> Option<String> {
        let events = self.document["components"]["schemas"]["StreamEvent"]["oneOf"].as_array()?;
        match events.iter().find(|event| event["title"] == name) {
            Some(event) => self.misfit(name, &event["properties"]["data"]["contentSchema"], data),
            None => Some(format!("an event '{name}', which is not published")),
        }
    }

    fn misfit(&self, what: &str, schema: &Value, value: &Value) -> Option<String> {
        let validator = self.validator(schema);
        let error = validator.iter_errors(value).next()?;
        let at = error.instance_path().to_string();
        Some(format!("{what} is not of the published schema at {at:?}: {error:.300}"))
    }

    /// The operation whose template the path is of.
    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let path = path.split('?').next()?;
        let fits = |template: &str| {
            let (mut template, mut path) = (template.split('/'), path.split('/'));
            loop {
                match (template.next(), path.next()) {
                    (None, None) => return true,
                    // Of a key or an id nothing is told here, not even that it is one.
                    (Some(part), Some(_)) if part.starts_with('{') => return true,
                    (Some(part), Some(given)) if part == given => {}
                    _ => return false,
                }
            }
        };
        let (_, operations) =
            self.document["paths"].as_object()?.iter().find(|(template, _)| fits(template))?;
        operations.get(method.to_lowercase())
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let compile = || {
            let document = json!({ "allOf": [schema], "components": self.document["components"] });
            Arc::new(jsonschema::draft202012::new(&document).unwrap())
        };
        Arc::clone(validators.entry(schema.to_string()).or_insert_with(compile))
    }
}
