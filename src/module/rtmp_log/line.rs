//! Values of the variables of a log line.

use std::io::Write;
use std::time::{Duration, Instant};

use super::format::{LogVariable, RtmpFormat};
use crate::limits;
use crate::log::shown::Shown;
use crate::media::listing::Traffic;
use crate::media::session::{Identity, Role, Session};
use crate::media::variables::query_argument;

/// What is logged about a client.
#[derive(Clone, Debug)]
pub(super) struct ClientFacts {
    /// Number of the connection.
    pub(super) id: u64,
    /// Its address.
    pub(super) addr: String,
    /// What the client has sent; of several streams on a connection, the last one.
    pub(super) identity: Identity,
    /// Start of the connection.
    pub(super) started: Instant,
    /// Whether it has published.
    pub(super) published: bool,
    /// Whether it has played.
    pub(super) played: bool,
    /// Bytes moved.
    pub(super) traffic: Traffic,
    /// Whether its stream has audio.
    pub(super) audio: bool,
    /// Whether its stream has video.
    pub(super) video: bool,
}

impl ClientFacts {
    /// The facts about a session.
    pub(super) fn of(session: &Session) -> ClientFacts {
        let info = session.stream_info();
        ClientFacts {
            id: session.id,
            addr: session.peer.addr.clone(),
            identity: session.identity.clone(),
            started: session.started,
            published: session.role == Role::Publisher,
            played: session.role == Role::Player,
            traffic: session.traffic(),
            audio: info.audio_codec_id.is_some(),
            video: info.video_codec_id.is_some(),
        }
    }

    /// Bytes that count for `$bitrate`.
    pub(super) fn moved(&self) -> u64 {
        if self.published { self.traffic.received } else { self.traffic.sent }
    }

    /// A line, with its newline. `moved` is the number of bytes for `$bitrate`.
    pub(super) fn line(&self, format: &RtmpFormat, moved: u64) -> Vec<u8> {
        let mut line = Vec::with_capacity(256);
        format.fill(&mut line, |variable, out| self.value(variable, moved, out));
        if line.len() > limits::RTMP_LOG_LINE {
            line.truncate(limits::RTMP_LOG_LINE - CUT.len());
            line.extend_from_slice(CUT);
        }
        line.push(b'\n');
        line
    }

    fn value(&self, variable: &LogVariable, moved: u64, out: &mut Vec<u8>) {
        let identity = &self.identity;
        let now = jiff::Timestamp::now();
        let local = || now.to_zoned_datetime(jiff::tz::TimeZone::system());
        // Writing to memory does not fail.
        let _ = match variable {
            LogVariable::App => shown(out, &identity.app),
            LogVariable::Args => shown(out, &identity.pargs),
            LogVariable::BeAudio => write!(out, "{}", u8::from(self.audio)),
            LogVariable::BeVideo => write!(out, "{}", u8::from(self.video)),
            LogVariable::Bitrate => write!(out, "{}", moved.saturating_mul(8)),
            LogVariable::BytesReceived => write!(out, "{}", self.traffic.received),
            LogVariable::BytesSent => write!(out, "{}", self.traffic.sent),
            LogVariable::Command => out.write_all(match (self.published, self.played) {
                (false, false) => b"NONE",
                (false, true) => b"PLAY",
                (true, false) => b"PUBLISH",
                (true, true) => b"PLAY+PUBLISH",
            }),
            LogVariable::Connection => write!(out, "{}", self.id),
            LogVariable::Domain => shown(out, &identity.domain),
            LogVariable::Flashver => shown(out, &identity.flash_ver),
            LogVariable::Msec => write!(out, "{}.{:03}", now.as_second(), now.subsec_millisecond()),
            LogVariable::Name => shown(out, &identity.name),
            LogVariable::Ntp => write!(out, "{}", now.as_second()),
            LogVariable::Pageurl => shown(out, &identity.page_url),
            LogVariable::RemoteAddr => write!(out, "{}", self.addr),
            LogVariable::SessionReadableTime => write!(out, "{}", readable(self.started.elapsed())),
            LogVariable::SessionTime => write!(out, "{}", self.started.elapsed().as_secs()),
            LogVariable::Stream => shown(out, &identity.serverid)
                .and_then(|()| out.write_all(b"/"))
                .and_then(|()| shown(out, &identity.app))
                .and_then(|()| out.write_all(b"/"))
                .and_then(|()| shown(out, &identity.name)),
            LogVariable::Swfurl => shown(out, &identity.swf_url),
            LogVariable::Tcurl => shown(out, &identity.tc_url),
            LogVariable::TimeLocal => write!(out, "{}", local().strftime("%d/%b/%Y:%H:%M:%S %z")),
            LogVariable::Parg(name) => shown(out, query_argument(&identity.pargs, name)),
        };
    }
}

