//! `proxy_ssl_key_log`: the keys of connections to backends, for programs that decrypt what was captured of them.

use data_encoding::HEXLOWER;
use rustls::KeyLog;

use crate::directive::{Args, Evaluation, Value};
use crate::log::sink::LogSink;
use crate::log::sink::spec::{NotedSinks, SinkSpec, SinkTarget};
use crate::syntax::Problem;

/// A file of keys, relative to the directory of the main configuration file.
#[derive(Clone, Debug)]
pub struct KeyLogFile(pub(super) SinkSpec);

impl Value for KeyLogFile {
    fn syntax() -> String {
        "path".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<KeyLogFile, Problem> {
        let sink = SinkSpec::of(SinkTarget::SecretFile(evaluation.under_conf(&args.first().bytes)));
        evaluation.notes.of::<NotedSinks>().note(&sink);
        Ok(KeyLogFile(sink))
    }
}

/// Writes keys as lines of the format that Network Security Services has introduced (`SSLKEYLOGFILE`).
#[derive(Debug)]
pub(super) struct KeyLines(pub(super) LogSink);

impl KeyLog for KeyLines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let (random, secret) = (HEXLOWER.encode(client_random), HEXLOWER.encode(secret));
        self.0.line(format!("{label} {random} {secret}\n").into_bytes());
    }
}
