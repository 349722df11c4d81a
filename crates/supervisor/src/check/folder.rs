//! Whether a control plane could keep data in a folder, without opening it: one may be running in it.

use std::{fs, io, io::Write as _, path::Path};

use nix::{
    sys::statvfs::statvfs,
    unistd::{AccessFlags, access},
};
use store::Store;

/// How the folder is, or why it cannot be used.
pub(super) async fn usable(folder: &Path, data_limit: u64) -> Result<String, String> {
    Store::check(folder).await.map_err(|error| error.to_string())?;
    let folder = folder.to_owned();
    let cannot = format!("{} cannot be used", folder.display());
    let checked = store::disk_step(move || Ok(can_be_kept(&folder, data_limit)));
    checked.await.unwrap_or_else(|error| Err(format!("{cannot}: {error}")))
}

/// As [`usable`], without the values. Blocking.
fn can_be_kept(folder: &Path, data_limit: u64) -> Result<String, String> {
    let cannot = |error: &dyn std::fmt::Display| format!("{} cannot be written: {error}", folder.display());
    if folder.is_symlink() && !folder.exists() {
        return Err(cannot(&"it is a link that leads nowhere"));
    }
    // The last ancestor of a relative path is empty.
    let existing = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    // Made and gone: access() alone does not tell of a disk that is full or read-only for other reasons.
    let made = tempfile::tempdir_in(existing).map_err(|error| cannot(&error))?;
    fs::File::create(made.path().join("file"))
        .and_then(|mut file| {
            file.write_all(&[b'x'; 64 << 10])?;
            file.sync_all()
        })
        .map_err(|error| cannot(&error))?;
    for name in ["objects", "lock", "instance-id"] {
        let path = folder.join(name);
        if path.exists() {
            used(&path, name).map_err(|error| format!("{} cannot be used: {error}", path.display()))?;
        }
    }
    let space = statvfs(existing).map_err(|error| cannot(&error))?;
    let free = space.blocks_available() * space.fragment_size();
    let missing = if existing == folder { "" } else { ", which the start makes" };
    let short = if free < data_limit { ", less than --data-limit" } else { "" };
    Ok(format!("{}{missing}, {:.1} GiB free{short}", folder.display(), free as f64 / f64::from(1 << 30)))
}

/// As the start uses it, without an effect.
fn used(path: &Path, name: &str) -> io::Result<()> {
    match name {
        "objects" => Ok(access(path, AccessFlags::W_OK | AccessFlags::X_OK)?),
        "lock" => fs::File::options().write(true).open(path).map(drop),
        _ => fs::read_to_string(path).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn a_folder_is_checked_without_leaving_anything_in_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("objects")).unwrap();
        assert!(usable(folder.path(), 0).await.unwrap().ends_with("GiB free"));
        assert!(usable(folder.path(), u64::MAX).await.unwrap().ends_with("less than --data-limit"));
        let missing = folder.path().join("a/b");
        assert!(usable(&missing, 0).await.unwrap().contains("which the start makes"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn what_the_start_would_refuse_is_refused_with_its_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let nowhere = Path::new("/proc/no-such-folder").to_owned();
        for path in [file.path().to_owned(), file.path().join("data"), nowhere] {
            let error = usable(&path, 0).await.unwrap_err();
            assert!(error.contains(&format!("{} cannot be written", path.display())), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink(folder.path().join("nowhere"), &link).unwrap();
        assert!(usable(&link, 0).await.unwrap_err().ends_with("it is a link that leads nowhere"));
        let foreign = folder.path().join("objects/x");
        fs::create_dir(foreign.parent().unwrap()).unwrap();
        for name in ["lock", "instance-id"] {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            let error = usable(folder.path(), 0).await.unwrap_err();
            assert!(error.starts_with(&format!("{} cannot be used: ", path.display())), "{error}");
            fs::remove_dir(path).unwrap();
        }
        fs::write(&foreign, "junk").unwrap();
        let error = usable(folder.path(), 0).await.unwrap_err();
        assert!(error.contains(&format!("holds {}", foreign.display())), "{error}");
    }
}
