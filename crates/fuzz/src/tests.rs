//! The short run: every seed as it is, and some thousand inputs that are random, or seeds with a few changes.

use std::{fs, path::Path};

use proptest::{collection::vec, prelude::*, sample::Index, test_runner::TestRunner};

fn seeds(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort_unstable();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// A change to bytes, at a place that fits however many there are.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let telling = prop::sample::select(vec![
        &b"\0"[..],
        b"/",
        b"..",
        b"\\",
        b"\"",
        b"{",
        b"[",
        b"]",
        b"}",
        b"\n",
        b"\xff",
        b"\xff\xff\xff\xff",
        b"\xef\xbb\xbf",
        b"1e999",
        b"\\ud800",
        b"main.py",
        b"import ",
        b"0",
    ]);
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<Index>(), telling).prop_map(|(at, bytes)| Change::Insert(at, bytes.to_vec())),
        (any::<Index>(), vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (any::<Index>(), 1..20_usize, 1..200_usize)
            .prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
    ]
}

fn apply(mut bytes: Vec<u8>, change: &Change) -> Vec<u8> {
    let range = |at: &Index, length: usize| {
        let start = at.index(bytes.len() + 1);
        start..(start + length).min(bytes.len())
    };
    match change {
        Change::Set(at, byte) => bytes.splice(range(at, 1), [*byte]).for_each(drop),
        Change::Insert(at, new) => bytes.splice(range(at, 0), new.iter().copied()).for_each(drop),
        Change::Remove(at, length) => bytes.splice(range(at, *length), []).for_each(drop),
        Change::Repeat(at, length, times) => {
            let range = range(at, *length);
            let again = bytes[range.clone()].repeat(*times);
            bytes.splice(range, again).for_each(drop);
        }
    }
    bytes
}

const CASES: u32 = 4_000;

fn short_run(folder: &str, target: fn(&[u8])) {
    let seeds = seeds(folder);
    assert!(!seeds.is_empty());
    seeds.iter().for_each(|seed| target(seed));
    let changed = (prop::sample::select(seeds), vec(change(), 1..6))
        .prop_map(|(seed, changes)| changes.iter().fold(seed, apply));
    let input = prop_oneof![4 => changed, 1 => vec(any::<u8>(), 0..600)];
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&input, |bytes| {
            target(&bytes);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("put these bytes into {folder}: {failure}"));
}

#[test]
fn frames_of_any_bytes() {
    short_run("../protocol/golden", crate::decode);
}

#[test]
fn names_of_any_text() {
    short_run("seeds/names", crate::names);
}

#[test]
fn keys_files_of_any_text() {
    short_run("seeds/keys_file", crate::keys_file);
}

#[test]
fn imports_of_any_code() {
    short_run("seeds/imports", crate::imports);
}

#[test]
fn json_of_any_bytes() {
    short_run("seeds/json", crate::json);
}

#[test]
fn requests_of_any_bytes() {
    short_run("seeds/request", crate::request);
}
