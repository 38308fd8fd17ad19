//! Every module, in the order of the manual.

use std::sync::LazyLock;

use crate::conf::Module;
use crate::conf::registry::Registry;
use crate::module;

/// The modules whose directives stand in a configuration.
pub static MODULES: &[&Module] = &[
    &module::core::conf::MODULE,
    &module::events::conf::MODULE,
    &module::resolver::conf::MODULE,
    &module::client::conf::MODULE,
    &module::dynamic::conf::MODULE,
    &module::multiport::conf::MODULE,
    &module::rtmp::server_conf::MODULE,
    &module::rtmp::reload_conf::MODULE,
    &module::rtmp::conf::MODULE,
    &module::live::conf::MODULE,
    &module::gop::conf::MODULE,
    &module::delivery::conf::MODULE,
    &module::delivery::main_conf::MODULE,
    &module::codec::conf::MODULE,
    &module::access::conf::MODULE,
    &module::notify::main_conf::MODULE,
    &module::notify::conf::MODULE,
    &module::relay::main_conf::MODULE,
    &module::relay::conf::MODULE,
    &module::exec::conf::MODULE,
    &module::record::conf::MODULE,
    &module::live_record::conf::MODULE,
    &module::hls::conf::MODULE,
    &module::hls2::conf::MODULE,
    &module::mpegts::conf::MODULE,
    &module::earlier::conf::MODULE,
    &module::dash::conf::MODULE,
    &module::rtmp_log::conf::MODULE,
    &module::monitor::conf::MODULE,
    &module::http::server_conf::MODULE,
    &module::http::conf::MODULE,
    &module::http_core::conf::MODULE,
    &module::flv::conf::MODULE,
    &module::ts::conf::MODULE,
    &module::stat::conf::MODULE,
    &module::control::conf::MODULE,
    &module::headers::conf::MODULE,
    &module::rewrite::conf::MODULE,
    &module::map::conf::MODULE,
    &module::upstream::conf::MODULE,
    &module::proxy::conf::MODULE,
    &module::http_static::conf::MODULE,
    &module::http_auth::conf::MODULE,
    &module::http_log::conf::MODULE,
    &module::gzip::conf::MODULE,
    &module::ssl::conf::MODULE,
    &module::limit::conf::MODULE,
    &module::mirror::conf::MODULE,
    &module::charset::conf::MODULE,
    &module::referer::conf::MODULE,
    &module::trace::conf::MODULE,
];

/// Their directives by name.
pub static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::new(MODULES, module::elsewhere::NAMES));
