//! Directives of the file that `dynamic_conf` names.
//!
//! It has a language of its own: the same words and blocks, but few directives, and no include.

use std::path::Path;
use std::sync::LazyLock;

use bytes::Bytes;

use crate::directive::context::{APPLICATION, HTTP, HTTP_SERVER, LOCATION, MAIN, RTMP, RTMP_SERVER};
use crate::directive::evaluate::{Evaluated, evaluate};
use crate::directive::registry::Registry;
use crate::directive::table::directives;
use crate::directive::{Args, Arity, Bases, Module, Num, Present, Scene, ServerNames, Text, Value};
use crate::http::location::LocationName;
use crate::module::relay::static_pull::StaticPull;
use crate::syntax::include::read_file;
use crate::syntax::parser::Parser;
use crate::syntax::render::headline;
use crate::syntax::{Level, Problem};

directives! {
    /// The file of `dynamic_conf`. Only `static_pull` and `serverid` mean anything, as in the original.
    module "dynamic file";
    blocks {
        /// RTMP settings.
        "rtmp" => Present, opens RTMP, in MAIN;
        /// Settings of one virtual server; the first is that of all others.
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
        /// Pulls a stream all the time, whether or not somebody plays it. `app` and `name` are its names here; what the
        /// address leaves out is the same there.
        "static_pull" => static_pull: Vec<StaticPull>, in RTMP;
        /// Identity of the virtual server, while the file says so.
        "serverid" => serverid: Option<Text>, in RTMP_SERVER;
        /// Host names of the server that the settings are for.
        "server_name" => server_name: Vec<ServerNames>, in RTMP_SERVER | HTTP_SERVER;
    }
    needless {
        /// Size of a table of names; tables grow by themselves here.
        "server_names_hash_max_size" => Num = "512", in RTMP | HTTP;
        /// Size of a table's entry.
        "server_names_hash_bucket_size" => Num = "64", in RTMP | HTTP;
    }
}

/// An application's name, and a word that is ignored.
pub struct ApplicationWords;

impl Value for ApplicationWords {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "name".into()
    }

    fn parse(_: &Args<'_>, _: &mut Scene<'_>) -> Result<ApplicationWords, Problem> {
        Ok(ApplicationWords)
    }
}

/// The modules of the dynamic file.
pub static MODULES: &[&Module] = &[&MODULE];

/// Their directives by name.
pub static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::new(MODULES, &[]));

/// Reads the text of such a file. Includes are not followed.
pub fn read(path: &Path, bytes: Bytes) -> Evaluated {
    let bases = Bases::default();
    let mut parser = Parser::new(bases.conf.clone(), &*REGISTRY).apart();
    parser.given(path, bytes);
    evaluate(parser.finish(), &REGISTRY, &bases)
}

/// What is wrong with it, a line each.
pub fn errors(evaluated: Evaluated) -> Vec<String> {
    let errors = evaluated.reports.into_sorted().into_iter().filter(|d| d.level == Level::Emerg);
    let line = |d| String::from_utf8_lossy(&headline(&d, &evaluated.sources)).into_owned();
    errors.map(line).map(|line| line.trim_start_matches("nginx: [emerg] ").trim_end().to_owned()).collect()
}

/// What is wrong with a file, a line each.
///
/// # Errors
///
/// nginx's sentence, when the file cannot be read.
pub fn check(path: &Path) -> Result<Vec<String>, bstr::BString> {
    Ok(errors(read(path, read_file(path)?)))
}
