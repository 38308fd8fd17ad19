//! `rtmp_console`: the page, its files, its events, and what it asks the server to do.

use std::sync::Arc;

use bstr::ByteSlice;
use http::header::ACCEPT_ENCODING;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::action::{ActionResult, ConsoleAction, ConsoleActions};
use super::asset::{self, Asset, PAGE};
use super::audience::{Audience, is_same_origin};
use super::conf::{ConsolePage, Current};
use super::events::EventStreams;
use super::log;
use crate::http::accept_encoding;
use crate::http::exchange::{Exchange, Handler, Methods, ResponseFuture};
use crate::http::response::{Body, Response};
use crate::http::routes::Location;
use crate::limits;

/// Only files of this server, no inline script or style; the player plays from memory.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
     media-src 'self' blob:; connect-src 'self'; worker-src 'none'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// Handler of `rtmp_console`.
pub struct ConsoleHandler {
    /// Event streams.
    pub events: Arc<EventStreams>,
    /// Carries out requests.
    pub actions: Arc<dyn ConsoleActions>,
}

/// What a request is for.
enum Target<'a> {
    Asset(&'static Asset),
    Settings,
    Events,
    Conf,
    Plan,
    Action(ConsoleAction<'a>),
}

impl Handler for ConsoleHandler {
    fn applies_to(&self, location: &Location) -> bool {
        location.handler == Some("rtmp_console")
    }

    fn methods(&self) -> Methods {
        Methods::Any
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<ResponseFuture<'a>> {
        let page = exchange.chosen_by::<Current>().console.0.as_ref()?;
        Some(Box::pin(self.respond(exchange, page)))
    }
}

impl ConsoleHandler {
    async fn respond(&self, exchange: &Exchange<'_>, page: &ConsolePage) -> Response {
        let mut response = self.content(exchange, page).await;
        let headers = &mut response.headers;
        headers.set("Content-Security-Policy", POLICY);
        headers.set("X-Content-Type-Options", "nosniff");
        headers.set("Referrer-Policy", "no-referrer");
        headers.set("Cross-Origin-Resource-Policy", "same-origin");
        headers.set("Cross-Origin-Opener-Policy", "same-origin");
        if headers.get(b"Cache-Control").is_none() {
            headers.set("Cache-Control", "no-store");
        }
        response
    }

    async fn content(&self, exchange: &Exchange<'_>, page: &ConsolePage) -> Response {
        let path: &[u8] = &exchange.path;
        let name = exchange.location.name.prefix().filter(|name| !name.ends_with(b"/"));
        if name.is_some_and(|name| name[..] == path[..]) {
            // The page names its files relative to its own path.
            return Response::redirect(StatusCode::MOVED_PERMANENTLY, [path, b"/"].concat());
        }
        if !asset::are_ready() {
            // Where it fails, the runtime ends.
            let _ = tokio::task::spawn_blocking(asset::make_ready).await;
        }
        let addr = &exchange.peer().addr;
        let Some(target) = Target::of(path, exchange.query(), addr) else {
            return Response::page(StatusCode::NOT_FOUND);
        };
        let is_action = matches!(target, Target::Action(_));
        let is_allowed = match *exchange.method() {
            Method::POST => is_action,
            Method::GET | Method::HEAD => !is_action,
            _ => false,
        };
        if !is_allowed {
            return Response::page(StatusCode::METHOD_NOT_ALLOWED);
        }
        let audience = Audience::of(page, exchange);
        match target {
            Target::Asset(asset) => file(asset, exchange),
            Target::Settings => document(&settings(page, audience)),
            Target::Events if audience.sees_everything() => self.open_events(exchange),
            Target::Conf if audience.controls() => document(&self.conf()),
            Target::Plan if audience.controls() => answer(&self.actions.carry_out(ConsoleAction::Plan).await),
            Target::Action(action) if audience.controls() && is_same_origin(exchange) => {
                let result = self.actions.carry_out(action).await;
                log::asked(action, &result, addr);
                answer(&result)
            }
            Target::Events | Target::Conf | Target::Plan | Target::Action(_) => {
                Response::page(StatusCode::FORBIDDEN)
            }
        }
    }

    fn open_events(&self, exchange: &Exchange<'_>) -> Response {
        if exchange.is_head() {
            return Response::ok("text/event-stream", Body::default());
        }
        match self.events.open() {
            Some(body) => {
                let mut response = Response::ok("text/event-stream", Body::Source(Box::new(body)));
                response.ignores_preconditions = true;
                response
            }
            None => {
                let mut response = Response::page(StatusCode::SERVICE_UNAVAILABLE);
                response.headers.set("Retry-After", "5");
                response
            }
        }
    }

    /// The texts of the configuration in force, and the generations kept for a rollback.
    fn conf(&self) -> Value {
        let history = self.events.source().history.lock();
        let mut room = limits::CONSOLE_CONF;
        let current = history.current();
        let sources = current.map(|current| current.sources.files()).unwrap_or_default();
        let files: Vec<Value> = sources
            .iter()
            .map(|file| {
                let name = file.name.to_string_lossy();
                match room.checked_sub(file.bytes.len()) {
                    Some(left) => {
                        room = left;
                        json!({ "name": name, "text": file.bytes.to_str_lossy() })
                    }
                    None => json!({ "name": name, "text": null }),
                }
            })
            .collect();
        let kept = history.kept().map(|one| json!({ "number": one.number, "since": one.since.to_string() }));
        json!({
            "generation": current.map(|current| current.number),
            "since": current.map(|current| current.since.to_string()),
            "files": files,
            "kept": kept.collect::<Vec<_>>(),
        })
    }
}

impl<'a> Target<'a> {
    /// The target of a path, by its last parts: the location may have any name.
    fn of(path: &[u8], query: &'a [u8], addr: &'a str) -> Option<Target<'a>> {
        let mut parts = path.rsplit_str("/");
        let (last, directory) = (parts.next()?, parts.next()?);
        Some(match (directory, last) {
            (_, b"") => Target::Asset(Asset::find(PAGE.as_bytes())?),
            (b"assets", name) => Target::Asset(Asset::find(name)?),
            (b"control", b"reload") => Target::Action(ConsoleAction::Reload),
            (b"control", b"rollback") => Target::Action(ConsoleAction::RollBack),
            (b"control", b"drop") => Target::Action(ConsoleAction::Drop { query, addr }),
            (_, b"settings.json") => Target::Settings,
            (_, b"events") => Target::Events,
            (_, b"conf.json") => Target::Conf,
            (_, b"plan.json") => Target::Plan,
            _ => return None,
        })
    }
}

