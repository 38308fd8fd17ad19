//! Table of session events, one row each, and the directives of notifications in applications.
//!
//! A new event needs a row here, and a call of [`super::SessionEvent::begin`] where it happens. The directive with its
//! manual entry, [`EventKind`], the lines in force, the names of the fields, the word in the ledger, the probe of
//! `pingosd callback test`, and the tables of conf/callbacks.md (written with `PINGOSD_BLESS=1`) follow from the row.
//! Values of the fields come from [`super::Subject`] and [`super::SessionEvent::set_fields`].

use std::sync::Arc;

use super::effect::{AnswerEffect, FamilyEffects};
use super::event_row::{EventRow, LineList, VERDICT, events};
use super::hook::Hook;
use super::proxy::HttpProxy;
use super::request::RECORD_FIELDS;
use crate::directive::context::{APPLICATION, RTMP_ALL, RTMP_SERVER};
use crate::directive::word::one_of;
use crate::directive::{Arity, Flag, Msec};

one_of! {
    /// Codec headers that trigger `on_meta`.
    pub enum MetaType {
        /// Video headers.
        "video" => Video,
        /// Audio headers.
        "audio" => Audio,
        /// Both.
        "both" => Both,
    }
}

use AnswerEffect::*;

events! {
    before {
        /// Admits a client when the callback server gives no answer at all.
        ///
        /// Example: `ignore_invalid_notify on;`
        "ignore_invalid_notify" => ignore_invalid: Flag = "off", in RTMP_ALL;
        /// How long `done` is repeated while the callback server is unreachable; 0 sends it once.
        ///
        /// Not in PingOS, which sends each `done` once.
        ///
        /// Example: `notify_done_retry 2m;`
        "notify_done_retry" => done_retry: Msec = "30s", in RTMP_ALL;
        /// Sends callbacks through an HTTP proxy: those to `https://` in a tunnel that the proxy opens (CONNECT), others as
        /// requests with the whole URL. `except=` lists hosts that are asked directly, separated by commas: names with the
        /// names below them, addresses, and networks. Relays and pulls do not go through it. The line of `rtmp` also counts
        /// for `on_master` and `on_proc`.
        ///
        /// Not in PingOS.
        ///
        /// Example: `http_proxy http://10.0.0.5:3128 except=localhost,10.0.0.0/8;`
        "http_proxy" => http_proxy: HttpProxy = "off", in RTMP_ALL;
    }

    /// Called when an RTMP client connects; any answer other than 2xx refuses it.
    ///
    /// Differs from PingOS, which accepts the line and sends nothing.
    ///
    /// Example: `on_connect http://127.0.0.1:6080/connect stage=start,done args=addr=$remote_addr;`
    "on_connect" | "oclp_connect" => on_connect: Option<Arc<Hook>>, in RTMP_SERVER, restricts sessions,
        event Connect = EventRow {
            has_stream: false,
            note: "`name` is empty",
            ..EventRow::session("connect", "an RTMP connection", VERDICT)
        };

    /// Called when a client starts publishing; any answer other than 2xx refuses it.
    ///
    /// Differs from PingOS: the URL may be `https://` or have no path. A refused publisher gets
    /// NetStream.Publish.Forbidden before its connection is closed; PingOS sends it nothing. A 4xx to an update of
    /// `oclp_publish` ends the publish; PingOS ignores it. `done` is also sent when the server stops. A 300 refuses
    /// the publisher; PingOS admits it.
    ///
    /// Example: `on_publish http://127.0.0.1:6080/publish stage=start,update,done update=30s args=token=$parg_token;`
    "on_publish" | "oclp_publish" => on_publish: Option<Arc<Hook>>, in APPLICATION, restricts sessions,
        event Publish = EventRow { has_epoch: true, ..EventRow::session("publish", "a publisher", VERDICT) };

    /// Called when a client starts playing; any answer other than 2xx refuses it.
    ///
    /// Differs from PingOS: the URL may be `https://` or have no path. A refused RTMP player gets
    /// NetStream.Play.Forbidden; PingOS sends it nothing. Over HTTP it gets status 403, in PingOS 503, or 410 for HLS+.
    /// A 4xx to an update of `oclp_play` disconnects the player; PingOS ignores it. `done` is also sent when the
    /// server stops. A 300 refuses the player; PingOS admits it.
    ///
    /// Example: `on_play http://127.0.0.1:6080/play stage=start,done args=addr=$remote_addr&$pargs;`
    "on_play" | "oclp_play" => on_play: Option<Arc<Hook>>, in APPLICATION, restricts sessions,
        event Play = EventRow::session("play", "a player of any protocol", VERDICT);

    /// Called when a stream gets its first session and when it loses its last one.
    ///
    /// Differs from PingOS: a 4xx to the start or an update of `oclp_stream` disconnects the session that
    /// opened the stream; PingOS ignores it.
    ///
    /// Example: `on_stream http://127.0.0.1:6080/stream stage=start,done;`
    "on_stream" | "oclp_stream" => on_stream: Option<Arc<Hook>>, in APPLICATION, restricts sessions,
        event Stream = EventRow {
            has_epoch: true,
            note: "`clientid` is that of the session that opened the stream, even after it has left; see below for a 4xx to `update`",
            ..EventRow::session(
                "stream",
                "a stream from its first session, publisher or player, to its last",
                FamilyEffects {
                    on: [Updates, Updates, NoUpdates, NoUpdates, NoUpdates, NoUpdates],
                    oclp: [Updates, Updates, NoUpdates, EndsOpener, NoUpdates, NoUpdates],
                },
            )
        };

    /// Called when a played stream has no publisher; the answer tells where to pull it from.
    ///
    /// Differs from PingOS: `Location` may be `rtmps://` or `https://`, and after a 2xx no `done` is sent,
    /// where PingOS sends it at once.
    ///
    /// Example: `on_pull http://127.0.0.1:6080/where stage=start,done timeout=3s;`
    "on_pull" | "oclp_pull" => on_pull: Option<Arc<Hook>>, in APPLICATION, restricts sessions,
        event Pull = EventRow {
            note: "`clientid` is the relay's",
            update: FamilyEffects::older_refusal(EndsRelay),
            ..EventRow::session(
                "pull",
                "a stream that has players and no publisher",
                FamilyEffects::both([NoRelay, NoRelay, Relay, EndsPlayers, EndsPlayers, Again]),
            )
        };

    /// Called when a stream is published; the answer tells where to push it to. Up to eight lines, one relay each.
    ///
    /// Differs from PingOS: `Location` may be `rtmps://`. The `done` of each line has its own URL, `groupid`
    /// and `args`; PingOS sends all of them with those of the first line.
    ///
    /// Example: `on_push http://127.0.0.1:6080/targets stage=start,done groupid=cdn1;`
    "on_push" | "oclp_push" => on_push: Vec<Arc<Hook>>, in APPLICATION, restricts sessions,
        event Push = EventRow {
            note: "`clientid` is the relay's",
            update: FamilyEffects::older_refusal(EndsRelay),
            ..EventRow::session(
                "push",
                "a publish",
                FamilyEffects::both([NoRelay, NoRelay, Relay, EndsPublisher, EndsPublisher, Again]),
            )
        };

    /// Called when a publisher's codec headers have arrived. Up to eight lines.
    ///
    /// Differs from PingOS: each line sends its own request, where PingOS sends that of the first line for
    /// each. A 3xx starts a relay, and without an answer the request is sent again; PingOS starts none, and
    /// closes the publisher. The lines are not used in an application with `on_push`.
    ///
    /// Example: `on_meta http://127.0.0.1:6080/meta args=$metadata;`
    "on_meta" | "oclp_meta" => on_meta: Vec<Arc<Hook>>, in APPLICATION,
        event Meta = EventRow {
            has_epoch: true,
            note: "`clientid` is the publisher's",
            ..EventRow::session(
                "meta",
                "the codec headers of a publisher",
                FamilyEffects::both([
                    NoRelayGoesOn, NoRelayGoesOn, Relay, EndsPublisher, EndsPublisher, Again,
                ]),
            )
        };

    /// Called before a stream is recorded as MPEG-TS, and for each completed file. With `update=` on the line, also
    /// called at that interval for the file being written.
    ///
    /// Differs from PingOS, which sends updates for completed files only, whatever `update=` is.
    ///
    /// Example: `on_record http://127.0.0.1:6080/files stage=start,update,done;`
    "on_record" | "oclp_record" => on_record: Option<Arc<Hook>>, in APPLICATION,
        event Record = EventRow {
            has_epoch: true,
            later: &RECORD_FIELDS,
            note: "Times are milliseconds since 1970, `index` and `file` absolute paths",
            update: FamilyEffects::older_refusal(EndsRecording),
            ..EventRow::session(
                "record",
                "the recording of a publish as MPEG-TS",
                FamilyEffects::both([
                    Recorded, NotRecorded, NotRecorded, NotRecorded, NotRecorded, AsConfigured,
                ]),
            )
        };

    after {
        /// Triggers `on_meta` only for the first header of a stream. Further arguments are ignored.
        ///
        /// Example: `on_meta_once off;`
        "on_meta_once" | "oclp_meta_once" => on_meta_once: Flag = "on", in RTMP_ALL, args Arity::SOME;
        /// Which header triggers `on_meta`. Further arguments are ignored.
        ///
        /// Example: `on_meta_type both;`
        "on_meta_type" | "oclp_meta_type" => on_meta_type: MetaType = "video", in RTMP_ALL, args Arity::SOME;
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray;

    use super::*;

    #[test]
    fn an_event_has_one_word() {
        for (event, row) in EventKind::VARIANTS.iter().zip(EVENTS) {
            assert_eq!((event.name(), row.word()), (row.call, row.call));
            assert!(row.names[1..].iter().all(|name| name.strip_prefix("oclp_") == Some(row.call)));
        }
        assert_eq!(EventKind::VARIANTS.len(), EVENTS.len());
    }
}
