//! Reads a JSON object field by field, and reports everything that is wrong with it at once, in the form and with the
//! type names of FastAPI and Pydantic.

use std::fmt;

use engine::OutOfRange;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Value, json, value::RawValue};
use utoipa::{
    ToSchema,
    openapi::{Object, schema::SchemaType},
};

use super::list::{each, items};
use crate::{
    clip::{ECHO, clip},
    document,
    error::ApiError,
    json_check::check_text,
};

/// One thing wrong with a request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Where: `body`, then the names of fields and the positions in lists, from the outside in.
    #[schema(value_type = Vec<Place>, examples(json!(["body", "files", 0, "path"])))]
    loc: Vec<Value>,
    /// What, for a person to read.
    #[schema(examples("Extra inputs are not permitted"))]
    msg: String,
    /// What, in Pydantic's words for programs.
    #[schema(value_type = String, examples("extra_forbidden"))]
    r#type: &'static str,
    #[schema(schema_with = input, required)]
    input: Value,
}

fn input() -> Object {
    document::anything(SchemaType::AnyValue, "What was sent there, cut if it is long.", json!(5))
}

/// For a model, whose whole body is the arguments of a tool: `timeout: Input should be greater than 0`.
impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.loc.len() == 1 {
            f.write_str("arguments")?;
        }
        // The first is "body".
        for (index, part) in self.loc.iter().skip(1).enumerate() {
            let dot = if index > 0 { "." } else { "" };
            match part {
                Value::String(name) => write!(f, "{dot}{name}")?,
                part => write!(f, "{dot}{part}")?,
            }
        }
        write!(f, ": {}", self.msg)
    }
}

/// A step on the way to a value.
#[derive(ToSchema)]
#[expect(dead_code, reason = "says what a `loc` holds")]
#[serde(untagged)]
enum Place {
    /// Name of a field.
    Field(String),
    /// Position in a list.
    Position(u32),
}

/// A JSON object whose fields are taken out one by one.
pub(crate) struct JsonObject<'a> {
    whole: &'a RawValue,
    fields: Vec<(String, &'a RawValue)>,
    errors: Vec<Mismatch>,
}

/// A type a field can have.
pub(crate) trait Field: Sized {
    /// Takes the value, or says which [`Mismatch`]es it has.
    fn parse(raw: &RawValue) -> Result<Self, Vec<Mismatch>>;
}

/// Why a value is not of a type.
pub(crate) struct Mismatch {
    /// Place within the field, such as the index in an array.
    at: Vec<Value>,
    r#type: &'static str,
    msg: String,
    input: Value,
}