/// End of a truncated line.
const CUT: &[u8] = b"...";

fn shown(out: &mut Vec<u8>, bytes: &[u8]) -> std::io::Result<()> {
    // No more than can be part of a line.
    let bytes = &bytes[..bytes.len().min(limits::RTMP_LOG_LINE)];
    write!(out, "{}", Shown::new(bytes))
}

/// Such as `1d 2h 3m 4s`; units of zero are left out at the beginning.
fn readable(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(seconds / 86_400, 'd'), (seconds / 3600 % 24, 'h'), (seconds / 60 % 60, 'm')];
    let mut text = String::new();
    for (count, unit) in units {
        if count > 0 || !text.is_empty() {
            text.push_str(&format!("{count}{unit} "));
        }
    }
    text + &format!("{}s", seconds % 60)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn facts(name: &[u8]) -> ClientFacts {
        let identity = Identity {
            app: Bytes::from_static(b"live"),
            name: Bytes::copy_from_slice(name),
            pargs: Bytes::from_static(b"t=1&T=2"),
            flash_ver: Bytes::from_static(b"FMLE/3.0"),
            ..Identity::default()
        };
        ClientFacts {
            id: 7,
            addr: "10.0.0.1".into(),
            identity,
            started: Instant::now(),
            published: true,
            played: false,
            traffic: Traffic { received: 5_000_000_000, sent: 3 },
            audio: true,
            video: false,
        }
    }

    fn text(facts: &ClientFacts) -> String {
        String::from_utf8(facts.line(&RtmpFormat::default(), 0)).unwrap()
    }

    #[test]
    fn the_default_line_is_the_original_s() {
        let line = text(&facts(b"s"));
        let (addr, rest) = line.split_once(" [").unwrap();
        let (time, rest) = rest.split_once("] ").unwrap();
        assert_eq!((addr, time.len()), ("10.0.0.1", "28/Nov/2026:13:02:48 +0000".len()));
        assert_eq!(rest, "PUBLISH \"live\" \"s\" \"t=1&T=2\" - 5000000000 3 \"\" \"FMLE/3.0\" (0s)\n");
    }

    #[test]
    fn a_client_forges_no_line_and_its_length_is_bounded() {
        assert!(text(&facts(b"a\"\n\xE9")).contains(" \"a\\x22\\x0A\\xE9\" "));
        let long = text(&facts(&vec![b'\n'; 65_000]));
        assert!(long.ends_with("...\n") && long.len() == limits::RTMP_LOG_LINE + 1);
    }

    #[test]
    fn times_are_readable() {
        let text = |seconds| readable(Duration::from_secs(seconds));
        assert_eq!([text(0), text(60), text(3600)], ["0s", "1m 0s", "1h 0m 0s"]);
        assert_eq!(text(86_400 + 2 * 3600 + 3 * 60 + 4), "1d 2h 3m 4s");
    }

    #[test]
    fn every_variable_has_a_value() {
        let facts = facts(b"s");
        let value = |variable: &LogVariable| {
            let mut out = Vec::new();
            facts.value(variable, 10, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(value(&LogVariable::Bitrate), "80");
        assert_eq!(value(&LogVariable::Stream), "/live/s");
        assert_eq!(value(&LogVariable::Parg("t".into())), "1");
        assert_eq!(value(&LogVariable::Parg("none".into())), "");
        assert_eq!([value(&LogVariable::BeAudio), value(&LogVariable::BeVideo)], ["1", "0"]);
        let (msec, ntp) = (value(&LogVariable::Msec), value(&LogVariable::Ntp));
        assert_eq!(msec.len(), ntp.len() + 4);
    }
}
