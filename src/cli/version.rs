//! The version, in the form that scripts and test suites made for nginx read.

use std::fmt::Write;

use crate::directive::ReloadClass;
use crate::directive::language::Language;

/// Modules that nginx builds in unless told not to, each by a directive that only it has.
const DEFAULT_MODULES: &[(&str, &str)] = &[
    ("charset", "charset"),
    ("gzip", "gzip"),
    ("ssi", "ssi"),
    ("userid", "userid"),
    ("access", "allow"),
    ("auth_basic", "auth_basic"),
    ("mirror", "mirror"),
    ("autoindex", "autoindex"),
    ("geo", "geo"),
    ("map", "map"),
    ("split_clients", "split_clients"),
    ("referer", "valid_referers"),
    ("rewrite", "rewrite"),
    ("proxy", "proxy_pass"),
    ("fastcgi", "fastcgi_pass"),
    ("uwsgi", "uwsgi_pass"),
    ("scgi", "scgi_pass"),
    ("grpc", "grpc_pass"),
    ("memcached", "memcached_pass"),
    ("limit_conn", "limit_conn"),
    ("limit_req", "limit_req"),
    ("empty_gif", "empty_gif"),
    ("browser", "ancient_browser"),
    ("upstream_hash", "hash"),
    ("upstream_ip_hash", "ip_hash"),
    ("upstream_least_conn", "least_conn"),
    ("upstream_least_time", "least_time"),
    ("upstream_random", "random"),
    ("upstream_keepalive", "keepalive"),
    ("upstream_zone", "zone"),
    ("upstream_sticky", "sticky"),
    ("tunnel", "tunnel_pass"),
];

/// Modules that nginx builds in when told to.
const OPTIONAL_MODULES: &[(&str, &str)] = &[
    ("ssl", "ssl_certificate"),
    ("v2", "http2"),
    ("realip", "real_ip_header"),
    ("addition", "add_after_body"),
    ("sub", "sub_filter"),
    ("dav", "dav_methods"),
    ("flv", "flv"),
    ("mp4", "mp4"),
    ("gunzip", "gunzip"),
    ("gzip_static", "gzip_static"),
    ("auth_request", "auth_request"),
    ("random_index", "random_index"),
    ("secure_link", "secure_link"),
    ("slice", "slice"),
    ("stub_status", "stub_status"),
];

/// Commit of the source, which `packaging/release` gives to the compiler.
const COMMIT: Option<&str> = option_env!("PINGOSD_COMMIT");

/// The line of `-v`.
pub fn line() -> String {
    format!("nginx version: nginx/{} ({})\n", crate::NGINX_VERSION, crate::VERSION)
}

/// The lines of `-V`: as a build of nginx that has the modules whose directives work here.
pub fn details(language: &Language, prefix: &str) -> String {
    let works = |directive: &str| {
        let mut entries = language.registry().find(directive.as_bytes()).iter();
        entries.any(|entry| entry.row.class != ReloadClass::Later)
    };
    let mut text = line();
    if let Some(commit) = COMMIT {
        let _ = writeln!(text, "built from commit {commit}");
    }
    let _ = write!(text, "TLS SNI support enabled\nconfigure arguments: --prefix={prefix}");
    for (module, _) in OPTIONAL_MODULES.iter().filter(|(_, directive)| works(directive)) {
        let _ = write!(text, " --with-http_{module}_module");
    }
    for (module, _) in DEFAULT_MODULES.iter().filter(|(_, directive)| !works(directive)) {
        let _ = write!(text, " --without-http_{module}_module");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::LANGUAGE;

    #[test]
    fn modules_are_told_as_nginx_tells_them() {
        let text = details(&LANGUAGE, "/x/");
        assert!(text.starts_with(&format!("nginx version: nginx/{} (", crate::NGINX_VERSION)));
        for option in [
            "--prefix=/x/",
            "--with-http_sub_module",
            "--without-http_fastcgi_module",
            "--without-http_tunnel_module",
        ] {
            assert!(text.contains(option), "{text}");
        }
        for option in ["proxy_module", "--with-http_dav_module", "upstream"] {
            assert!(!text.contains(option), "{text}");
        }
    }
}
