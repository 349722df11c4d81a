//! The engine as this program asks it, beside the product: who runs, and away with what is left.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use bollard::{
    Docker,
    models::ContainerSummaryStateEnum,
    query_parameters::{KillContainerOptions, ListContainersOptions, RemoveContainerOptions, TopOptions},
};
use engine::driver::hardening::INSTANCE_LABEL;

use crate::{Result, load::lock, reason};

/// One Docker engine, and the labels of what this program has on it.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(crate) docker: Docker,
    instances: Arc<Mutex<Vec<String>>>,
}

impl Engine {
    /// The engine at `DOCKER_HOST`, else at the local socket, as the product finds it.
    pub(crate) fn connect() -> Result<Self> {
        let named = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        let host = named.unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
        let docker =
            Docker::connect_with_host(&host).map_err(|error| format!("{host}: {}", reason(&error)))?;
        Ok(Self { docker, instances: Arc::default() })
    }

    /// Containers with this label are ours: whatever happens, none is left in the end.
    pub(crate) fn own(&self, instance: &str) {
        lock(&self.instances).push(instance.to_owned());
    }

    /// What an image's name means now.
    pub(crate) async fn image_id(&self, name: &str) -> Result<String> {
        let image = self.docker.inspect_image(name).await;
        let image = image.map_err(|error| format!("the image {name}: {}", reason(&error)))?;
        Ok(image.id.ok_or("an image without id")?)
    }

    /// Ids of an instance's containers.
    pub(crate) async fn containers(&self, instance: &str, running: bool) -> Result<Vec<String>> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([(
                "label".to_owned(),
                vec![format!("{INSTANCE_LABEL}={instance}")],
            )])),
            ..Default::default()
        };
        let listed = self.docker.list_containers(Some(options)).await?;
        Ok(listed
            .into_iter()
            .filter(|container| !running || container.state == Some(ContainerSummaryStateEnum::RUNNING))
            .filter_map(|container| container.id)
            .collect())
    }

    /// Process ids, as this machine counts them, of all that runs in a container.
    pub(crate) async fn processes(&self, container: &str) -> Result<Vec<u32>> {
        let options = TopOptions { ps_args: "-eo pid".to_owned() };
        let top = self.docker.top_processes(container, Some(options)).await?;
        let rows = top.processes.unwrap_or_default();
        rows.iter().flatten().map(|pid| Ok(pid.trim().parse()?)).collect()
    }

    /// `docker kill`.
    pub(crate) async fn kill(&self, container: &str) -> Result<()> {
        let options = KillContainerOptions { signal: "SIGKILL".to_owned() };
        Ok(self.docker.kill_container(container, Some(options)).await?)
    }

    /// Removes what an instance has left, and says how many that were.
    pub(crate) async fn remove_all(&self, instance: &str) -> Result<usize> {
        let left = self.containers(instance, false).await?;
        for container in &left {
            let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
            // Gone by now, or going, is as good.
            let _ = self.docker.remove_container(container, Some(options)).await;
        }
        Ok(left.len())
    }

    /// The last thing this program does.
    pub(crate) async fn remove_everything(&self) {
        let instances = lock(&self.instances).clone();
        for instance in instances {
            if let Err(error) = self.remove_all(&instance).await {
                crate::report::progress(&format!("containers of {instance} may be left: {error}"));
            }
        }
    }
}
