//! List of all modules, in the order of the manual.

use std::sync::LazyLock;

use crate::directive::Module;
use crate::directive::language::Language;
use crate::directive::registry::Registry;
use crate::media::control::ControlVerb;

/// Modules whose directives may stand in a configuration.
pub static MODULES: &[&Module] = &[
    &crate::server::core::conf::MODULE,
    &crate::server::events::conf::MODULE,
    &crate::net::resolver::conf::MODULE,
    &crate::net::client::conf::MODULE,
    &crate::module::dynamic::conf::MODULE,
    &crate::module::multiport::conf::MODULE,
    &crate::module::multiport::listen::MODULE,
    &crate::media::server_conf::MODULE,
    &crate::server::reload_conf::MODULE,
    &crate::media::conf::MODULE,
    &crate::media::live::conf::MODULE,
    &crate::media::gop::conf::MODULE,
    &crate::media::delivery::conf::MODULE,
    &crate::media::delivery::main_conf::MODULE,
    &crate::media::codec::conf::MODULE,
    &crate::media::access::conf::MODULE,
    &crate::module::session_limit::conf::MODULE,
    &crate::notify::main_conf::MODULE,
    &crate::notify::conf::MODULE,
    &crate::media::relay_conf::MODULE,
    &crate::module::relay::conf::MODULE,
    &crate::module::cluster::conf::MODULE,
    &crate::module::cluster::app_conf::MODULE,
    &crate::module::cluster::shared_conf::conf::MODULE,
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
    &crate::http::routes::MODULE,
    &crate::http::core::conf::MODULE,
    &crate::http::http2::conf::MODULE,
    &crate::module::flv::conf::MODULE,
    &crate::module::ts::conf::MODULE,
    &crate::module::live_record::playback::conf::MODULE,
    &crate::module::stat::conf::MODULE,
    &crate::module::metrics::conf::MODULE,
    &crate::module::control::conf::MODULE,
    &crate::module::console::conf::MODULE,
    &crate::module::snapshot::conf::MODULE,
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
    &crate::module::acme::conf::MODULE,
    &crate::module::acme::server_conf::MODULE,
    &crate::module::limit::conf::MODULE,
    &crate::module::mirror::conf::MODULE,
    &crate::module::auth_request::conf::MODULE,
    &crate::module::addition::conf::MODULE,
    &crate::module::stub_status::conf::MODULE,
    &crate::module::realip::conf::MODULE,
    &crate::module::secure_link::conf::MODULE,
    &crate::module::slice::conf::MODULE,
    &crate::module::sub::conf::MODULE,
    &crate::module::charset::conf::MODULE,
    &crate::module::referer::conf::MODULE,
    &crate::module::mp4::conf::MODULE,
    &crate::module::flv_file::conf::MODULE,
    &crate::module::userid::conf::MODULE,
    &crate::module::browser::conf::MODULE,
    &crate::module::trace::conf::MODULE,
];

/// Their directives by name.
pub static REGISTRY: LazyLock<Registry> =
    LazyLock::new(|| Registry::new(MODULES, crate::module::elsewhere::NAMES));

/// The language of configurations.
pub static LANGUAGE: Language = Language::new(&REGISTRY, crate::module::lint::lint);

/// Verbs of `pingosd ctl`, each served by a section of the running server.
pub static CONTROL_VERBS: &[&ControlVerb] = &[
    &crate::module::ban::BAN,
    &crate::module::ban::BANS,
    &crate::module::cluster::CLUSTER,
    &crate::module::control::DROP,
    &crate::module::control::PAUSE,
    &crate::module::record::RECORD,
    &crate::module::control::REDIRECT,
    &crate::module::control::RESUME,
    &crate::module::ban::UNBAN,
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// The sources of the library, as their paths below `src` and their texts.
    fn sources(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for entry in fs::read_dir(root.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            let below = path.strip_prefix(&root).unwrap().to_owned();
            if path.is_dir() {
                sources(&below, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((below, fs::read_to_string(path).unwrap()));
            }
        }
    }

    #[test]
    fn every_table_and_every_type_with_slots_is_reached() {
        let mut found = Vec::new();
        sources(Path::new(""), &mut found);
        let listed = include_str!("modules.rs");
        let mut tables = 0;
        for (path, _) in found.iter().filter(|(_, text)| text.contains("\ndirectives! {")) {
            let names: Vec<_> =
                path.iter().map(|name| name.to_str().unwrap().trim_end_matches(".rs")).collect();
            let table = format!("&crate::{}::MODULE", names.join("::"));
            assert!(listed.contains(&table) || path.ends_with("dynamic/table.rs"), "{table} is not listed");
            tables += 1;
        }
        assert!(tables > 40, "only {tables} tables found");
        for (path, text) in &found {
            let types =
                text.lines().filter_map(|line| line.strip_prefix("impl Slot for ")?.split(' ').next());
            for name in types {
                let beside = found.iter().filter(|(other, _)| other.parent() == path.parent());
                let mut made = beside.filter_map(|(_, text)| text.split_once("\n    made {"));
                let made = made.find_map(|(_, made)| {
                    made.split('}').next()?.split(';').find(|made| made.trim() == name)
                });
                assert!(made.is_some(), "no table makes {name}");
            }
        }
    }
}
