//! Values of the variables in exec lines.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::{BStr, BString};

use super::command::{ExecCommand, ExecLaunch};
use super::{ExecValues, ExecVariable};
use crate::media::session::Session;

/// Values for the commands of a session.
pub(crate) struct SessionValues {
    session: Arc<Session>,
    /// Whether only stream and application have values, because the command serves all players.
    stream_only: bool,
    recording: Option<(BString, PathBuf)>,
    /// Local time of the event.
    started: String,
}

impl SessionValues {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        let started = jiff::ZonedDateTime::now().strftime("%Y%m%d%H%M%S").to_string();
        SessionValues { session, stream_only: false, recording: None, started }
    }

    pub(crate) fn of_stream(session: Arc<Session>) -> Self {
        SessionValues { stream_only: true, ..SessionValues::new(session) }
    }

    pub(crate) fn of_recording(session: Arc<Session>, recorder: &BStr, file: &Path) -> Self {
        let recording = Some((recorder.to_owned(), file.to_owned()));
        SessionValues { recording, ..SessionValues::new(session) }
    }

    /// The commands that apply to the session's stream, ready to run.
    pub(crate) fn launches(&self, commands: &[ExecCommand]) -> Vec<ExecLaunch> {
        let name = &self.session.identity.name;
        commands.iter().filter(|command| command.is_for(name)).map(|command| command.launch(self)).collect()
    }

    fn of_file(&self, part: impl Fn(&Path) -> Option<&std::ffi::OsStr>) -> Vec<u8> {
        let file = self.recording.as_ref().and_then(|(_, file)| part(file));
        file.map(|part| part.as_bytes().to_vec()).unwrap_or_default()
    }
}

impl ExecValues for SessionValues {
    fn value(&self, variable: ExecVariable) -> Vec<u8> {
        let identity = &self.session.identity;
        match variable {
            ExecVariable::Name => identity.name.to_vec(),
            ExecVariable::App => identity.app.to_vec(),
            _ if self.stream_only => Vec::new(),
            ExecVariable::Addr => self.session.peer.addr.as_bytes().to_vec(),
            ExecVariable::Args => identity.pargs.to_vec(),
            ExecVariable::Flashver => identity.flash_ver.to_vec(),
            ExecVariable::Swfurl => identity.swf_url.to_vec(),
            ExecVariable::Tcurl => identity.tc_url.to_vec(),
            ExecVariable::Pageurl => identity.page_url.to_vec(),
            ExecVariable::Path => self.of_file(|file| Some(file.as_os_str())),
            ExecVariable::Filename => self.of_file(Path::file_name),
            ExecVariable::Basename => self.of_file(Path::file_stem),
            ExecVariable::Dirname => self.of_file(|file| file.parent().map(Path::as_os_str)),
            ExecVariable::Recorder => {
                self.recording.as_ref().map(|(name, _)| name.to_vec()).unwrap_or_default()
            }
            ExecVariable::Starttime => self.started.clone().into_bytes(),
        }
    }
}