impl Mismatch {
    pub(crate) fn new(r#type: &'static str, msg: impl Into<String>, raw: &RawValue) -> Self {
        Self { at: Vec::new(), r#type, msg: msg.into(), input: echo(raw) }
    }

    fn in_body(self) -> FieldError {
        let Self { at, r#type, msg, input } = self.within("body");
        FieldError { loc: at, msg, r#type, input }
    }

    /// The same within the item or field of this index or name.
    pub(crate) fn within(mut self, place: impl Into<Value>) -> Self {
        self.at.insert(0, place.into());
        self
    }
}

impl<'a> JsonObject<'a> {
    /// The object that a request body is.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, ApiError> {
        let malformed = |error: serde_json::Error| ApiError::MalformedJson(error.to_string());
        let whole: &RawValue = serde_json::from_slice(body).map_err(malformed)?;
        check_object(whole).map_err(|mismatch| ApiError::Invalid(vec![mismatch.in_body()]))?;
        let fields: Fields = serde_json::from_str(whole.get()).map_err(malformed)?;
        Ok(Self { whole, fields: fields.0, errors: Vec::new() })
    }

    /// An object within the body.
    pub(crate) fn nested(whole: &'a RawValue) -> Result<Self, Mismatch> {
        check_object(whole)?;
        let fields: Fields = serde_json::from_str(whole.get()).map_err(|error| {
            Mismatch::new("json_invalid", format!("Input should be plain JSON: {error}"), whole)
        })?;
        Ok(Self { whole, fields: fields.0, errors: Vec::new() })
    }

    /// A field that must be there.
    pub(crate) fn required<T: Field>(&mut self, name: &'static str) -> Option<T> {
        if !self.fields.iter().any(|(field, _)| field == name) {
            self.errors.push(Mismatch::new("missing", "Field required", self.whole).within(name));
        }
        self.optional(name)
    }

    /// A field that may be there.
    pub(crate) fn optional<T: Field>(&mut self, name: &'static str) -> Option<T> {
        let at = self.fields.iter().position(|(field, _)| field == name)?;
        let (_, raw) = self.fields.swap_remove(at);
        match T::parse(raw) {
            Ok(value) => Some(value),
            Err(mismatches) => {
                self.errors.extend(mismatches.into_iter().map(|mismatch| mismatch.within(name)));
                None
            }
        }
    }

    /// A number that may be there and that `bound` must take.
    pub(crate) fn bounded<T: Field, B>(
        &mut self,
        name: &'static str,
        default: B,
        bound: impl FnOnce(T) -> Result<B, OutOfRange>,
    ) -> B {
        let raw = self.fields.iter().find(|(field, _)| field == name).map(|(_, raw)| *raw);
        let (Some(raw), Some(value)) = (raw, self.optional::<T>(name)) else { return default };
        bound(value).unwrap_or_else(|out| {
            let (r#type, msg) = match out {
                OutOfRange::NotFinite => ("finite_number", "Input should be a finite number".to_owned()),
                OutOfRange::NotAbove(bound) => {
                    ("greater_than", format!("Input should be greater than {bound}"))
                }
                OutOfRange::Below(bound) => {
                    ("greater_than_equal", format!("Input should be greater than or equal to {bound}"))
                }
                OutOfRange::Above(bound) => {
                    ("less_than_equal", format!("Input should be less than or equal to {bound}"))
                }
            };
            self.errors.push(Mismatch::new(r#type, msg, raw).within(name));
            default
        })
    }

    /// Everything that was wrong, fields nobody took among it.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        self.finish_nested()
            .map_err(|errors| ApiError::Invalid(errors.into_iter().map(Mismatch::in_body).collect()))
    }

    /// The same of an object within the body.
    pub(crate) fn finish_nested(mut self) -> Result<(), Vec<Mismatch>> {
        for (name, raw) in std::mem::take(&mut self.fields) {
            let mismatch = Mismatch::new("extra_forbidden", "Extra inputs are not permitted", raw);
            self.errors.push(mismatch.within(clip(&name).into_owned()));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }
}

fn check_object(raw: &RawValue) -> Result<(), Mismatch> {
    if raw.get().starts_with('{') {
        return Ok(());
    }
    Err(Mismatch::new("dict_type", "Input should be a valid dictionary", raw))
}

/// What came in, so that the client recognizes it.
fn echo(raw: &RawValue) -> Value {
    let text = raw.get();
    if text.len() <= ECHO {
        serde_json::from_str(text).unwrap_or_else(|_| json!(text))
    } else {
        json!(clip(text))
    }
}

/// The fields in order, their values unparsed; a name that appears twice is an error.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields: Vec<(String, &RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if fields.iter().any(|(earlier, _)| *earlier == name) {
                        let name = clip(&name);
                        return Err(A::Error::custom(format_args!("the field {name:?} appears twice")));
                    }
                    if fields.len() == MOST_FIELDS {
                        return Err(A::Error::custom("too many fields"));
                    }
                    fields.push((name, value));
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(FieldsVisitor).map(Self)
    }
}

/// No request has nearly as many; without a cap a body of tiny unknown fields would have a far larger error.
const MOST_FIELDS: usize = 100;
/// Texts in one list, each of which takes ten times the memory that an empty one has in JSON.
const MOST_STRINGS: usize = 10_000;

impl Field for String {
    fn parse(raw: &RawValue) -> Result<Self, Vec<Mismatch>> {
        serde_json::from_str(raw.get()).map_err(|error| {
            vec![if raw.get().starts_with('"') {
                Mismatch::new("string_unicode", format!("Input should be a valid string: {error}"), raw)
            } else {
                Mismatch::new("string_type", "Input should be a valid string", raw)
            }]
        })
    }
}

impl Field for f64 {
    fn parse(raw: &RawValue) -> Result<Self, Vec<Mismatch>> {
        let is_number = raw.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
        if !is_number {
            return Err(vec![Mismatch::new("float_type", "Input should be a valid number", raw)]);
        }
        // The text is a JSON number: what does not fit is infinite.
        Ok(raw.get().parse().unwrap_or(Self::INFINITY))
    }
}

impl Field for i64 {
    fn parse(raw: &RawValue) -> Result<Self, Vec<Mismatch>> {
        let number = <f64 as Field>::parse(raw);
        match number {
            // JSON does not tell 256 from 256.0. Saturates, so that what is out of range is told as such.
            Ok(number) if number.fract() == 0.0 || number.is_infinite() => Ok(number as Self),
            _ => Err(vec![Mismatch::new("int_type", "Input should be a valid integer", raw)]),
        }
    }
}

impl Field for Vec<String> {
    fn parse(raw: &RawValue) -> Result<Self, Vec<Mismatch>> {
        each(&items(raw, MOST_STRINGS).map_err(|mismatch| vec![mismatch])?, String::parse)
    }
}

/// A JSON object, kept as text, in which every name is unique and which is at most 127 levels deep.
impl Field for Box<RawValue> {
    fn parse(raw: &RawValue) -> Result<Self, Vec<Mismatch>> {
        check_object(raw).map_err(|mismatch| vec![mismatch])?;
        check_text(raw.get()).map_err(|error| {
            vec![Mismatch::new(
                "json_invalid",
                format!("Input should be an object of plain JSON: {error}"),
                raw,
            )]
        })?;
        Ok(raw.to_owned())
    }
}
