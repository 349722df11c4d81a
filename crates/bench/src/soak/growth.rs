//! What must not grow.

use super::mebibytes;
use crate::{
    Result,
    docker::Engine,
    proc,
    product::Product,
    report::{Bound, Report},
};

/// Connections and buffers come and go.
const DESCRIPTORS: f64 = 4.0;

/// One look, with the pool full and no call under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    containers: usize,
    mounts: usize,
    shims: usize,
    descriptors: usize,
    pub(super) memory: u64,
}

impl Growth {
    pub(super) async fn now(engine: &Engine, product: &Product) -> Result<Self> {
        Ok(Self {
            containers: engine.containers(product.instance(), false).await?.len(),
            mounts: proc::mounts()?,
            shims: proc::shims()?,
            descriptors: proc::descriptors(product.pid()?)?,
            memory: proc::memory(product.pid()?, "VmRSS")?,
        })
    }
}

pub(super) fn describe(before: &Growth, after: &Growth, report: &mut Report) {
    let counts = [
        ("containers", before.containers, after.containers, 0.0),
        ("mounts of the machine", before.mounts, after.mounts, 0.0),
        ("containerd's shims on the machine", before.shims, after.shims, 0.0),
        ("descriptors of the control plane", before.descriptors, after.descriptors, DESCRIPTORS),
    ];
    let mut rows: Vec<_> = counts
        .iter()
        .map(|(what, before, after, _)| vec![(*what).to_owned(), before.to_string(), after.to_string()])
        .collect();
    rows.push(vec![
        "memory of the control plane".to_owned(),
        mebibytes(before.memory),
        mebibytes(after.memory),
    ]);
    report.section("Growth", &["what", "before", "after"], &rows);
    for (what, before, after, most) in counts {
        report.target(format!("growth of {what}"), after as f64 - before as f64, Bound::AtMost(most));
    }
}
