//! Values of the variables in exec lines.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::{BStr, BString};

use super::command::{ExecCommand, ExecLaunch};
use super::{Values, Variable};
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

impl Values for SessionValues {
    fn value(&self, variable: Variable) -> Vec<u8> {
        let identity = &self.session.identity;
        match variable {
            Variable::Name => identity.name.to_vec(),
            Variable::App => identity.app.to_vec(),
            _ if self.stream_only => Vec::new(),
            Variable::Addr => self.session.peer.addr.as_bytes().to_vec(),
            Variable::Args => identity.pargs.to_vec(),
            Variable::Flashver => identity.flash_ver.to_vec(),
            Variable::Swfurl => identity.swf_url.to_vec(),
            Variable::Tcurl => identity.tc_url.to_vec(),
            Variable::Pageurl => identity.page_url.to_vec(),
            Variable::Path => self.of_file(|file| Some(file.as_os_str())),
            Variable::Filename => self.of_file(Path::file_name),
            Variable::Basename => self.of_file(Path::file_stem),
            Variable::Dirname => self.of_file(|file| file.parent().map(Path::as_os_str)),
            Variable::Recorder => self.recording.as_ref().map(|(name, _)| name.to_vec()).unwrap_or_default(),
            Variable::Starttime => self.started.clone().into_bytes(),
        }
    }
}
