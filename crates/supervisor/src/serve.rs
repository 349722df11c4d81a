//! The life of the service: open, prove, serve, drain.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use api::{App, Budget};
use axum_server::Handle;
use engine::{
    Engine, StartError,
    driver::{DriverError, docker::DockerDriver},
};
use keys::{Count, KeysFile, KeysFileError};
use socket2::{SockRef, TcpKeepalive};
use store::{OpenError, Store};
use telemetry::{EngineLog, Metrics, Traces};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::info;
use uuid::Uuid;

use crate::{
    accept::Acceptor, cli::Config, instance, pool_size, signals::Signals, undertaker::Undertaker, upkeep,
};

/// A client whose machine has not been heard of for so long is asked for, four times in twenty seconds; then it is gone. Not by
/// TCP_USER_TIMEOUT, which ends who is there and takes nothing for a while.
const UNHEARD: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_secs(5);
const ASK_TIMES: u32 = 4;
/// Bytes of an answer that the kernel may hold beyond those on their way. By itself it takes megabytes, and then for a minute nothing
/// of one whose client is slow, but not too slow.
const UNSENT: u32 = 128 << 10;
/// After a drain in a hurry every answer is written; this is for clients that do not read theirs.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Bytes that a connection may hold of what it reads, a request's headers whole, and of what it writes.
const CONNECTION_BUFFER: usize = 64 << 10;

