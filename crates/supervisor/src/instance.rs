//! The identity that outlives a process: containers carry it, and a new life of the same control plane removes what an
//! earlier one left.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use uuid::Uuid;

/// The id kept in this data folder, made if there is none. The caller holds the folder's lock.
pub(crate) fn id(data_dir: &Path) -> io::Result<String> {
    let path = data_dir.join("instance-id");
    match fs::read_to_string(&path) {
        Ok(text) if Uuid::try_parse(text.trim()).is_ok() => Ok(text.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        // Missing, or nobody's: no container carries it.
        _ => {
            let id = Uuid::now_v7().to_string();
            // On disk before a container carries it: an id that is lost leaves containers that nobody sweeps.
            let new = data_dir.join("instance-id.new");
            let mut file = fs::File::create(&new)?;
            writeln!(file, "{id}")?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            fs::File::open(data_dir)?.sync_all()?;
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
