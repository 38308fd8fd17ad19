//! Every module, in the order of the manual.

use std::sync::LazyLock;

use crate::conf::Module;
use crate::conf::registry::Registry;
use crate::module;

/// The modules whose directives stand in a configuration.
pub static MODULES: &[&Module] = &[
    &module::core::conf::MODULE,
    &module::events::conf::MODULE,
    &module::rtmp::server_conf::MODULE,
    &module::rtmp::conf::MODULE,
    &module::live::conf::MODULE,
    &module::gop::conf::MODULE,
    &module::codec::conf::MODULE,
    &module::access::conf::MODULE,
    &module::notify::main_conf::MODULE,
    &module::notify::conf::MODULE,
    &module::hls2::conf::MODULE,
    &module::http::server_conf::MODULE,
    &module::http::conf::MODULE,
    &module::flv::conf::MODULE,
    &module::ts::conf::MODULE,
    &module::stat::conf::MODULE,
    &module::control::conf::MODULE,
];

/// Their directives by name.
pub static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::new(MODULES, module::NAMES_ELSEWHERE));
