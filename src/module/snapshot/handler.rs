//! `rtmp_snapshot`: `/LOCATION/APP/NAME.jpg` and `.webp`.

use std::sync::Arc;

use bstr::ByteSlice;
use http::StatusCode;

use super::conf::{Current, SnapshotPage};
use super::decoder::PictureFormat;
use super::log;
use super::pictures::{NoPicture, Picture, Pictures};
use crate::http::exchange::{Exchange, Handler, Methods, ResponseFuture};
use crate::http::response::Response;
use crate::http::routes::Location;
use crate::media::extension::StreamRule;

/// Handler of `rtmp_snapshot`.
pub struct SnapshotHandler {
    /// Pictures of all streams.
    pub pictures: Arc<Pictures>,
    /// What forbids some.
    pub rule: Arc<dyn StreamRule>,
}

impl Handler for SnapshotHandler {
    fn applies_to(&self, location: &Location) -> bool {
        location.handler == Some("rtmp_snapshot")
    }

    fn methods(&self) -> Methods {
        Methods::Document
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<ResponseFuture<'a>> {
        let conf = exchange.chosen_by::<Current>();
        let page = conf.snapshot.0.as_ref()?;
        Some(Box::pin(self.respond(exchange, page, &conf.ffmpeg.0)))
    }
}

impl SnapshotHandler {
    async fn respond(&self, exchange: &Exchange<'_>, page: &SnapshotPage, program: &[u8]) -> Response {
        let Some((app, name, format)) = requested(&exchange.path) else {
            return Response::page(StatusCode::NOT_FOUND);
        };
        let Some(stream) = self.pictures.find(page.serverid.as_ref().map(|id| &id[..]), app, name) else {
            return refused(&NoPicture::NoStream);
        };
        if self.rule.forbids(stream.key()) {
            log::forbidden(exchange, stream.key());
            return Response::page(StatusCode::FORBIDDEN);
        }
        match self.pictures.picture(&stream, format, program).await {
            Ok(Picture { number: (stream, frame), bytes }) => {
                let mut response = Response::ok(format.content_type(), bytes);
                response.headers.set("ETag", format!("\"{stream:x}-{frame:x}\""));
                response.headers.set("Cache-Control", "no-cache");
                response.headers.set("X-Content-Type-Options", "nosniff");
                response
            }
            Err(why) => refused(&why),
        }
    }
}

/// Application, stream and format of a path.
fn requested(path: &[u8]) -> Option<(&[u8], &[u8], PictureFormat)> {
    let mut parts = path.rsplit_str("/");
    let (file, app) = (parts.next()?, parts.next()?);
    let (name, format) = match file.rsplit_once_str(".")? {
        (name, b"jpg" | b"jpeg") => (name, PictureFormat::Jpeg),
        (name, b"webp") => (name, PictureFormat::Webp),
        _ => return None,
    };
    (!app.is_empty() && !name.is_empty()).then_some((app, name, format))
}

fn refused(why: &NoPicture) -> Response {
    let status = match why {
        NoPicture::NoStream => StatusCode::NOT_FOUND,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = Response::new(status, format!("{why}\n"));
    response.content_type = Some("text/plain".into());
    response.headers.set("Cache-Control", "no-store");
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_application_stream_and_format() {
        assert_eq!(requested(b"/s/live/a.b.jpg"), Some((&b"live"[..], &b"a.b"[..], PictureFormat::Jpeg)));
        assert_eq!(requested(b"/live/a.webp"), Some((&b"live"[..], &b"a"[..], PictureFormat::Webp)));
        for other in [&b"/live/a.png"[..], b"/a.jpg", b"/live/.jpg", b"/live/a", b"", b"a.jpg"] {
            assert_eq!(requested(other), None, "{}", other.escape_ascii());
        }
    }
}
