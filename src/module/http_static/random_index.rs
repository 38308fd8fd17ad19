//! `random_index`: one of a directory's files answers for it.

use http::{Method, StatusCode};

use super::conf::Current;
use super::directory::{self, WantedFiles};
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};
use crate::http::routes::Location;

/// Redirects from a directory to one of its files.
pub struct RandomIndexCheck;

impl PhaseCheck for RandomIndexCheck {
    fn applies_to(&self, location: &Location) -> bool {
        location.get::<Current>().random_index
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        let is_document = matches!(*exchange.method(), Method::GET | Method::HEAD | Method::POST);
        if !is_document || !exchange.path.ends_with(b"/") || !exchange.location.get::<Current>().random_index
        {
            return Check::Now(Decision::Next);
        }
        Check::Later(Box::pin(choose(exchange)))
    }
}

async fn choose(exchange: &Exchange<'_>) -> Decision {
    let Some(path) = directory::path_of(exchange) else {
        return Decision::page(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut files = match directory::read(exchange, &path, WantedFiles::AllFiles).await {
        Ok(files) => files,
        Err(decision) => return decision,
    };
    files.retain(|file| file.is_file);
    let mut random = [0; 8];
    if getrandom::fill(&mut random).is_err() {
        return Decision::page(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let Some(chosen) = pick(u64::from_ne_bytes(random), files.len()) else { return Decision::Next };
    let path = [&exchange.path[..], &files[chosen].name].concat();
    Decision::Redirect { path: path.into(), query: exchange.args() }
}

/// A number below `count`, from a random one.
fn pick(random: u64, count: usize) -> Option<usize> {
    let chosen = (u128::from(random) * u128::try_from(count).ok()?) >> 64;
    usize::try_from(chosen).ok().filter(|chosen| *chosen < count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_the_same_chance() {
        assert_eq!(pick(0, 0), None);
        assert_eq!((pick(0, 3), pick(u64::MAX / 2, 3), pick(u64::MAX, 3)), (Some(0), Some(1), Some(2)));
    }
}
