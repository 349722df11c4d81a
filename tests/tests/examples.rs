//! What users paste. `examples/programs`: each gives the output and the result that lie beside it; that the output is plain
//! Python's is for the runner's own tests, in the image. `examples/requests`: each is answered with what it says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use e2e::Product;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

struct Program {
    name: String,
    code: String,
    stdout: String,
    result: Value,
}

fn files(folder: &str, wanted: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(folder);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == wanted)).collect()
}

fn programs() -> Vec<Program> {
    let beside = |path: &Path, extension| fs::read_to_string(path.with_extension(extension)).unwrap();
    files("programs", "py")
        .into_iter()
        .map(|path| Program {
            name: path.file_stem().unwrap().display().to_string(),
            code: beside(&path, "py"),
            stdout: beside(&path, "txt"),
            result: serde_json::from_str(&beside(&path, "json")).unwrap(),
        })
        .collect()
}

#[tokio::test]
async fn every_example_gives_the_output_and_the_result_beside_it() {
    let product = Product::start(&["--pool-size", "4"]).await;
    let programs = programs();
    assert!(programs.len() >= 50, "{}", programs.len());
    let wrong: Vec<_> = stream::iter(&programs)
        .map(async |Program { name, code, stdout, result }| {
            let run = product.post(json!({ "code": code, "timeout": 60 })).await;
            let right = (run.status(), run.stdout(), run.field("result")) == ("ok", stdout, result);
            (!right).then(|| format!("{name}: {}", run.body))
        })
        .buffer_unordered(2)
        .filter_map(async |wrong| wrong)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    product.stop().await;
}

/// Whether `answer` has everything that `expected` names: of an object its fields, of an array every item.
fn has(answer: &Value, expected: &Value) -> bool {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| answer.get(name).is_some_and(|answer| has(answer, value)))
        }
        (Value::Array(answer), Value::Array(expected)) => {
            answer.len() == expected.len()
                && answer.iter().zip(expected).all(|(answer, value)| has(answer, value))
        }
        _ => answer == expected,
    }
}

#[tokio::test]
async fn every_request_is_answered_with_what_lies_beside_it() {
    let product = Product::start(&["--pool-size", "2"]).await;
    let requests = files("requests", "json");
    assert!(requests.len() >= 7, "{}", requests.len());
    for path in requests {
        let example: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for upload in example["uploads"].as_array().into_iter().flatten() {
            let text = |field: &str| upload[field].as_str().unwrap().to_owned();
            let request = product.client().post(product.url(&format!("/upload_data/{}", text("key"))));
            let request = request.header("content-type", text("content_type")).body(text("content"));
            assert!(request.send().await.unwrap().status().is_success());
        }
        let run = product.post(example["request"].clone()).await;
        assert!(has(&run.body, &example["answer"]), "{}: {}", path.display(), run.body);
    }
    product.stop().await;
}
