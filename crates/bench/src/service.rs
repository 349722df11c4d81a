//! The yardstick for latency: the same code executed in-process by FastAPI and uvicorn (service/app.py), without any
//! isolation.
//!
//! It runs in a container of the runner image, because that has the very Python, pandas and NumPy that the product's
//! containers have; with the host's network and none of the settings that isolate.

use std::{path::Path, time::Duration};

use bollard::{
    models::{ContainerCreateBody, HostConfig},
    query_parameters::{CreateContainerOptions, StartContainerOptions},
};
use engine::driver::hardening::INSTANCE_LABEL;

use crate::{
    Result,
    client::{Target, free_port},
    docker::Engine,
    options::Plan,
};

/// The running service. Its container is removed by `Engine::remove_everything`.
#[derive(Debug)]
pub(crate) struct Service {
    engine: Engine,
    instance: String,
    target: Target,
}

impl Service {
    pub(crate) async fn start(engine: &Engine, image: &str, plan: &Plan) -> Result<Self> {
        let instance = format!("bench-service-{}", std::process::id());
        engine.own(&instance);
        let port = free_port()?;
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            labels: Some([(INSTANCE_LABEL.to_owned(), instance.clone())].into()),
            working_dir: Some("/service".to_owned()),
            env: Some(vec!["PYTHONPATH=/site".to_owned()]),
            entrypoint: Some(["python3", "-m", "uvicorn", "app:app"].map(str::to_owned).to_vec()),
            cmd: Some(
                [
                    "--host=127.0.0.1",
                    &format!("--port={port}"),
                    "--workers=1",
                    "--no-access-log",
                    // Longer than the client keeps one.
                    "--timeout-keep-alive=60",
                ]
                .map(str::to_owned)
                .to_vec(),
            ),
            host_config: Some(HostConfig {
                network_mode: Some("host".to_owned()),
                binds: Some(vec![
                    format!("{}:/site:ro", absolute(&plan.site)?),
                    format!("{}:/service:ro", absolute(&plan.service)?),
                ]),
                security_opt: Some(vec!["seccomp=unconfined".to_owned()]),
                ..Default::default()
            }),
            ..Default::default()
        };
        let options = CreateContainerOptions { name: Some(instance.clone()), ..Default::default() };
        engine.docker.create_container(Some(options), body).await?;
        engine.docker.start_container(&instance, None::<StartContainerOptions>).await?;
        let target = Target::new(port)?;
        target
            .wait_for("/health/live", Duration::from_secs(60))
            .await
            .map_err(|error| format!("{error}; docker logs {instance} says why, if it still runs"))?;
        Ok(Self { engine: engine.clone(), instance, target })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.engine.remove_all(&self.instance).await.map(|_| ())
    }
}

fn absolute(path: &Path) -> Result<String> {
    let found = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(found.display().to_string())
}
