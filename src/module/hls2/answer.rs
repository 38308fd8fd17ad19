//! Answers to known viewers, in this process or in the other one of an upgrade: a viewer's requests may reach either.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bstr::ByteSlice;
use bytes::Bytes;
use http::StatusCode;

use super::{
    Fragment, FragmentPiece, LookedUp, PlaylistReload, SessionId, ViewerRefusal, ViewerRequest, Viewers,
};
use crate::hub::stream_key::StreamKey;

/// A request of a viewer.
pub struct ViewerQuestion<'a> {
    /// Its stream.
    pub stream: &'a StreamKey,
    /// Its session.
    pub session: &'a SessionId,
    /// Its address.
    pub addr: Option<IpAddr>,
    /// Query of the request.
    pub query: &'a [u8],
    /// The fragment that it wants, and what of it; `None` for a playlist.
    pub fragment: Option<(u64, FragmentPiece)>,
}

/// Answer to a viewer.
pub enum ViewerAnswer {
    /// A playlist.
    Playlist(Bytes),
    /// A fragment; the request keeps the viewer while it is sent.
    Fragment(Arc<Fragment>, ViewerRequest),
    /// A part or an initialisation segment.
    Piece(Bytes),
    /// An answer without content.
    Refused(StatusCode),
}

impl Viewers {
    /// The answer, if this process knows the viewer.
    pub async fn answer_known(&self, question: &ViewerQuestion<'_>) -> Option<ViewerAnswer> {
        let visit = self.visit(question.stream, question.session, question.addr)?;
        Some(ViewerAnswer::to(visit, question).await)
    }
}

impl ViewerAnswer {
    /// The answer to a request that has begun.
    pub async fn to(visit: ViewerRequest, question: &ViewerQuestion<'_>) -> ViewerAnswer {
        match question.fragment {
            Some((id, piece @ (FragmentPiece::Part(_) | FragmentPiece::Init))) => {
                match visit.piece(id, piece).await {
                    Ok(LookedUp::Found(bytes)) => {
                        visit.sent(bytes.len());
                        ViewerAnswer::Piece(bytes)
                    }
                    Ok(_) => ViewerAnswer::Refused(StatusCode::NOT_FOUND),
                    Err(refusal) => ViewerAnswer::Refused(status(refusal)),
                }
            }
            Some((id, piece)) => match visit.admitted().await {
                Ok(fragments) => match fragments.fragment(id) {
                    Some(fragment) if fragment.map_id.is_some() == (piece == FragmentPiece::Mp4) => {
                        ViewerAnswer::Fragment(fragment, visit)
                    }
                    _ => ViewerAnswer::Refused(StatusCode::NOT_FOUND),
                },
                Err(refusal) => ViewerAnswer::Refused(status(refusal)),
            },
            None if !visit.allows(question.query) => ViewerAnswer::Refused(StatusCode::FORBIDDEN),
            None => {
                let conf = visit.conf().clone();
                let base_url = conf.base_url.0.to_str_lossy();
                // Without low latency a playlist promises nothing about delivery directives, and they are ignored.
                let reload = if conf.low_latency {
                    PlaylistReload::parse(question.query)
                } else {
                    Some(PlaylistReload::default())
                };
                let Some(reload) = reload else { return ViewerAnswer::Refused(StatusCode::BAD_REQUEST) };
                let made = visit.playlist(&question.stream.name, &base_url, &reload);
                // A request for a stream that does not appear is not kept forever; PingOS never answers it.
                match tokio::time::timeout(Duration::from_millis(conf.timeout_ms()), made).await {
                    Ok(Ok(text)) => {
                        visit.sent(text.len());
                        ViewerAnswer::Playlist(text.into())
                    }
                    Ok(Err(refusal)) => ViewerAnswer::Refused(status(refusal)),
                    Err(_) => ViewerAnswer::Refused(StatusCode::NOT_FOUND),
                }
            }
        }
    }

    /// Length of its content in bytes.
    pub fn length(&self) -> usize {
        match self {
            ViewerAnswer::Playlist(text) => text.len(),
            ViewerAnswer::Fragment(fragment, _) => fragment.len,
            ViewerAnswer::Piece(bytes) => bytes.len(),
            ViewerAnswer::Refused(_) => 0,
        }
    }

    /// Status of the response.
    pub fn status(&self) -> StatusCode {
        match self {
            ViewerAnswer::Playlist(_) | ViewerAnswer::Fragment(..) | ViewerAnswer::Piece(_) => StatusCode::OK,
            ViewerAnswer::Refused(status) => *status,
        }
    }
}

/// Status of a refusal.
pub(super) fn status(refusal: ViewerRefusal) -> StatusCode {
    match refusal {
        ViewerRefusal::Forbidden => StatusCode::FORBIDDEN,
        ViewerRefusal::NoStream => StatusCode::NOT_FOUND,
        ViewerRefusal::Over => StatusCode::GONE,
        ViewerRefusal::BadRequest => StatusCode::BAD_REQUEST,
        ViewerRefusal::Crowded | ViewerRefusal::Late => StatusCode::SERVICE_UNAVAILABLE,
    }
}
