//! `code-sandbox keys new TENANT`: the line for the keys file on stdout, the key on stderr.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use engine::Tenant;
use keys::NewKey;

/// Succeeds if both have been written: a key that nobody has seen shall not end in a file.
pub(crate) fn print(tenant: &Tenant) -> ExitCode {
    let printed = NewKey::generate().map_err(io::Error::other).and_then(|key| {
        writeln!(io::stderr(), "The key of {tenant}, shown only now: {}", key.as_str())?;
        writeln!(io::stdout(), "{}", key.line(tenant))
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr changes nothing about the status.
            let _ = writeln!(io::stderr(), "no key was made: {error}");
            ExitCode::FAILURE
        }
    }
}
