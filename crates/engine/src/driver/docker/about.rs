//! What an engine says of itself and of the image, for the person who proves a deployment.

use bollard::models::SystemInfo;

use super::{DockerDriver, DriverError, LOOKUP_LIMIT};

/// An engine and its machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboutEngine {
    /// Version, storage driver, cgroups, OCI runtime and kernel, in one line.
    pub summary: String,
    /// Processors.
    pub processors: u32,
    /// Memory, bytes.
    pub memory: u64,
    /// What it cannot limit, though the sandbox rests on it.
    pub unlimited: Vec<&'static str>,
    /// What it warns of, in its own words; most of it does not matter here.
    pub warnings: Vec<String>,
}

/// The runner's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboutImage {
    /// Digest of its configuration, `sha256:…`.
    pub id: String,
    /// Bytes on the engine's disk, layers that other images share counted in.
    pub size: u64,
}

impl DockerDriver {
    /// Asks the engine about itself.
    pub async fn about(&self) -> Result<AboutEngine, DriverError> {
        let call = "tell about itself";
        match self.call(call, LOOKUP_LIMIT, self.docker.info()).await {
            // Some other service.
            Err(DriverError::ContainerMissing) => {
                Err(DriverError::Refused { call, reason: "there is no such URL".to_owned() })
            }
            info => Ok(info?.into()),
        }
    }

    /// Asks for the image of the containers.
    pub async fn image(&self) -> Result<AboutImage, DriverError> {
        let name = &self.hardening.image;
        match self.call("look up the image", LOOKUP_LIMIT, self.docker.inspect_image(name)).await {
            Err(DriverError::ContainerMissing) => Err(DriverError::ImageMissing(name.clone())),
            Err(error) => Err(error),
            Ok(image) => Ok(AboutImage {
                id: image.id.unwrap_or_default(),
                size: image.size.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
            }),
        }
    }
}

impl From<SystemInfo> for AboutEngine {
    fn from(info: SystemInfo) -> Self {
        let told =
            |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "?".to_owned());
        let cgroups = info.cgroup_version.map_or_else(|| "1".to_owned(), |version| version.to_string());
        let by = info.cgroup_driver.map_or_else(String::new, |driver| format!(" ({driver})"));
        let limits = [
            ("memory", info.memory_limit),
            ("swap", info.swap_limit),
            ("processes", info.pids_limit),
            ("processor time", info.cpu_cfs_quota),
        ];
        Self {
            summary: format!(
                "Docker {}, storage {}, cgroup v{cgroups}{by}, runtime {}, Linux {}, {}",
                told(info.server_version),
                told(info.driver),
                told(info.default_runtime),
                told(info.kernel_version),
                told(info.architecture),
            ),
            processors: info.ncpu.and_then(|number| u32::try_from(number).ok()).unwrap_or(1),
            memory: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
            // Of what it says nothing its create decides, whose warnings are refused.
            unlimited: limits
                .iter()
                .filter(|(_, able)| *able == Some(false))
                .map(|(name, _)| *name)
                .collect(),
            warnings: info.warnings.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_cannot_limit_swap_is_known_by_what_it_says() {
        let about: AboutEngine = SystemInfo {
            server_version: Some("29.1.0".to_owned()),
            driver: Some("overlay2".to_owned()),
            kernel_version: Some("6.12.0".to_owned()),
            default_runtime: Some("runc".to_owned()),
            architecture: Some("x86_64".to_owned()),
            memory_limit: Some(true),
            swap_limit: Some(false),
            ncpu: Some(4),
            warnings: Some(vec!["WARNING: No swap limit support".to_owned()]),
            ..Default::default()
        }
        .into();
        assert_eq!(
            about.summary,
            "Docker 29.1.0, storage overlay2, cgroup v1, runtime runc, Linux 6.12.0, x86_64"
        );
        assert_eq!((about.processors, about.memory), (4, 0));
        assert_eq!(about.unlimited, ["swap"]);
        assert_eq!(about.warnings, ["WARNING: No swap limit support"]);
    }
}
