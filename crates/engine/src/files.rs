//! The files of a request and those that come back: paths that cannot lead out of a folder they are put into.

use std::collections::HashSet;

use bytes::Bytes;

/// Longest part of a path, bytes: Linux's own limit.
const MAX_PART: usize = 255;
/// Longest path, bytes.
const MAX_PATH: usize = 1024;
/// The code's own name in the workspace.
const CODE: &str = "main.py";
/// The folder in which the runner puts uploaded data.
const UPLOADED: &str = ".uploaded";

/// A path relative to the workspace and below it: no part is empty, `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath(String);

/// Why a text is no [`FilePath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum InvalidPath {
    #[error("a path must not be empty")]
    Empty,
    #[error("a path must be relative to the workspace")]
    Absolute,
    #[error("no part of a path may be empty, '.' or '..'")]
    Part,
    #[error("a path must not contain a NUL")]
    Nul,
    #[error("a part of a path may have at most {MAX_PART} bytes")]
    LongPart,
    #[error("a path may have at most {MAX_PATH} bytes")]
    Long,
}

impl FilePath {
    /// Checks a path.
    pub fn new(path: String) -> Result<Self, InvalidPath> {
        let broken = if path.is_empty() {
            InvalidPath::Empty
        } else if path.starts_with('/') {
            InvalidPath::Absolute
        } else if path.contains('\0') {
            InvalidPath::Nul
        } else if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            InvalidPath::Part
        } else if path.split('/').any(|part| part.len() > MAX_PART) {
            InvalidPath::LongPart
        } else if path.len() > MAX_PATH {
            InvalidPath::Long
        } else {
            return Ok(Self(path));
        };
        Err(broken)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders it lies in, from the outside in: of `a/b/c` these are `a` and `a/b`.
    fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }
}

/// A file that a request brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Where it is to be.
    pub path: FilePath,
    /// What is to be in it.
    pub content: Vec<u8>,
}

/// The files of a request: all of them can be there at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputFiles(Vec<InputFile>);

/// Why a file cannot be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Clash {
    /// The code's own name.
    #[error("'main.py' is the code itself: a file needs another name")]
    Code,
    /// Uploaded data's.
    #[error("'.uploaded' is where uploaded data goes: a file needs another name")]
    Uploaded,
    /// An earlier file has the path.
    #[error("an earlier file has the same path")]
    Twice,
    /// Another file has the path of a folder of this one, or the other way round.
    #[error("the path is a file's and a folder's at once")]
    FileAndFolder,
}

impl InputFiles {
    /// How many a request may bring.
    pub const MOST: usize = 1_000;

    /// Checks that all can be there; else says which cannot, by their number, and why.
    pub fn new(files: Vec<InputFile>) -> Result<Self, Vec<(usize, Clash)>> {
        let paths: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let folders: HashSet<&str> = files.iter().flat_map(|file| file.path.folders()).collect();
        let mut seen = HashSet::new();
        let clash = |path: &FilePath, twice: bool| match path.as_str().split('/').next() {
            Some(CODE) => Some(Clash::Code),
            Some(UPLOADED) => Some(Clash::Uploaded),
            _ if twice => Some(Clash::Twice),
            _ if folders.contains(path.as_str()) => Some(Clash::FileAndFolder),
            _ if path.folders().any(|folder| paths.contains(folder)) => Some(Clash::FileAndFolder),
            _ => None,
        };
        let clashes: Vec<_> = files
            .iter()
            .enumerate()
            .filter_map(|(at, file)| Some((at, clash(&file.path, !seen.insert(file.path.as_str()))?)))
            .collect();
        if clashes.is_empty() { Ok(Self(files)) } else { Err(clashes) }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &InputFile> {
        self.0.iter()
    }
}

/// A file that the code left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Where it was.
    pub path: FilePath,
    /// What is in it.
    pub content: FileContent,
}

/// Bytes of a file, in as many pieces as they came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileContent(Vec<Bytes>);

impl FileContent {
    /// Appends a piece.
    pub fn push(&mut self, piece: Bytes) {
        self.0.push(piece);
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it in one, without a copy where it came in one piece.
    pub fn into_vec(self) -> Vec<u8> {
        let mut pieces = self.0.into_iter();
        let mut all = Vec::from(pieces.next().unwrap_or_default());
        pieces.for_each(|piece| all.extend_from_slice(&piece));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> Vec<InputFile> {
        let file =
            |path: &&str| InputFile { path: FilePath::new((*path).to_owned()).unwrap(), content: Vec::new() };
        paths.iter().map(file).collect()
    }

    #[test]
    fn a_path_stays_below_the_workspace_and_fits_a_file_system() {
        let part = "x".repeat(255);
        let longest = format!("{part}/{part}/{part}/{}", "x".repeat(256 - 1));
        for path in ["a", "a/b/c.txt", "..a/b..", "ä ö\n\\", "-", "a/main.py", &part, &longest] {
            assert_eq!(FilePath::new(path.to_owned()).unwrap().as_str(), path);
        }
        for (path, broken) in [
            ("", InvalidPath::Empty),
            ("/a", InvalidPath::Absolute),
            ("/", InvalidPath::Absolute),
            ("a\0", InvalidPath::Nul),
            (".", InvalidPath::Part),
            ("..", InvalidPath::Part),
            ("a/../b", InvalidPath::Part),
            ("./a", InvalidPath::Part),
            ("a//b", InvalidPath::Part),
            ("a/", InvalidPath::Part),
            (&"x".repeat(256), InvalidPath::LongPart),
            (&"ä".repeat(128), InvalidPath::LongPart),
            (&format!("{longest}/x"), InvalidPath::Long),
        ] {
            assert_eq!(FilePath::new(path.to_owned()), Err(broken), "{path:?}");
        }
    }

    #[test]
    fn files_that_cannot_be_there_at_once_are_named_with_the_reason() {
        assert!(InputFiles::new(files(&["a", "b/a", "b/c/a", "b/main.py", "ab"])).is_ok());
        for (paths, clashes) in [
            (&["main.py"][..], &[(0, Clash::Code)][..]),
            (&["main.py/a"], &[(0, Clash::Code)]),
            (&[".uploaded", ".uploaded/k", "a/.uploaded"], &[(0, Clash::Uploaded), (1, Clash::Uploaded)]),
            (&["a", "b", "a", "a"], &[(2, Clash::Twice), (3, Clash::Twice)]),
            (&["a/b", "a"], &[(0, Clash::FileAndFolder), (1, Clash::FileAndFolder)]),
            (&["a", "a/b/c"], &[(0, Clash::FileAndFolder), (1, Clash::FileAndFolder)]),
        ] {
            assert_eq!(InputFiles::new(files(paths)).unwrap_err(), clashes, "{paths:?}");
        }
    }
}
