//! The identity that outlives a process: containers carry it, and a new life of the same control plane removes what an
//! earlier one left.

use std::{fs, io, path::Path};

use uuid::Uuid;

/// The id kept in this data folder, made if there is none. The caller holds the folder's lock.
pub(crate) fn id(data_dir: &Path) -> io::Result<String> {
    let path = data_dir.join("instance-id");
    match fs::read_to_string(&path) {
        Ok(text) if Uuid::try_parse(text.trim()).is_ok() => Ok(text.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        // Missing, or torn by a crash in the middle of making it: no container carries it yet.
        _ => {
            let id = Uuid::now_v7().to_string();
            fs::write(&path, format!("{id}\n"))?;
            Ok(id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_stays_the_same_and_a_torn_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let first = id(folder.path()).unwrap();
        assert_eq!(id(folder.path()).unwrap(), first);
        fs::write(folder.path().join("instance-id"), "0190").unwrap();
        let second = id(folder.path()).unwrap();
        assert_ne!(second, first);
        assert_eq!(id(folder.path()).unwrap(), second);
    }
}