fn file(asset: &Asset, exchange: &Exchange<'_>) -> Response {
    let is_compressed = accept_encoding::names_gzip(exchange.header(ACCEPT_ENCODING));
    let body = if is_compressed { &asset.compressed } else { &asset.bytes };
    let mut response = Response::ok(asset.kind, body.clone());
    let suffix = if is_compressed { "-gzip" } else { "" };
    response.headers.set("ETag", format!("\"{}{suffix}\"", asset.hash));
    response.headers.set("Cache-Control", "no-cache");
    response.varies = true;
    if is_compressed {
        response.encoding = Some("gzip".into());
        response.headers.set("Content-Encoding", "gzip");
    }
    response
}

fn settings(page: &ConsolePage, audience: Audience) -> Value {
    let path = |path: &Option<bstr::BString>| path.as_ref().map(|path| path.to_str_lossy().into_owned());
    json!({
        "everything": audience.sees_everything(),
        "control": audience.controls(),
        "flv": path(&page.flv),
        "hls": path(&page.hls),
        "snapshot": path(&page.snapshot),
        "version": env!("CARGO_PKG_VERSION"),
    })
}

fn document(value: &Value) -> Response {
    Response::ok("application/json", value.to_string())
}

fn answer(result: &ActionResult) -> Response {
    let text = result.as_ref().map_or_else(ToString::to_string, Clone::clone);
    document(&json!({ "ok": result.is_ok(), "text": text.trim_end() }))
}
