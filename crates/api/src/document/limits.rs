//! The limits of the running service, as its flags decide them, written into the schemas.

use engine::size::ByteSize;
use serde_json::json;
use utoipa::openapi::{OpenApi, RefOr, Schema, schema::Object};

use crate::App;

/// Writes all of them.
pub(super) fn write(document: &mut OpenApi, app: &App) {
    let (config, engine) = (&app.config, app.engine.config());
    let bounds = &engine.bounds;
    let length = |bytes: u64| usize::try_from(bytes).ok();
    let mut field = |schema, name, write: &dyn Fn(&mut Object)| {
        if let Some(field) = field(document, schema, name) {
            write(field);
        }
    };
    field("ExecutionRequest", "code", &|code| code.max_length = length(config.max_code_size));
    field("ExecutionRequest", "timeout", &|timeout| {
        timeout.default = Some(json!(bounds.default_timeout.as_secs_f64()));
        timeout.maximum = Some(bounds.max_timeout.as_secs_f64().into());
    });
    field("ExecutionRequest", "memory_mb", &|memory| {
        memory.default = Some(json!(bounds.default_memory >> 20));
        memory.minimum = length(engine::MIN_MEMORY >> 20).map(Into::into);
        memory.maximum = length(bounds.max_memory >> 20).map(Into::into);
    });
    // A character has a byte at least.
    for stream in ["stdout", "stderr"] {
        field("Execution", stream, &|output| output.max_length = length(engine.output_limit));
    }
    document.info.description = Some(format!(
        "{}\n\nThis service takes request bodies of up to {} and uploads of up to {}; it runs up to {} executions at the same \
         time, and {} more may wait for up to {} s. An execution gives back up to {} of results, {} of figures, and {} \
         files of up to {} together. A key may allow less.",
        document.info.description.as_deref().unwrap_or_default(),
        ByteSize(config.max_body),
        ByteSize(config.max_value_size),
        engine.max_executions,
        engine.queue_size,
        engine.queue_timeout.as_secs_f64(),
        ByteSize(engine.result_limit),
        ByteSize(engine.returns.figures),
        engine.returns.max_files,
        ByteSize(engine.returns.files),
    ));
}

fn field<'a>(document: &'a mut OpenApi, schema: &str, field: &str) -> Option<&'a mut Object> {
    let schemas = &mut document.components.as_mut()?.schemas;
    let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(schema) else { return None };
    let Some(RefOr::T(Schema::Object(field))) = object.properties.get_mut(field) else { return None };
    Some(field)
}
