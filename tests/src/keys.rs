//! Keys of tenants, as an operator makes them.

use crate::product::run_binary;

/// `code-sandbox keys new TENANT`: the key, and the line to store.
pub async fn new_key(tenant: &str) -> (String, String) {
    let output = run_binary(&["keys", "new", tenant]).await;
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    let key = said.split_whitespace().last().unwrap().to_owned();
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(line.starts_with(tenant) && line.lines().count() == 1 && !line.contains(&key), "{line}");
    (key, line)
}
