//! `auth_basic`: asks for a user and a password.

use std::io;
use std::path::Path;

use bstr::ByteSlice;
use http::StatusCode;

use super::conf::Current;
use super::{log, password, user_file};
use crate::http::credentials::Credentials;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};
use crate::http::response::Response;
use crate::http::routes::Location;
use crate::limits;
use crate::task::disk::{self, DiskWork};

/// Checks passwords.
pub struct AuthBasicCheck;

impl PhaseCheck for AuthBasicCheck {
    fn applies_to(&self, location: &Location) -> bool {
        let conf = location.get::<Current>();
        conf.user_file.is_some() && !conf.realm.is_off()
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        let conf = exchange.location.get::<Current>();
        let Some(file) = &conf.user_file else { return Check::Now(Decision::Next) };
        let realm = exchange.expand(&conf.realm.0);
        if realm == b"off" {
            return Check::Now(Decision::Next);
        }
        let Some(credentials) = Credentials::parse(exchange.header("authorization")) else {
            log::no_user(exchange);
            return Check::Now(asks(&realm));
        };
        let file = file.base.join(exchange.expand(&file.path).to_path_lossy());
        Check::Later(Box::pin(async move {
            let (path, tried) = (file.clone(), credentials.clone());
            match disk::spawn(DiskWork::Served, move || verify(&path, &tried)).await {
                Ok(Ok(PasswordCheck::Right)) => Decision::Allow,
                Ok(Ok(verdict)) => {
                    log::refused(exchange, &credentials.user, &file, verdict == PasswordCheck::WrongPassword);
                    asks(&realm)
                }
                Ok(Err(error)) => failed(exchange, &file, &error),
                Err(_) => Decision::page(StatusCode::INTERNAL_SERVER_ERROR),
            }
        }))
    }
}

/// Result of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PasswordCheck {
    Right,
    WrongPassword,
    UnknownUser,
}

/// Looks up the user, on a blocking thread.
fn verify(path: &Path, credentials: &Credentials) -> io::Result<PasswordCheck> {
    let file = disk::read(path)?;
    if file.len() > limits::HTTP_USER_FILE_BYTES {
        return Err(io::Error::other("the file is too large"));
    }
    let Some(stored) = user_file::find(&file, &credentials.user) else {
        return Ok(PasswordCheck::UnknownUser);
    };
    let is_right = password::verify(&credentials.password, stored);
    Ok(if is_right { PasswordCheck::Right } else { PasswordCheck::WrongPassword })
}

fn failed(exchange: &Exchange<'_>, path: &Path, error: &io::Error) -> Decision {
    log::open_failed(exchange, path, error);
    Decision::page(match error.kind() {
        io::ErrorKind::NotFound => StatusCode::FORBIDDEN,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    })
}

/// The page that asks for a password.
fn asks(realm: &[u8]) -> Decision {
    let mut page = Response::page(StatusCode::UNAUTHORIZED);
    page.headers.append("WWW-Authenticate", [&b"Basic realm=\""[..], realm, b"\""].concat());
    Decision::Done(Box::new(page))
}
