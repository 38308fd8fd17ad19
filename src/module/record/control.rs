//! The control requests `record/start` and `record/stop`.

use super::registry::{RecordControl, Recordings};
use crate::media::control::{
    ArgumentValue, ControlOrder, ControlOutcome, ControlRefusal, ControlResult, ControlSection,
    ControlSelection, ControlVerb,
};

/// Description of the section.
pub const RECORD: ControlVerb = ControlVerb {
    name: "record",
    takes: "start|stop [rec=] [srv=] [app=] [name=]",
    text: "start or stop the recorder rec=, or the application's own recorder",
    done: "recorded",
};

/// Reason why no recorder is started or stopped.
#[derive(Debug, thiserror::Error)]
enum RecordRefusal {
    #[error("no stream that is published has such a recorder")]
    NoRecorder,
    #[error("record knows start and stop")]
    UnknownMethod,
}

impl From<RecordRefusal> for ControlRefusal {
    fn from(error: RecordRefusal) -> ControlRefusal {
        ControlRefusal::section(error)
    }
}

/// `rec=` names a recorder; without it the application's own recorder is meant.
impl ControlSection for Recordings {
    fn verb(&self) -> &'static ControlVerb {
        &RECORD
    }

    fn carry_out(&self, order: &ControlOrder<'_>) -> ControlResult {
        let on = match order.method {
            b"start" => true,
            b"stop" => false,
            _ => return Err(RecordRefusal::UnknownMethod.into()),
        };
        let selection = ControlSelection::of(order)?;
        let recorder = ArgumentValue::of(order.query, b"rec").decoded().into();
        let command = RecordControl { recorder, on };
        let count = self.command(&command, |key| selection.fits(&key.serverid, &key.app, &key.name));
        // As recorded from PingOS, this is an error even if the stream has no publisher.
        match count {
            0 => Err(RecordRefusal::NoRecorder.into()),
            _ => Ok(ControlOutcome::Text("ok\n".into())),
        }
    }
}
