//! Directives of the file of `dynamic_conf`.
//!
//! The file has its own language: the same syntax, but few directives, and no include.

use std::path::Path;
use std::sync::LazyLock;

use bytes::Bytes;

use crate::directive::context::{APPLICATION, HTTP, HTTP_SERVER, LOCATION, MAIN, RTMP, RTMP_SERVER};
use crate::directive::evaluate::{Evaluated, evaluate};
use crate::directive::registry::Registry;
use crate::directive::table::directives;
use crate::directive::{
    Args, Arity, BaseDirectories, Evaluation, Module, Num, Present, ServerNames, Text, Value,
};
use crate::http::location::LocationName;
use crate::media::static_pull::StaticPull;
use crate::syntax::parser::Parser;
use crate::syntax::render::headline;
use crate::syntax::texts::{TextError, read_file};
use crate::syntax::{Problem, Severity};

directives! {
    /// The file of `dynamic_conf`. Only `static_pull` and `serverid` have an effect, as in PingOS.
    module "dynamic file";
    blocks {
        /// RTMP settings.
        "rtmp" => Present, opens RTMP, in MAIN;
        /// Settings of one virtual server; those of the first one apply to all other servers.
        "server" => Present, opens RTMP_SERVER, in RTMP;
        /// Settings of one application.
        "application" => ApplicationWords, opens APPLICATION, in RTMP_SERVER;
        /// HTTP settings.
        "http" => Present, opens HTTP, in MAIN;
        /// Settings of one virtual server.
        "server" => Present, opens HTTP_SERVER, in HTTP;
        /// Settings of one location.
        "location" => LocationName, opens LOCATION, in HTTP_SERVER;
    }
    live as Current {
        /// Pulls a stream permanently, with or without players. `app` and `name` are its names on this server; parts
        /// that the address omits are the same on the other server.
        "static_pull" => static_pull: Vec<StaticPull>, in RTMP;
        /// Replaced identity of the virtual server.
        "serverid" => serverid: Option<Text>, in RTMP_SERVER;
        /// Host names of the server to which the settings apply.
        "server_name" => server_name: Vec<ServerNames>, in RTMP_SERVER | HTTP_SERVER;
    }
    needless {
        /// Size of a hash table; here tables grow automatically.
        "server_names_hash_max_size" => Num = "512", in RTMP | HTTP;
        /// Bucket size of a hash table.
        "server_names_hash_bucket_size" => Num = "64", in RTMP | HTTP;
    }
}

/// An application's name, and an ignored argument.
pub struct ApplicationWords;

impl Value for ApplicationWords {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "name".into()
    }

    fn parse(_: &Args<'_>, _: &mut Evaluation<'_>) -> Result<ApplicationWords, Problem> {
        Ok(ApplicationWords)
    }
}

/// The modules of the dynamic file.
pub static MODULES: &[&Module] = &[&MODULE];

/// Their directives by name.
pub static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::new(MODULES, &[]));

/// Parses and evaluates the file. Includes are not followed.
pub fn read(path: &Path, bytes: Bytes) -> Evaluated {
    let bases = BaseDirectories::default();
    let mut parser = Parser::new(bases.conf.clone(), &*REGISTRY).apart();
    parser.given(path, bytes);
    evaluate(parser.finish(), &REGISTRY, &bases)
}

/// Errors of the file, one line each.
pub fn errors(evaluated: Evaluated) -> Vec<String> {
    let errors = evaluated.reports.into_sorted().into_iter().filter(|d| d.level == Severity::Emerg);
    let line = |d| String::from_utf8_lossy(&headline(&d, &evaluated.sources)).into_owned();
    errors.map(line).map(|line| line.trim_start_matches("nginx: [emerg] ").trim_end().to_owned()).collect()
}

/// Reads a file and returns its errors, one line each.
///
/// # Errors
///
/// The file cannot be read.
pub fn check(path: &Path) -> Result<Vec<String>, TextError> {
    Ok(errors(read(path, read_file(path)?)))
}
