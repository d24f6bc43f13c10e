//! The requests that `list`, `add`, `remove`, `pin`, `unpin`, `warm`, `clean` and `verify` make.

use std::{convert::Infallible, sync::Arc, thread};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures::stream;
use pkgfs_view::{Report, VerifyProgress, ViewError, WarmProgress};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::{
    CleanOrder, Failure, FailureKind, ListLine, RemoveOrder, TargetsOrder, VerifyLine, VerifyOrder,
    WarmLine, WarmOrder,
    server::{Desk, refuse},
};

/// Lines of progress that wait for a slow reader.
const LINES: usize = 4;
/// Lists that are told at a time, each by a thread; more wait.
static LISTS: Semaphore = Semaphore::const_new(16);

pub(crate) async fn variants(State(desk): State<Arc<Desk>>) -> Response {
    listed(&desk, TargetsOrder::default())
}

pub(crate) async fn list(
    State(desk): State<Arc<Desk>>,
    Json(order): Json<TargetsOrder>,
) -> Response {
    listed(&desk, order)
}

/// Answers with lines as variants are found, so that no number of them fills the memory.
fn listed(desk: &Desk, order: TargetsOrder) -> Response {
    let view = Arc::clone(&desk.view);
    let (lines, read) = mpsc::channel(LINES);
    let list = move || {
        let send = |told: &ListLine<_>| lines.blocking_send(line(told)).is_ok();
        let more = |page: Vec<_>| page.is_empty() || send(&ListLine::Variants(page));
        let last = view.list(&order.targets, more);
        let _ = send(&match last {
            Ok(unknown) => ListLine::Unknown(unknown),
            Err(error) => ListLine::Failed(error.to_string()),
        });
    };
    // Not a thread of the runtime's: whoever reads may pause for good, as a pager does, and neither
    // other requests nor the end of the daemon wait for that.
    tokio::spawn(async move {
        let turn = LISTS.acquire().await;
        let listed = move || {
            list();
            drop(turn);
        };
        if let Err(error) = thread::Builder::new().name("list".into()).spawn(listed) {
            tracing::warn!(%error, "no thread could be started for a list");
        }
    });
    streamed(read)
}

pub(crate) async fn add(
    State(desk): State<Arc<Desk>>,
    Json(order): Json<TargetsOrder>,
) -> Json<Report> {
    Json(desk.view.add(&order.targets).await)
}

pub(crate) async fn remove(
    State(desk): State<Arc<Desk>>,
    Json(order): Json<RemoveOrder>,
) -> Response {
    answer("removal", desk.view.remove(&order.targets, order.force).await)
}

pub(crate) async fn pin(
    State(desk): State<Arc<Desk>>,
    Json(order): Json<TargetsOrder>,
) -> Response {
    answer("pinning", desk.view.pin(&order.targets, true).await)
}

pub(crate) async fn unpin(
    State(desk): State<Arc<Desk>>,
    Json(order): Json<TargetsOrder>,
) -> Response {
    answer("unpinning", desk.view.pin(&order.targets, false).await)
}

pub(crate) async fn clean(
    State(desk): State<Arc<Desk>>,
    Json(order): Json<CleanOrder>,
) -> Response {
    answer("cleaning", desk.view.clean(order.dry_run).await)
}

pub(crate) fn answer<T: Serialize>(action: &str, outcome: Result<T, ViewError>) -> Response {
    match outcome {
        Ok(report) => Json(report).into_response(),
        Err(error) => refuse(Failure {
            kind: FailureKind::Other,
            message: format!("the {action} was not finished: {error}; the log says more"),
        }),
    }
}

/// Answers with lines as the job goes on. A reader that goes away ends it.
pub(crate) async fn warm(State(desk): State<Arc<Desk>>, Json(order): Json<WarmOrder>) -> Response {
    let (told, progress) = watch::channel(WarmProgress::default());
    let view = Arc::clone(&desk.view);
    let (lines, read) = mpsc::channel(LINES);
    if order.detached {
        tokio::spawn(async move {
            let report = view.warm(&order.targets, order.limits, told).await;
            let refused = report.variants.refused.iter().chain(&report.failed);
            refused.for_each(|reason| tracing::warn!("not fetched ahead: {reason}"));
            let (files, bytes) = (report.fetched.files, report.fetched.bytes);
            tracing::info!(files, bytes, "fetched ahead");
        });
        let _ = lines.send(line(&WarmLine::Detached)).await;
    } else {
        tokio::spawn(async move {
            let job = view.warm(&order.targets, order.limits, told);
            tokio::select! {
                report = job => {
                    let _ = lines.send(line(&WarmLine::Report(Box::new(report)))).await;
                }
                () = tell(progress, &lines, WarmLine::Progress) => {
                    tracing::info!("a fetch ahead was cancelled");
                }
            }
        });
    }
    streamed(read)
}

/// Answers with lines as the check goes on. A reader that goes away ends it.
pub(crate) async fn verify(
    State(desk): State<Arc<Desk>>,
    Json(order): Json<VerifyOrder>,
) -> Response {
    let (told, progress) = watch::channel(VerifyProgress::default());
    let view = Arc::clone(&desk.view);
    let (lines, read) = mpsc::channel(LINES);
    tokio::spawn(async move {
        tokio::select! {
            report = view.verify(order.repair, told) => {
                let _ = lines.send(line(&VerifyLine::Report(Box::new(report)))).await;
            }
            () = tell(progress, &lines, VerifyLine::Progress) => {
                tracing::info!("a check of all blobs was cancelled");
            }
        }
    });
    streamed(read)
}

fn streamed(read: mpsc::Receiver<Line>) -> Response {
    let body = stream::unfold(read, async |mut read| Some((read.recv().await?, read)));
    ([("content-type", "application/x-ndjson")], Body::from_stream(body)).into_response()
}

/// Sends progress as it comes; ends when nobody reads any more.
async fn tell<P: Copy, T: Serialize>(
    mut progress: watch::Receiver<P>,
    lines: &mpsc::Sender<Line>,
    as_line: impl Fn(P) -> T,
) {
    loop {
        let told = *progress.borrow_and_update();
        if lines.send(line(&as_line(told))).await.is_err() {
            return;
        }
        tokio::select! {
            () = lines.closed() => return,
            changed = progress.changed() => if changed.is_err() {
                // The job is about to report.
                return std::future::pending().await;
            }
        }
    }
}

type Line = Result<Bytes, Infallible>;

fn line(line: &impl Serialize) -> Line {
    // Numbers and texts always have a JSON form.
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    Ok(text.into())
}
