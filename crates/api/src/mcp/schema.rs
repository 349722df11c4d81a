//! What a model is told of the tools.

use std::sync::Arc;

use engine::Bounds;
use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::data::MOST_LISTED;

pub(super) const EXECUTE: &str = "execute_python";
pub(super) const UPLOAD: &str = "upload_data";
pub(super) const LIST: &str = "list_data";

/// Every tool, with the limits of who asks.
pub(super) fn tools(bounds: &Bounds) -> Vec<Tool> {
    let mebibytes = |bytes: u64| bytes >> 20;
    let execute = tool(
        EXECUTE,
        "Run Python 3 in a fresh, isolated container without network, with pandas, NumPy, SciPy, Matplotlib, scikit-learn and the \
         like installed. Returns what was printed, the value of the last line, the variables left at the end, figures as images, \
         and new files. Nothing of earlier calls is there: uploaded data is, as data[\"key\"].",
        json!({
            "code": { "type": "string", "description": "Python source, as in a file main.py; top-level await is allowed." },
            "input_data": { "type": "object", "description": "Each key that is an identifier becomes a variable; all of it is input_data.", "default": {} },
            "timeout": {
                "type": "number", "exclusiveMinimum": 0, "maximum": bounds.max_timeout.as_secs_f64(),
                "default": bounds.default_timeout.as_secs_f64(), "description": "Seconds the code may take."
            },
            "memory_mb": {
                "type": "integer", "minimum": mebibytes(engine::MIN_MEMORY), "maximum": mebibytes(bounds.max_memory),
                "default": mebibytes(bounds.default_memory), "description": "Memory the code may take, MiB."
            },
            "stdin": { "type": "string", "description": "What input() and sys.stdin read.", "default": "" },
            "args": { "type": "array", "items": { "type": "string" }, "description": "sys.argv[1:]", "default": [] },
            "files": {
                "type": "array", "description": "Files that are in the current directory before the code runs.", "default": [],
                "items": {
                    "type": "object", "required": ["path", "content"], "additionalProperties": false,
                    "properties": {
                        "path": { "type": "string", "description": "Relative path." },
                        "content": { "type": "string" },
                        "encoding": { "type": "string", "enum": ["utf-8", "base64"], "default": "utf-8" }
                    }
                }
            }
        }),
        &["code"],
        ToolAnnotations::with_title("Run Python").read_only(true).open_world(false),
    );
    let upload = tool(
        UPLOAD,
        "Keep a value under a key for later calls, in place of what was there. In code it is data[\"key\"]: a JSON value, or a path to a \
         file for any other content type.",
        json!({
            "key": { "type": "string", "pattern": "^[A-Za-z0-9._-]{1,255}$", "description": "Neither . nor .." },
            "content": { "type": "string", "description": "The value: text, or base64 of bytes." },
            "encoding": { "type": "string", "enum": ["utf-8", "base64"], "default": "utf-8" },
            "content_type": { "type": "string", "description": "Such as application/json or text/csv; without it text is text/plain, and bytes are application/octet-stream." }
        }),
        &["key", "content"],
        ToolAnnotations::with_title("Keep data").destructive(true).idempotent(true).open_world(false),
    );
    let list = tool(
        LIST,
        &format!(
            "The values kept, the first {MOST_LISTED} by key: key, size in bytes, content type, times; `more` says whether there are others."
        ),
        json!({}),
        &[],
        ToolAnnotations::with_title("List data").read_only(true).open_world(false),
    );
    vec![execute, upload, list]
}

fn tool(
    name: &'static str,
    description: &str,
    properties: Value,
    required: &[&str],
    annotations: ToolAnnotations,
) -> Tool {
    let schema = json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let schema = schema.as_object().cloned().unwrap_or_default();
    Tool::new(name, description.to_owned(), Arc::new(schema)).with_annotations(annotations)
}
