//! Whether a control plane could keep data in a folder, without opening it: one may be running in it.

use std::{
    io::{self, Write as _},
    path::Path,
};

use nix::{
    sys::statvfs::statvfs,
    unistd::{AccessFlags, access},
};

/// How the folder is, or why it cannot be used.
pub(super) fn writable(folder: &Path, data_limit: u64) -> Result<String, String> {
    let cannot = |error: &dyn std::fmt::Display| format!("{} cannot be written: {error}", folder.display());
    let Some(existing) = folder.ancestors().find(|path| path.exists()) else {
        return Err(cannot(&io::Error::from(io::ErrorKind::NotFound)));
    };
    if existing == folder {
        // Made and gone: access() alone does not tell of a disk that is full or read-only for other reasons.
        let mut file =
            tempfile::NamedTempFile::with_prefix_in(".check-", folder).map_err(|error| cannot(&error))?;
        file.write_all(&[b'x'; 64 << 10])
            .and_then(|()| file.as_file().sync_all())
            .map_err(|error| cannot(&error))?;
    }
    let objects = folder.join("objects");
    let written = if objects.exists() { &objects } else { existing };
    access(written, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|error| cannot(&error))?;
    let space = statvfs(existing).map_err(|error| cannot(&error))?;
    let free = space.blocks_available() * space.fragment_size();
    let missing = if existing == folder { "" } else { ", which the start makes" };
    let short = if free < data_limit { ", less than --data-limit" } else { "" };
    Ok(format!("{}{missing}, {:.1} GiB free{short}", folder.display(), free as f64 / f64::from(1 << 30)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_is_checked_without_leaving_anything_in_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("objects")).unwrap();
        assert!(writable(folder.path(), 0).unwrap().ends_with("GiB free"));
        assert!(writable(folder.path(), u64::MAX).unwrap().ends_with("less than --data-limit"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let missing = folder.path().join("a/b");
        assert!(writable(&missing, 0).unwrap().contains("which the start makes"));
        assert!(!missing.exists());
    }

    #[test]
    fn a_folder_that_is_a_file_is_refused_with_its_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [file.path().to_owned(), file.path().join("data")] {
            let error = writable(&path, 0).unwrap_err();
            assert!(error.contains(&format!("{} cannot be written", path.display())), "{error}");
        }
    }
}
