//! The keys file: read at start, and again whenever somebody asks whether it has changed.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::{
    keyring::{Count, Keyring},
    line::InvalidLine,
};

/// Some ten thousand keys, or far more flags than there are.
const LARGEST: u64 = 1 << 20;

/// A keys file, and what it said when it was last looked at.
#[derive(Debug)]
pub struct KeysFile {
    path: PathBuf,
    /// Its text; or in what way it could not be read.
    seen: Result<String, io::ErrorKind>,
    keyring: Keyring,
}

/// Why a keys file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysFileError {
    /// Missing, or not readable, or no plain file, or too large, or no text.
    #[error("the keys file {} cannot be read: {reason}", path.display())]
    Read {
        /// As configured.
        path: PathBuf,
        /// What is wrong.
        reason: io::Error,
    },
    /// It says something that cannot be.
    #[error("{}:{line}: {what}", path.display())]
    Line {
        /// As configured.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: InvalidLine,
    },
}

impl KeysFile {
    /// Reads the file. Blocking.
    pub fn open(path: PathBuf) -> Result<Self, KeysFileError> {
        let text = read_text(&path).map_err(|reason| KeysFileError::Read { path: path.clone(), reason })?;
        match Keyring::parse(&text) {
            Ok(keyring) => Ok(Self { path, seen: Ok(text), keyring }),
            Err((line, what)) => Err(KeysFileError::Line { path, line, what }),
        }
    }

    /// The keys in force.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Puts a new version of the file in force, and says how many keys it has. None if it says what it said last time. One
    /// that cannot be used leaves the keys as they are, and is an error once, not at every look. Blocking.
    ///
    /// What it says is compared, not its time or inode: they do not always change with it.
    pub fn reload(&mut self) -> Result<Option<Count>, KeysFileError> {
        let read = read_text(&self.path);
        let same = match (&read, &self.seen) {
            (Ok(text), Ok(seen)) => text == seen,
            (Err(error), Err(seen)) => error.kind() == *seen,
            _ => false,
        };
        if same {
            return Ok(None);
        }
        let path = || self.path.clone();
        match read {
            Ok(text) => {
                let replaced = self.keyring.replace(&text);
                self.seen = Ok(text);
                replaced.map_err(|(line, what)| KeysFileError::Line { path: path(), line, what })?;
                Ok(Some(self.keyring.count()))
            }
            Err(reason) => {
                self.seen = Err(reason.kind());
                Err(KeysFileError::Read { path: path(), reason })
            }
        }
    }
}

/// The text of a plain file of an operator's: of neither a pipe, to which nobody may ever write, nor a device without end. Blocking.
pub fn read_text(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
    }
    let mut text = String::new();
    File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;
    use crate::digest::Digest;

    fn line(tenant: &str, key: &str) -> String {
        format!("{tenant} {}\n", Digest::of(key).to_hex())
    }

    fn opens(file: &KeysFile, key: &str) -> bool {
        file.keyring().open(key).is_some()
    }

    fn folder_with(text: &str) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_file_that_cannot_be_used_is_refused_with_its_name_and_line() {
        let (folder, path) = folder_with(&(line("a", "k") + "# fine\n\nb\n"));
        let error = KeysFile::open(path.clone()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}:4: after the tenant comes", path.display())), "{error}");
        for (path, reason) in [
            (folder.path().join("none"), "No such file"),
            (folder.path().to_owned(), "it is no plain file"),
            (PathBuf::from("/dev/null"), "it is no plain file"),
        ] {
            let error = KeysFile::open(path).unwrap_err().to_string();
            assert!(error.contains("cannot be read: ") && error.contains(reason), "{error}");
        }
        fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
        assert!(KeysFile::open(path.clone()).unwrap_err().to_string().contains("larger than 1 MiB"));
        fs::write(&path, b"a \xff").unwrap();
        assert!(KeysFile::open(path).unwrap_err().to_string().contains("UTF-8"));
    }

    #[test]
    fn a_change_is_seen_however_it_is_made() {
        let (folder, path) = folder_with(&line("a", "k0"));
        let mut file = KeysFile::open(path.clone()).unwrap();
        assert!(opens(&file, "k0") && file.reload().unwrap().is_none());
        // In place.
        fs::write(&path, line("a", "k1")).unwrap();
        assert_eq!(file.reload().unwrap(), Some(Count { tenants: 1, keys: 1 }));
        assert!(opens(&file, "k1") && !opens(&file, "k0"));
        // By a rename.
        let beside = folder.path().join("keys.new");
        fs::write(&beside, line("a", "k2")).unwrap();
        fs::rename(&beside, &path).unwrap();
        assert!(file.reload().unwrap().is_some() && opens(&file, "k2") && !opens(&file, "k1"));
        // By a link to another folder, as Kubernetes does.
        for key in ["k3", "k4"] {
            let version = folder.path().join(key);
            fs::create_dir(&version).unwrap();
            fs::write(version.join("keys"), line("a", key)).unwrap();
            let link = folder.path().join("link");
            symlink(version.join("keys"), &link).unwrap();
            fs::rename(&link, &path).unwrap();
            assert!(file.reload().unwrap().is_some() && opens(&file, key), "{key}");
        }
        // The last key goes.
        fs::write(&path, "").unwrap();
        assert_eq!(file.reload().unwrap(), Some(Count { tenants: 0, keys: 0 }));
        assert!(!opens(&file, "k4"));
    }

    #[test]
    fn a_bad_version_keeps_the_old_keys_and_is_told_once() {
        let (_folder, path) = folder_with(&line("a", "k0"));
        let mut file = KeysFile::open(path.clone()).unwrap();
        let secret = Digest::of("k1").to_hex();
        fs::write(&path, format!("b {secret} x")).unwrap();
        let error = file.reload().unwrap_err().to_string();
        assert!(error.contains(":1: ") && !error.contains(&secret), "{error}");
        assert!(file.reload().unwrap().is_none() && opens(&file, "k0") && !opens(&file, "k1"));
        fs::remove_file(&path).unwrap();
        assert!(file.reload().unwrap_err().to_string().contains("No such file"));
        assert!(file.reload().unwrap().is_none() && opens(&file, "k0"));
        fs::write(&path, line("b", "k1")).unwrap();
        assert!(file.reload().unwrap().is_some() && opens(&file, "k1") && !opens(&file, "k0"));
    }

    #[test]
    fn a_version_that_was_bad_and_is_again_what_it_was_is_in_force_without_a_break() {
        let (_folder, path) = folder_with(&line("a", "k0"));
        let mut file = KeysFile::open(path.clone()).unwrap();
        fs::write(&path, "?").unwrap();
        file.reload().unwrap_err();
        fs::write(&path, line("a", "k0")).unwrap();
        assert!(file.reload().unwrap().is_some() && opens(&file, "k0"));
    }
}
