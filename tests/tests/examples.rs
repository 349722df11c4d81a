//! Programs as users paste them, from `examples/programs`: each gives the output and the result that lie beside it. That the
//! output is plain Python's is for the runner's own tests, in the image.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use e2e::Product;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

struct Program {
    name: String,
    code: String,
    stdout: String,
    result: Value,
}

fn programs() -> Vec<Program> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/programs");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sources = paths.filter(|path| path.extension().is_some_and(|extension| extension == "py"));
    let beside = |path: &Path, extension| fs::read_to_string(path.with_extension(extension)).unwrap();
    sources
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
