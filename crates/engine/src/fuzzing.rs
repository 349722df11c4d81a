//! What the fuzz targets (`crates/fuzz`) reach beyond what is public; compiled only with the feature `fuzzing`.

use std::io;

use crate::ExecutionRequest;

/// The archive in which a request goes to its runner.
pub fn pack(request: &ExecutionRequest) -> io::Result<Vec<u8>> {
    crate::archive::pack(request)
}

/// How many of the modules that containers preload the code asks for.
pub fn wanted_level(code: &str, preloads: &[String]) -> usize {
    crate::pool::imports::wanted_level(code, preloads)
}
