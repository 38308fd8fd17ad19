//! The control requests `record/start` and `record/stop`.

use super::registry::{RecordControl, Recordings};
use crate::media::control::{ArgumentValue, ControlSection};

/// `rec=` names a recorder; without it the application's own recorder is meant.
impl ControlSection for Recordings {
    fn name(&self) -> &'static str {
        "record"
    }

    fn carry_out(&self, method: &[u8], query: &[u8]) -> Result<String, &'static str> {
        let on = match method {
            b"start" => true,
            b"stop" => false,
            _ => return Err("record knows start and stop"),
        };
        let serverid = ArgumentValue::server(query)?;
        let (app, name) = (ArgumentValue::of(query, b"app"), ArgumentValue::of(query, b"name"));
        let command = RecordControl { recorder: ArgumentValue::of(query, b"rec").decoded().into(), on };
        let count = self.command(&command, |key| {
            serverid.is(&key.serverid) && app.fits(&key.app) && name.fits(&key.name)
        });
        // As recorded from PingOS, this is an error even if the stream has no publisher.
        if count == 0 { Err("no stream that is published has such a recorder") } else { Ok("ok\n".into()) }
    }
}
