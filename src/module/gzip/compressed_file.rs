//! `gzip_static`: files that were compressed before.

use http::{Method, StatusCode};

use super::accepts::accepts;
use super::conf::{Current, GzipStatic};
use super::filter::Varies;
use super::log;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};
use crate::http::files::is_missing;
use crate::http::log::SENDING;
use crate::http::routes::Location;

/// Answers with the file `NAME.gz` instead of `NAME`.
pub struct GzipStaticCheck;

impl PhaseCheck for GzipStaticCheck {
    fn applies_to(&self, location: &Location) -> bool {
        location.get::<Current>().static_files != GzipStatic::Off
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        let conf = exchange.location.get::<Current>();
        let (how, varies) = (conf.static_files, conf.vary);
        let is_document = matches!(*exchange.method(), Method::GET | Method::HEAD);
        if !is_document || exchange.path.ends_with(b"/") {
            return Check::Now(Decision::Next);
        }
        let is_wanted = how == GzipStatic::Always || accepts(exchange);
        if !is_wanted && !varies {
            return Check::Now(Decision::Next);
        }
        Check::Later(Box::pin(find(exchange, how, is_wanted)))
    }
}

async fn find(exchange: &mut Exchange<'_>, how: GzipStatic, is_wanted: bool) -> Decision {
    let Some(path) = exchange.file_of(&exchange.path) else { return Decision::Next };
    let mut name = path.into_os_string();
    name.push(".gz");
    let path = std::path::PathBuf::from(name);
    let file = match exchange.open(&path).await {
        Ok(file) => file,
        Err(error) => {
            if !is_missing(&error) {
                exchange.open_failed(&path, &error);
            }
            return Decision::Next;
        }
    };
    if how == GzipStatic::On {
        exchange.kept.insert(Varies);
    }
    if !is_wanted || file.is_dir {
        return Decision::Next;
    }
    if !file.is_file {
        log::not_a_file(exchange, &path);
        return Decision::page(StatusCode::NOT_FOUND);
    }
    exchange.doing = Some(SENDING);
    let mut response = exchange.file_response(&file);
    response.has_ranges = false;
    response.headers.append("Content-Encoding", "gzip");
    Decision::Done(Box::new(response))
}
