//! Directives of other servers, and common misspellings.

use crate::directive::registry::NameSuggestion;

/// Names that are not directives here, with the name to suggest.
pub static NAMES: &[NameSuggestion] = &[
    ("dash_clock_compensation", "it belongs to another DASH module"),
    ("dash_clock_helper_uri", "it belongs to another DASH module"),
    ("dash_repetition", "it belongs to another DASH module"),
    ("dav_methods", "the nginx module that has it is not part of PingOS"),
    ("fase_reload", "it is a misspelling of `fast_reload`"),
    ("forward_proxy", "the nginx module that has it is not part of PingOS"),
    ("gop_cache", "it belongs to nginx-http-flv-module; here `cache_time` keeps the last group of pictures"),
    ("hls2_mixfrags", "it is a misspelling of `hls2_minfrags`"),
    ("hls_datetime", "it belongs to another HLS module"),
    ("mail", "the nginx module that has it is not part of PingOS"),
    ("netcall_buffer", "it belongs to nginx-rtmp; here `timeout=` of each notification does it"),
    ("netcall_timeout", "it belongs to nginx-rtmp; here `timeout=` of each notification does it"),
    ("notify_method", "it belongs to nginx-rtmp; notifications here are GET requests"),
    ("notify_no_resolve", "it belongs to nginx-rtmp; here names are always looked up"),
    (
        "notify_relay_redirect",
        "it belongs to nginx-rtmp; here only the answers to `on_pull` and `on_push` redirect",
    ),
    (
        "notify_update_strict",
        "it belongs to nginx-rtmp; here `update=` and `enforce=` of each notification do it",
    ),
    (
        "notify_update_timeout",
        "it belongs to nginx-rtmp; here `update=` and `enforce=` of each notification do it",
    ),
    ("on_done", "it belongs to nginx-rtmp; here `on_play` or `on_publish ... stage=done` tells of the end"),
    ("on_play_done", "it belongs to nginx-rtmp; here `on_play ... stage=done` tells of the end"),
    ("on_publish_done", "it belongs to nginx-rtmp; here `on_publish ... stage=done` tells of the end"),
    ("on_record_done", "it belongs to nginx-rtmp; here `on_record ... stage=done` tells of the end"),
    ("on_record_started", "it belongs to nginx-rtmp; here `on_record` tells of the start"),
    ("on_update", "it belongs to nginx-rtmp; here `stage=update` of `on_play` and `on_publish` does it"),
    ("play", "it belongs to nginx-rtmp; playing of files is not supported"),
    ("play_local_path", "it belongs to nginx-rtmp; playing of files is not supported"),
    ("play_temp_path", "it belongs to nginx-rtmp; playing of files is not supported"),
    ("publish_nofity", "it is a misspelling of `publish_notify`"),
    ("reset_server_name", "it appears only in comments of example files"),
    ("session_relay", "it belongs to nginx-rtmp; relays here always end with their session"),
    ("static_pull", "it stands only in the file that `dynamic_conf` names"),
    ("stream", "the nginx module that has it is not part of PingOS"),
    ("thread_pool", "the nginx module that has it is not part of PingOS"),
    ("ts", "the nginx module that has it is not part of PingOS"),
    ("tunnel_pass", "the nginx module that has it is not part of PingOS"),
    (
        "worker_rlimit",
        "it appears only in comments of example files; see `worker_rlimit_nofile` and `worker_rlimit_core`",
    ),
];
