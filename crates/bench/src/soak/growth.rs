//! What must not grow.

use std::path::Path;

use crate::{
    Result,
    docker::Engine,
    proc,
    product::Product,
    report::{Bound, Report, mebibytes},
};

/// Connections and buffers come and go.
const DESCRIPTORS: f64 = 4.0;

/// One look, with the pool full and no call under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    containers: usize,
    mounts: usize,
    shims: usize,
    descriptors: usize,
    memory: u64,
}

impl Growth {
    /// With the folder of an engine of our own only what belongs to it is counted, else all that is on the machine.
    pub(crate) async fn now(engine: &Engine, product: &Product, own: Option<&Path>) -> Result<Self> {
        let folder = own.and_then(Path::to_str).unwrap_or_default();
        Ok(Self {
            containers: engine.containers(product.instance(), false).await?.len(),
            mounts: proc::mounts(folder)?,
            shims: proc::shims(folder)?,
            descriptors: proc::descriptors(product.pid()?)?,
            memory: proc::memory(product.pid()?, "VmRSS")?,
        })
    }

    /// Memory of the control plane.
    pub(crate) fn mebibytes(&self) -> f64 {
        self.memory as f64 / f64::from(1 << 20)
    }
}

pub(crate) fn describe(before: &Growth, after: &Growth, report: &mut Report) {
    let counts = [
        ("containers", before.containers, after.containers, 0.0),
        ("mounts", before.mounts, after.mounts, 0.0),
        ("containerd's shims", before.shims, after.shims, 0.0),
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
