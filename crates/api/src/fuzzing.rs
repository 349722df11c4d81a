//! What the fuzz targets (`crates/fuzz`) reach beyond what is public; compiled only with the feature `fuzzing`.

use std::time::Duration;

use engine::{Bounds, ExecutionRequest};
use uuid::Uuid;

use crate::{caller::Caller, wire};

/// A body of `/execute_code` as a request, or the status with which it is refused.
pub fn request(body: &[u8]) -> Result<ExecutionRequest, u16> {
    let bounds = Bounds {
        default_timeout: Duration::from_secs(30),
        max_timeout: Duration::from_secs(300),
        default_memory: 512 << 20,
        max_memory: 2 << 30,
    };
    wire::execute::request(body, Uuid::nil(), &Caller::everyone(), &bounds, 1 << 20)
        .map_err(|error| error.status().as_u16())
}
