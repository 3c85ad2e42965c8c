//! Reads a request's body, within limits.

use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a body may take to arrive.
const WITHIN: Duration = Duration::from_secs(10);
/// Up to this size every connection may have a body in memory.
const SMALL_BYTES: usize = 32 * 1024;
/// How many larger ones may be in memory at once: anybody could send them.
pub(super) const BIG_BODIES_MAX: usize = 8;

/// Why there is no whole body.
pub(super) enum BodyError {
    TooLarge,
    /// Too many large bodies at once.
    NoRoom,
    TooSlow,
    Broken(hyper::Error),
}

/// The whole body, and the permit of a large one.
pub(super) async fn read(
    big_bodies: &Arc<Semaphore>,
    bytes_max: usize,
    body: Incoming,
) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), BodyError> {
    timeout(WITHIN, read_slowly(big_bodies, bytes_max, body)).await.unwrap_or(Err(BodyError::TooSlow))
}

async fn read_slowly(
    big_bodies: &Arc<Semaphore>,
    bytes_max: usize,
    mut body: Incoming,
) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), BodyError> {
    // By the announced length: nothing is read of a body that is too long.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > bytes_max {
        return Err(BodyError::TooLarge);
    }
    let (mut bytes, mut permit) = (Vec::with_capacity(announced.min(SMALL_BYTES)), None);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else {
            continue;
        };
        let length = bytes.len() + data.len();
        if length > bytes_max {
            return Err(BodyError::TooLarge);
        }
        if length > SMALL_BYTES && permit.is_none() {
            permit = Some(Arc::clone(big_bodies).try_acquire_owned().map_err(|_| BodyError::NoRoom)?);
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes, permit))
}
