//! A service of its own whose runner gives its end of the pipe to the code: what comes out of a container that was taken over.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::{Map, Value};

use crate::{Product, docker::OwnImage, machine::repository};

/// By which the runner of tests/seized-runner knows such code.
const MARK: &str = "# Instead of the runner:";
/// Beyond what it has in peace, at any moment: what is kept is what was sent, whatever length was said.
const MEMORY: u64 = 48 << 20;

#[derive(Debug)]
pub(super) struct Seized {
    product: Product,
    _image: OwnImage,
    in_peace: u64,
}

impl Seized {
    pub(super) async fn start() -> Self {
        let image = OwnImage::build(&repository().join("tests/seized-runner")).await;
        let product = Product::start(&["--image", image.name()]).await;
        let in_peace = product.memory("VmHWM");
        Self { product, _image: image, in_peace }
    }

    pub(super) fn execute(&self, path: &str, mut body: Map<String, Value>) -> RequestBuilder {
        let code = body["code"].as_str().unwrap_or_default();
        body["code"] = format!("{MARK}\n{code}").into();
        self.product.client().post(self.product.url(path)).json(&body)
    }

    /// That nothing is left of what was tried, and that it has never taken much memory; else what is not so.
    pub(super) async fn is_unharmed(&self) -> Result<(), String> {
        self.product.no_containers(Duration::from_secs(10)).await;
        let highest = self.product.memory("VmHWM");
        if highest > self.in_peace + MEMORY {
            return Err(format!(
                "it has taken {} MiB of memory, here or before, {} in peace",
                highest >> 20,
                self.in_peace >> 20
            ));
        }
        Ok(())
    }

    pub(super) async fn stop(self) {
        self.product.stop().await;
    }
}
