//! The table of docs/CODE.md through HTTP and a real container: `tests/values/program.py` has a variable for each row.

use e2e::Product;
use serde_json::{Value, json};

#[tokio::test]
async fn every_kind_of_value_comes_back_as_the_table_says() {
    let product = Product::start(&[]).await;
    let program = include_str!("../values/program.py");
    let expected: Value = serde_json::from_str(include_str!("../values/result.json")).unwrap();
    let request = product.client().post(product.url("/execute_code"));
    let answer = request.json(&json!({ "code": program })).send().await.unwrap().text().await.unwrap();
    // In Rust a number has at most 64 bits.
    assert!(answer.contains(r#""whole":1180591620717411303424,"#), "{answer}");
    let mut answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((&answer["status"], &answer["error"]), (&json!("ok"), &json!(null)), "{answer}");
    let mut take = |name: &str| answer["result"].as_object_mut().unwrap().remove(name).unwrap();
    take("whole");
    let longest = take("longest");
    assert!(longest.as_str().is_some_and(|text| text.len() == 5001), "{longest}");
    assert!(take("generator").as_str().unwrap().starts_with("<generator object <genexpr> at 0x"));
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&take(name), value, "{name}");
    }
    assert_eq!(answer["result"], json!({}));
    assert_eq!(answer["omitted"], json!([{ "name": "cycle", "reason": "refers to itself" }]));
    product.stop().await;
}