/// Why the service ended otherwise than by a signal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("cannot listen on {address} ({reason}): choose another address with --listen")]
    Listen { address: SocketAddr, reason: io::Error },
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Keys(#[from] KeysFileError),
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error("the instance id cannot be kept in the data folder {folder}: {reason}")]
    Instance { folder: PathBuf, reason: io::Error },
    #[error("no process can be started that removes the containers if this one is killed: {0}")]
    Undertaker(io::Error),
    #[error(transparent)]
    Docker(#[from] DriverError),
    #[error("the engine cannot limit {}, which the sandbox rests on: the kernel needs these controllers of cgroups (of v1 also swapaccount=1), and a rootless engine cgroup v2 with all of them delegated", .0.join(", "))]
    Unlimited(Vec<&'static str>),
    #[error(transparent)]
    Engine(#[from] StartError),
    #[cfg(feature = "otlp")]
    #[error(transparent)]
    Traces(#[from] telemetry::traces::InvalidEndpoint),
    #[error("serving failed: {0}")]
    Server(io::Error),
}

/// Serves until a signal has drained it (`signals.rs`); a second one hurries the drain.
pub(crate) async fn serve(config: Config) -> Result<(), ServeError> {
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let keys = config.api_keys_file.clone().map(KeysFile::open).transpose()?;
    let keyring = keys.as_ref().map(|keys| keys.keyring().clone());
    let address = config.listen;
    let listener = listen(address).await.map_err(|reason| ServeError::Listen { address, reason })?;
    // Of port 0 the one that it has become.
    let address = listener.local_addr().map_err(ServeError::Server)?;

    let (store, instance) = tokio::select! {
        opened = open_data(&config) => opened?,
        () = signals.next() => {
            info!("stopped before it was ready");
            return Ok(());
        }
    };
    let generation = Uuid::now_v7().to_string();
    let hardening = config.hardening(&instance, &generation);
    let image = hardening.image.clone();
    let driver = DockerDriver::new(&config.docker_host, hardening)?;
    let mut engine_config = config.engine;
    let about = driver.about().await?;
    // Not every engine warns of this when it makes a container: a rootless one without cgroups lets the limits fall in silence.
    if !about.unlimited.is_empty() {
        return Err(ServeError::Unlimited(about.unlimited));
    }
    if config.sizes_pool {
        engine_config.pool.size = pool_size::suitable(about.processors, about.memory);
    }
    // Before the first container.
    let undertaker = Undertaker::appoint(&generation, 0).map_err(ServeError::Undertaker)?;
    let pool = engine_config.pool.clone();
    let metrics = Metrics::new(&engine_config);
    #[cfg(feature = "otlp")]
    let traces = config.otlp_endpoint.as_deref().map(Traces::export_to).transpose()?.unwrap_or_default();
    #[cfg(not(feature = "otlp"))]
    let traces = Traces::default();
    let observer = Arc::new(((EngineLog, metrics.clone()), traces.clone()));
    let engine = Engine::new(Arc::new(driver), engine_config, observer);
    let proven = tokio::select! {
        proven = engine.prove() => Some(proven),
        () = signals.next() => None,
    };
    let impatient = CancellationToken::new();
    match proven {
        Some(Ok(())) => {}
        unproven => {
            // The trial's container goes as well.
            engine.drain(Duration::ZERO, &impatient).await;
            dismiss(undertaker, &engine);
            unproven.transpose()?;
            info!("stopped before it was ready");
            return Ok(());
        }
    }

    let _upkeep = upkeep::start(keys, store.clone(), config.store.ttl);
    let app = App {
        engine: engine.clone(),
        store,
        keys: keyring.clone(),
        config: config.api,
        bodies: Budget::new(config.bodies, keyring.is_some()),
        answers: Budget::new(config.answers, keyring.is_some()),
        metrics,
        traces: traces.clone(),
    };
    let acceptor = Acceptor::new().map_err(ServeError::Server)?;
    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener)
        .map_err(ServeError::Server)?
        .acceptor(acceptor)
        .http1_only()
        .handle(handle.clone());
    server.http_builder().http1().max_buf_size(CONNECTION_BUFFER);
    let mut server = tokio::spawn(server.serve(api::router(app).into_make_service()));
    info!(size = pool.size, preload = pool.preloads.join(","), max_age = ?pool.max_age, "pool of containers that stand ready");
    let version = env!("CARGO_PKG_VERSION");
    match keyring.map(|keyring| keyring.count()) {
        None => info!(%address, %image, %instance, version, "ready: the API is open to whoever can reach it"),
        Some(Count { tenants, keys }) => {
            info!(%address, %image, %instance, version, tenants, keys, "ready: callers need a key");
        }
    }

    let failed = tokio::select! {
        served = &mut server => Some(served),
        () = signals.next() => None,
    };
    info!(patience = ?config.drain_timeout, "draining: a second signal hurries");
    let patient_until = Instant::now() + config.drain_timeout;
    let hurried = impatient.clone();
    tokio::spawn(async move {
        signals.next().await;
        hurried.cancel();
    });
    engine.drain(config.drain_timeout, &impatient).await;
    dismiss(undertaker, &engine);
    // Uploads and downloads end in the same time.
    let rest = patient_until.saturating_duration_since(Instant::now()).max(LAST_ANSWERS);
    handle.graceful_shutdown(Some(rest));
    let out_of_patience = async {
        impatient.cancelled().await;
        sleep(LAST_ANSWERS).await;
    };
    let served = match failed {
        Some(served) => served,
        None => tokio::select! {
            served = &mut server => served,
            () = out_of_patience => {
                handle.shutdown();
                server.await
            }
        },
    };
    // It may block, for the collector's sake.
    let _ = tokio::task::spawn_blocking(move || traces.finish()).await;
    let served = served.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    info!("stopped");
    served.map_err(ServeError::Server)
}

async fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = TcpListener::bind(address).await?.into_std()?;
    // Accepted connections inherit these.
    let socket = SockRef::from(&listener);
    let keepalive = TcpKeepalive::new().with_time(UNHEARD).with_interval(ASK_EVERY).with_retries(ASK_TIMES);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_notsent_lowat(UNSENT)?;
    Ok(listener)
}

/// The data folder's store and instance.
async fn open_data(config: &Config) -> Result<(Store, String), ServeError> {
    let folder = config.data_dir.clone();
    let store = Store::open(&folder, config.store).await?;
    // Only now: the store's lock says that this folder, and so its instance, is ours alone.
    let instance = store::disk_step({
        let folder = folder.clone();
        move || instance::id(&folder)
    });
    let instance = instance.await.map_err(|reason| ServeError::Instance { folder, reason })?;
    Ok((store, instance))
}

/// What a drain could not remove is left to the undertaker.
fn dismiss(undertaker: Option<Undertaker>, engine: &Engine) {
    if engine.containers() == 0
        && let Some(undertaker) = undertaker
    {
        undertaker.dismiss();
    }
}
