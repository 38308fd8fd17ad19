//! List of all modules, in the order of the manual.

use std::sync::LazyLock;

use crate::directive::Module;
use crate::directive::registry::Registry;

/// Modules whose directives may stand in a configuration.
pub static MODULES: &[&Module] = &[
    &crate::server::core::conf::MODULE,
    &crate::server::events::conf::MODULE,
    &crate::net::resolver::conf::MODULE,
    &crate::net::client::conf::MODULE,
    &crate::module::dynamic::conf::MODULE,
    &crate::module::multiport::conf::MODULE,
    &crate::media::server_conf::MODULE,
    &crate::server::reload_conf::MODULE,
    &crate::media::conf::MODULE,
    &crate::media::live::conf::MODULE,
    &crate::media::gop::conf::MODULE,
    &crate::media::delivery::conf::MODULE,
    &crate::media::delivery::main_conf::MODULE,
    &crate::media::codec::conf::MODULE,
    &crate::media::access::conf::MODULE,
    &crate::notify::main_conf::MODULE,
    &crate::notify::conf::MODULE,
    &crate::media::relay_conf::MODULE,
    &crate::module::relay::conf::MODULE,
    &crate::module::exec::conf::MODULE,
    &crate::module::record::conf::MODULE,
    &crate::module::live_record::conf::MODULE,
    &crate::module::hls::conf::MODULE,
    &crate::module::hls2::conf::MODULE,
    &crate::media::mpegts::conf::MODULE,
    &crate::module::earlier::conf::MODULE,
    &crate::module::dash::conf::MODULE,
    &crate::module::rtmp_log::conf::MODULE,
    &crate::module::monitor::conf::MODULE,
    &crate::http::server_conf::MODULE,
    &crate::http::conf::MODULE,
    &crate::http::core::conf::MODULE,
    &crate::module::flv::conf::MODULE,
    &crate::module::ts::conf::MODULE,
    &crate::module::stat::conf::MODULE,
    &crate::module::control::conf::MODULE,
    &crate::module::headers::conf::MODULE,
    &crate::module::rewrite::conf::MODULE,
    &crate::module::map::conf::MODULE,
    &crate::module::upstream::conf::MODULE,
    &crate::module::proxy::conf::MODULE,
    &crate::module::http_static::conf::MODULE,
    &crate::module::http_auth::conf::MODULE,
    &crate::module::http_log::conf::MODULE,
    &crate::module::gzip::conf::MODULE,
    &crate::net::ssl::conf::MODULE,
    &crate::module::limit::conf::MODULE,
    &crate::module::mirror::conf::MODULE,
    &crate::module::charset::conf::MODULE,
    &crate::module::referer::conf::MODULE,
    &crate::module::trace::conf::MODULE,
];

/// Their directives by name.
pub static REGISTRY: LazyLock<Registry> =
    LazyLock::new(|| Registry::new(MODULES, crate::module::elsewhere::NAMES));
