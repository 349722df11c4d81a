//! A case: one file of tests/corpus.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Table;

use super::operator::Deed;

/// One attack or fault.
#[derive(Debug)]
pub struct Case {
    /// `section/name`.
    pub name: String,
    /// It mostly waits: all such cases are played at the same time.
    pub waits: bool,
    /// It takes all that there is of the service: the bystander is served, but later than in peace.
    pub crowds: bool,
    /// It takes the service or its containers away for a moment: the bystander may be told so.
    pub disturbs: bool,
    pub(super) steps: Vec<Step>,
}

/// What is sent, and what must come back.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Step {
    /// Code for `POST /execute_code`.
    pub(super) run: Option<Text>,
    /// The other fields of that request.
    pub(super) with: Map<String, Value>,
    /// The code is not run but has the runner's end of the pipe, in a service of its own.
    pub(super) taken_over: bool,
    /// By `POST /execute_code/stream`; the answer that is checked is put together from its events.
    pub(super) stream: bool,
    /// Method and path of any other request.
    pub(super) request: Option<String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<Text>,
    /// What is written to a connection, byte by byte.
    pub(super) raw: Option<Text>,
    /// Done to the machine instead of a request.
    pub(super) operator: Option<Deed>,
    /// Who sends it: `attacker`, `small`, or `nobody`, who has no key.
    pub(super) tenant: Option<String>,
    /// So many at once.
    pub(super) times: Option<usize>,
    /// So many seconds after the step before has begun, without waiting for its end.
    pub(super) meanwhile: Option<f64>,
    /// The client goes away after so many seconds, whatever has come.
    pub(super) leaves_after: Option<f64>,
    /// Bytes of the answer that the client takes in a second.
    pub(super) reads: Option<u64>,
    /// Seconds in which the answer must be there.
    pub(super) within: Option<f64>,
    pub(super) expect: Map<String, Value>,
}

/// Text of pieces: `"text"`, `["text", times]`, and between them pauses in seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Text {
    Whole(String),
    Pieces(Vec<Piece>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Piece {
    Once(String),
    Pause(f64),
    Repeated(String, usize),
}

impl Text {
    pub(super) fn pieces(&self) -> Vec<Piece> {
        match self {
            Self::Whole(text) => vec![Piece::Once(text.clone())],
            Self::Pieces(pieces) => pieces.clone(),
        }
    }

    pub(super) fn whole(&self) -> String {
        let whole = |piece| match piece {
            Piece::Once(text) => text,
            Piece::Pause(_) => panic!("only raw has pauses"),
            Piece::Repeated(text, times) => text.repeat(times),
        };
        self.pieces().into_iter().map(whole).collect()
    }
}

impl Case {
    fn parse(name: String, text: &str) -> Result<Self, toml::de::Error> {
        let mut table: Table = toml::from_str(text)?;
        let mut flag = |name| table.remove(name).is_some_and(|value| value.as_bool().unwrap_or(true));
        let (waits, crowds, disturbs) = (flag("waits"), flag("crowds"), flag("disturbs"));
        let steps = match table.remove("step") {
            Some(steps) if table.is_empty() => steps.try_into()?,
            Some(_) => panic!("{name}: with [[step]] everything else belongs into a step"),
            None => vec![table.try_into()?],
        };
        for Step { run, request, raw, operator, taken_over, .. } in &steps {
            let kinds = [run.is_some(), request.is_some(), raw.is_some(), operator.is_some()];
            let one = kinds.into_iter().filter(|given| *given).count() == 1;
            assert!(one, "{name}: a step has one of run, request, raw and operator");
            assert!(run.is_some() || !taken_over, "{name}: what is taken over by is the code of a run");
        }
        Ok(Self { name, waits, crowds, disturbs, steps })
    }

    /// Whether it takes a turn of those that the service has for executions.
    pub fn executes(&self) -> bool {
        self.steps.iter().any(|step| step.run.is_some())
    }

    /// Whether it needs the service whose runner was taken over.
    pub(super) fn takes_over(&self) -> bool {
        self.steps.iter().any(|step| step.taken_over)
    }

    /// All cases whose names contain one of these texts, between commas; in order of their names.
    pub fn all(containing: &str) -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        let mut cases = Vec::new();
        for section in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let files = if section.is_dir() { Some(fs::read_dir(&section).unwrap()) } else { None };
            for file in files.into_iter().flatten().map(|entry| entry.unwrap().path()) {
                let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
                let name = format!("{}/{}", stem(&section), stem(&file));
                let text = fs::read_to_string(&file).unwrap();
                let case = Self::parse(name, &text);
                cases.push(case.unwrap_or_else(|error| panic!("{}: {error}", file.display())));
            }
        }
        cases.retain(|case| containing.split(',').any(|text| case.name.contains(text)));
        cases.sort_by(|one, other| one.name.cmp(&other.name));
        cases
    }
}
