//! The requests that `pkgfs profile` makes.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    response::Response,
    routing::post,
};
use pkgfs_view::ProfileList;

use crate::{DaemonError, TargetsOrder, blocking::blocking, commands::answer, server::Desk};

/// Most that an import may bring, in bytes: more than a store keeps.
const MOST_IMPORTED: usize = 512 << 20;

pub(crate) fn routes() -> Router<Arc<Desk>> {
    let imports = post(import).layer(DefaultBodyLimit::max(MOST_IMPORTED));
    Router::new().route("/v1/profiles/import", imports).route("/v1/profiles/clear", post(clear))
}

pub(crate) async fn list(
    State(desk): State<Arc<Desk>>,
    Json(order): Json<TargetsOrder>,
) -> Result<Response, DaemonError> {
    let view = Arc::clone(&desk.view);
    let told = blocking(move || Ok(view.told_profiles(&order.targets))).await?;
    Ok(answer("reading of the profiles", told))
}

async fn import(State(desk): State<Arc<Desk>>, Json(list): Json<ProfileList>) -> Response {
    answer("import", desk.view.import_profiles(&list.profiles).await)
}

async fn clear(State(desk): State<Arc<Desk>>, Json(order): Json<TargetsOrder>) -> Response {
    answer("clearing", desk.view.clear_profiles(&order.targets).await)
}
