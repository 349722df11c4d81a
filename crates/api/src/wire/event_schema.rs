//! What the document says of the events of `POST /execute_code/stream`: a name, and the schema of its data.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Object, Ref, RefOr, Schema, Type,
        schema::{ObjectBuilder, OneOfBuilder},
    },
};
use uuid::Uuid;

use super::{
    execute::Finished,
    files::{Figure, OutputFile},
    report::Display,
};

/// The code has started, or was cancelled before it could.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Started {
    /// UUIDv7 of the execution.
    #[schema(examples("01a205e8-ac83-7057-8c3a-060ce2d08c42"))]
    pub(super) id: Uuid,
}

/// Something was printed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Printed {
    /// What; all of it together is the `stdout`, or the `stderr`, of an `Execution`.
    #[schema(examples("6\n"))]
    pub(super) text: String,
}

/// The service lost the run, through no fault of the code.
#[derive(ToSchema)]
#[expect(dead_code, reason = "says what `ApiError::told_late` makes")]
struct Lost {
    /// The HTTP status that it would be.
    #[schema(examples(503))]
    status: u16,
    /// For a person to read.
    #[schema(examples("The container was lost, through no fault of the code: try again"))]
    detail: String,
    /// Seconds until it is worth trying again; null if it is not.
    #[schema(required, examples(5))]
    retry_after: Option<u32>,
}

/// Any of the events.
pub(crate) struct StreamEvent;

/// One kind of them.
struct Kind {
    event: &'static str,
    data: Cow<'static, str>,
    schema: RefOr<Schema>,
    referred: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Kind {
    fn of<T: ToSchema>(event: &'static str) -> Self {
        Self { event, data: T::name(), schema: T::schema(), referred: T::schemas }
    }

    fn all() -> [Self; 8] {
        [
            Self::of::<Started>("started"),
            Self::of::<Printed>("stdout"),
            Self::of::<Printed>("stderr"),
            Self::of::<Display>("display"),
            Self::of::<Figure>("figure"),
            Self::of::<OutputFile>("file"),
            Self::of::<Finished>("finished"),
            Self::of::<Lost>("error"),
        ]
    }

    fn object(&self) -> Object {
        let event = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some([self.event]))
            .description(Some("Name of the event"));
        let data = ObjectBuilder::new()
            .schema_type(Type::String)
            .content_media_type("application/json")
            .content_schema(Some(Ref::from_schema_name(self.data.as_ref())))
            .description(Some("JSON"));
        let object = ObjectBuilder::new().title(Some(self.event));
        object.property("event", event).property("data", data).required("event").required("data").build()
    }
}

impl PartialSchema for StreamEvent {
    fn schema() -> RefOr<Schema> {
        let description = "A server-sent event. `started` is the first; `stdout` and `stderr` come as the code prints; `display`, \
                           `figure` and `file` at its end; the last is `finished`, or `error` where the service lost the run. \
                           A comment comes every 15 s when there is nothing to tell.";
        let either = OneOfBuilder::new()
            .description(Some(description))
            .examples([json!({ "event": "stdout", "data": "{\"text\":\"6\\n\"}" })]);
        Schema::from(Kind::all().iter().fold(either, |either, kind| either.item(kind.object()))).into()
    }
}

impl ToSchema for StreamEvent {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        for Kind { data, schema, referred, .. } in Kind::all() {
            schemas.push((data.into_owned(), schema));
            referred(schemas);
        }
    }
}
