//! `try_files`: the first file of a list that exists, or a fallback.

use bstr::{BString, ByteSlice};
use http::StatusCode;

use super::conf::Current;
use super::log;
use crate::directive::number;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};
use crate::http::files::is_missing;
use crate::http::routes::Location;
use crate::http::variable::Template;
use crate::log::level::LogLevel;

/// Looks for the files of `try_files`.
pub struct TryFilesCheck;

impl PhaseCheck for TryFilesCheck {
    fn applies_to(&self, location: &Location) -> bool {
        location.get::<Current>().try_files.0.is_some()
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        Check::Later(Box::pin(look(exchange)))
    }
}

async fn look(exchange: &mut Exchange<'_>) -> Decision {
    let location = exchange.location.clone();
    let Some(templates) = &location.get::<Current>().try_files.0 else { return Decision::Next };
    let Some((fallback, candidates)) = templates.0.split_last() else { return Decision::Next };
    if exchange.is_alias_misplaced() {
        return exchange.no_file();
    }
    for template in candidates {
        let name = exchange.expand(template);
        // A slash at the end of the argument, but not of its value, asks for a directory.
        let wants_directory = template.ends_with(b'/');
        let name = if wants_directory { &name[..name.len() - 1] } else { &name[..] };
        let Some((file, path)) = exchange.tried_file(name) else { continue };
        let found = match exchange.test(&file).await {
            Ok(found) => found,
            Err(error) => {
                if !is_missing(&error) {
                    let call = exchange.call_for(&file, "stat");
                    log::call_failed(exchange, LogLevel::Crit, call, &file, &error);
                }
                continue;
            }
        };
        if found.is_dir == wants_directory {
            // As in nginx, a directory is the one of `alias` then, whatever was found.
            if exchange.has_alias_of_regex() {
                if wants_directory {
                    return Decision::Next;
                }
                exchange.alias_takes_path = true;
            }
            (exchange.path, exchange.is_path_replaced) = (path, true);
            return Decision::Next;
        }
    }
    fall_back(exchange, fallback)
}

fn fall_back(exchange: &Exchange<'_>, fallback: &Template) -> Decision {
    let name = exchange.expand(fallback);
    match &name[..] {
        // As in nginx, zero is no status, and this the name of a file.
        [b'=', status @ ..] if number::digits(status) != Some(0) => {
            let status = number::digits(status).and_then(|status| u16::try_from(status).ok());
            let status = status.and_then(|status| StatusCode::from_u16(status).ok());
            match status.map(|status| status.as_u16()) {
                Some(444) => Decision::Close(444),
                // As in nginx, such a status alone is no response.
                Some(100..=200 | 202 | 203 | 205..=299) => Decision::Close(0),
                Some(status) => Decision::page(StatusCode::from_u16(status).expect("it was one")),
                None => Decision::page(StatusCode::INTERNAL_SERVER_ERROR),
            }
        }
        [b'@', ..] => Decision::Named(name.into()),
        _ => match name.split_once_str("?") {
            Some((path, query)) => Decision::Redirect { path: path.into(), query: Some(query.into()) },
            // As in nginx, a fallback without a query string has an empty one.
            None => Decision::Redirect { path: name.into(), query: Some(BString::default()) },
        },
    }
}
