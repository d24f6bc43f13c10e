//! The control socket's side of the daemon: HTTP/1.1, so that curl can ask.
//!
//! ```text
//! curl --unix-socket STORE/control.sock http://pkgfs/v1/status
//! ```
//! The system tells who asks; anyone but the store's owner and administrators is refused
//! ([`control`](crate::control)). What only tells, and changes nothing, is
//! told to all on the public socket of a daemon of root's whose mounts let others in.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Request, State, connect_info::Connected},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::IncomingStream,
};
use pkgfs_view::View;

use crate::{
    DaemonError, DaemonStatus, Failure, FailureKind, FlushOrder, MountOrder, Mounted, Settings,
    UnmountOrder, Unmounted, UpgradeOrder,
    blocking::blocking,
    commands,
    control::{Listener, Peer},
    mounts::Mounts,
    platform::{MountError, Platform, Readiness},
    profiles,
    public::Bounded,
    words,
};

/// Who uses a mount no longer than this does not keep it: rez's processes look at it in passing.
const PASSING: Duration = Duration::from_secs(1);
/// Between two attempts at an unmount.
const AGAIN: Duration = Duration::from_millis(200);

/// What the requests work on.
pub(crate) struct Desk {
    pub(crate) view: Arc<View>,
    pub(crate) mounts: Arc<Mounts>,
    pub(crate) settings: Settings,
    pub(crate) log: PathBuf,
    pub(crate) notes: Vec<String>,
    pub(crate) started: std::time::SystemTime,
    pub(crate) platform: Arc<Platform>,
}

impl Desk {
    /// Mounts, and tells it as the command wants to hear it.
    pub(crate) async fn mount(&self, order: &MountOrder) -> Result<Mounted, DaemonError> {
        let keys = self.settings.differences(&order.settings);
        if !keys.is_empty() {
            return Err(DaemonError::OtherSettings {
                store: self.settings.store.clone(),
                pid: std::process::id(),
                keys: keys.join(", "),
            });
        }
        let found = self.mounts.mount(&order.mountpoint).await?;
        Ok(Mounted {
            mountpoint: order.mountpoint.clone(),
            already: found == Readiness::Mounted,
            recovered: found == Readiness::Recovered,
            pid: std::process::id(),
            log: self.log.clone(),
            notes: self.notes.clone(),
        })
    }
}

/// What only tells.
fn telling() -> Router<Arc<Desk>> {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/variants", get(commands::variants))
        .route("/v1/list", post(commands::list))
        .route("/v1/profiles", post(profiles::list))
}

/// Answers everybody what only tells, until `done` says so.
pub(crate) async fn serve_all(
    listener: Listener,
    desk: Arc<Desk>,
    done: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = telling().fallback(not_for_all).with_state(desk);
    axum::serve(Bounded::new(listener), router).with_graceful_shutdown(done).await
}

/// Answers until `done` says so, then finishes what it is answering.
pub(crate) async fn serve(
    listener: Listener,
    desk: Arc<Desk>,
    done: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = telling()
        .route("/v1/add", post(commands::add))
        .route("/v1/remove", post(commands::remove))
        .route("/v1/pin", post(commands::pin))
        .route("/v1/unpin", post(commands::unpin))
        .route("/v1/warm", post(commands::warm))
        .route("/v1/clean", post(commands::clean))
        .route("/v1/verify", post(commands::verify))
        .merge(profiles::routes())
        .route("/v1/mount", post(mount))
        .route("/v1/unmount", post(unmount))
        .route("/v1/flush", post(flush))
        .route("/v1/upgrade", post(upgrade))
        .fallback(nothing_here)
        .layer(middleware::from_fn(admit))
        .with_state(desk);
    axum::serve(listener, router.into_make_service_with_connect_info::<Peer>())
        .with_graceful_shutdown(done)
        .await
}

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Self::of(stream.io())
    }
}

async fn admit(ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    if peer.may_control() {
        return next.run(request).await;
    }
    refuse(Failure {
        kind: FailureKind::Forbidden,
        message: format!(
            "only the store's owner and {} may control this mount: ask them",
            words::ADMINISTRATOR
        ),
    })
}

async fn not_for_all() -> Response {
    refuse(Failure {
        kind: FailureKind::Forbidden,
        message: format!(
            "only the store's owner and {} may do that: others may ask for status, list and \
             profile show",
            words::ADMINISTRATOR
        ),
    })
}

pub(crate) fn refuse(failure: Failure) -> Response {
    let status = match failure.kind {
        FailureKind::Forbidden => StatusCode::FORBIDDEN,
        FailureKind::NotMounted => StatusCode::NOT_FOUND,
        FailureKind::Busy | FailureKind::StoreInUse => StatusCode::CONFLICT,
        FailureKind::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        FailureKind::Other => StatusCode::UNPROCESSABLE_ENTITY,
    };
    (status, Json(failure)).into_response()
}

impl IntoResponse for DaemonError {
    fn into_response(self) -> Response {
        refuse(Failure::from(&self))
    }
}

async fn nothing_here() -> Response {
    let message = "no such request: there are /v1/status, variants, mount, unmount, flush, upgrade, list, add, \
                   remove, pin, unpin, warm, clean, verify, profiles, profiles/import and profiles/clear";
    let failure = Failure { kind: FailureKind::Other, message: message.into() };
    (StatusCode::NOT_FOUND, Json(failure)).into_response()
}

async fn status(State(desk): State<Arc<Desk>>) -> Result<Json<DaemonStatus>, DaemonError> {
    let mounts = desk.mounts.list().await;
    let view = Arc::clone(&desk.view);
    let view = blocking(move || {
        serde_json::to_value(view.status()).map_err(|error| DaemonError::System {
            action: "tell the status",
            source: error.into(),
        })
    })
    .await?;
    Ok(Json(DaemonStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        store: desk.settings.store.clone(),
        log: desk.log.clone(),
        started: desk.started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        mounts,
        hand_over: desk.platform.hand_over().await,
        notes: desk.notes.clone(),
        view,
    }))
}

async fn mount(
    State(desk): State<Arc<Desk>>,
    Json(order): Json<MountOrder>,
) -> Result<Json<Mounted>, DaemonError> {
    desk.mount(&order).await.map(Json)
}

async fn unmount(
    State(desk): State<Arc<Desk>>,
    Json(order): Json<UnmountOrder>,
) -> Result<Json<Unmounted>, DaemonError> {
    let started = Instant::now();
    loop {
        match desk.mounts.unmount(&order.mountpoint, order.lazy).await {
            Err(DaemonError::Mount(MountError::Busy { .. })) if started.elapsed() < PASSING => {
                tokio::time::sleep(AGAIN).await;
            }
            outcome => return Ok(Json(Unmounted { remaining: outcome? })),
        }
    }
}

async fn flush(State(desk): State<Arc<Desk>>, Json(order): Json<FlushOrder>) -> Response {
    match desk.view.flush(&order.variants).await {
        Ok(report) => Json(report).into_response(),
        Err(error) => refuse(Failure {
            kind: FailureKind::Other,
            message: format!("the flush was not finished: {error}; the log says more"),
        }),
    }
}

/// Answers before it ends, so that who asked can wait for the next.
async fn upgrade(
    State(desk): State<Arc<Desk>>,
    Json(order): Json<UpgradeOrder>,
) -> Result<Json<serde_json::Value>, DaemonError> {
    desk.platform.upgrade(order.program).await?;
    Ok(Json(serde_json::json!({ "pid": std::process::id() })))
}
