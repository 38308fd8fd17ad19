//! Handling of the peer's commands.
//!
//! Which other commands are answered depends on what clients wait for:
//! - NetStream commands, and commands with transaction id 0, expect no answer.
//! - releaseStream, FCPublish and FCUnpublish get a `_result`, the latter two also `onFCPublish` and `onFCUnpublish`: most
//!   encoders continue without them, some hardware encoders wait. PingOS answers none of them.
//! - `_checkbw`, `checkBandwidth` and getStreamLength are probes: FMLE and Flash players continue after any `_result`,
//!   ffmpeg and librtmp do not wait. getStreamLength gets zero, which means live.
//! - FCSubscribe is answered with `onFCSubscribe`, for which players of content delivery networks wait before they play.
//! - Any other call gets `_error` with NetConnection.Call.Failed, as in the specification (§7.2.1.2): Flash calls its
//!   responder; ffmpeg, librtmp, OBS, GStreamer and VLC send no such call.

use bytes::Bytes;

use super::stream::StreamRole;
use super::{Connect, ConnectionPhase, ServerEvent, ServerSession};
use crate::wire::amf0::AmfValue;
use crate::wire::rtmp::RtmpError;
use crate::wire::rtmp::link::status;
use crate::wire::rtmp::message::{CommandMessage, Message};

impl ServerSession {
    pub(super) fn handle_command(&mut self, message: &Message) -> Result<(), RtmpError> {
        let Some(mut command) = CommandMessage::parse(message)? else {
            return Ok(());
        };
        if &command.name[..] == b"connect" {
            return self.handle_connect(&mut command);
        }
        if self.phase != ConnectionPhase::Connected {
            return self.handle_unconnected(&command);
        }
        let stream_id = message.stream_id;
        match &command.name[..] {
            b"createStream" => self.handle_create_stream(&command),
            b"publish" => self.handle_publish(stream_id, &mut command),
            b"play" => self.handle_play(stream_id, &mut command),
            b"closeStream" => {
                self.close_stream(stream_id);
                Ok(())
            }
            b"deleteStream" => self.handle_delete_stream(stream_id, &mut command),
            b"FCUnpublish" => self.handle_unpublish(&mut command),
            b"pause" | b"pauseRaw" => self.handle_pause(stream_id, &mut command),
            b"seek" => self.handle_seek(stream_id, &mut command),
            b"FCSubscribe" => self.handle_subscribe(&mut command),
            b"releaseStream" => {
                self.answer(&command, "_result", AmfValue::Undefined);
                Ok(())
            }
            b"FCPublish" => {
                self.answer(&command, "_result", AmfValue::Undefined);
                self.tell("onFCPublish", "NetStream.Publish.Start", &mut command)
            }
            b"_result" | b"_error" => Ok(()),
            b"getStreamLength" => {
                self.answer(&command, "_result", 0.0.into());
                Ok(())
            }
            b"_checkbw" | b"checkBandwidth" => {
                self.answer(&command, "_result", AmfValue::Null);
                Ok(())
            }
            _ => {
                let text = "Method not found.";
                let failed = status("error", "NetConnection.Call.Failed", text);
                self.answer(&command, "_error", failed);
                Ok(())
            }
        }
    }

    fn handle_connect(&mut self, command: &mut CommandMessage) -> Result<(), RtmpError> {
        if !self.connect.is_none() {
            return Err(RtmpError::SecondConnect);
        }
        let connect = Connect::parse(command)?;
        let request = self.new_request();
        self.connect.ask(request, command.transaction_id, &connect);
        self.events.push_back(ServerEvent::Connect { request, connect: Box::new(connect) });
        Ok(())
    }

    fn handle_unconnected(&mut self, command: &CommandMessage) -> Result<(), RtmpError> {
        if self.phase == ConnectionPhase::Rejected {
            return Ok(());
        }
        for needs_connection in ["createStream", "publish", "play"] {
            if command.name == needs_connection {
                return Err(RtmpError::NotConnected { command: needs_connection });
            }
        }
        Ok(())
    }

    fn handle_create_stream(&mut self, command: &CommandMessage) -> Result<(), RtmpError> {
        let stream_id = self.streams.create()?;
        self.answer(command, "_result", stream_id.into());
        self.events.push_back(ServerEvent::CreateStream { stream_id });
        Ok(())
    }

    fn handle_publish(&mut self, stream_id: u32, command: &mut CommandMessage) -> Result<(), RtmpError> {
        // The command object.
        command.argument()?;
        let name = name_argument(command, "publish")?;
        let kind = command.argument()?;
        let kind = kind.as_bytes().cloned().unwrap_or(Bytes::from_static(b"live"));
        let request = self.new_request();

        let stream = self.streams.get_or_create(stream_id)?;
        match stream.role {
            StreamRole::Idle | StreamRole::Refused => {
                stream.role = StreamRole::PublishPending(request);
                stream.name = name.clone();
                self.events.push_back(ServerEvent::Publish { request, stream_id, name, kind });
            }
            // A repeated request of an impatient encoder; the first one is or will be answered.
            StreamRole::PublishPending(_) | StreamRole::Publishing if stream.name == name => {}
            _ => {
                let text = "Stream is in use.";
                self.send_status(stream_id, "error", "NetStream.Publish.BadName", text);
            }
        }
        Ok(())
    }

    fn handle_play(&mut self, stream_id: u32, command: &mut CommandMessage) -> Result<(), RtmpError> {
        // The command object.
        command.argument()?;
        let name = match command.argument()? {
            // Flash players stop with play(false).
            AmfValue::Boolean(false) => {
                self.close_stream(stream_id);
                return Ok(());
            }
            AmfValue::String(name) | AmfValue::LongString(name) => name,
            _ => return Err(no_name("play")),
        };
        let start = command.argument()?.as_number().unwrap_or(-2.0);
        let duration = command.argument()?.as_number().unwrap_or(-1.0);
        let reset = match command.argument()? {
            AmfValue::Boolean(reset) => reset,
            AmfValue::Number(reset) => reset != 0.0,
            _ => true,
        };

        let stream = self.streams.get_or_create(stream_id)?;
        match stream.role {
            StreamRole::PublishPending(_) | StreamRole::Publishing => {
                let text = "Stream is in use.";
                self.send_status(stream_id, "error", "NetStream.Play.Failed", text);
                return Ok(());
            }
            // `play` on a playing stream replaces the stream.
            StreamRole::PlayPending(_) | StreamRole::Playing => self.close_stream(stream_id),
            StreamRole::Idle | StreamRole::Refused => {}
        }
        let request = self.new_request();
        let stream = self.streams.get_or_create(stream_id)?;
        stream.role = StreamRole::PlayPending(request);
        stream.name = name.clone();
        self.events.push_back(ServerEvent::Play { request, stream_id, name, start, duration, reset });
        Ok(())
    }

    fn handle_delete_stream(
        &mut self,
        stream_id: u32,
        command: &mut CommandMessage,
    ) -> Result<(), RtmpError> {
        // The command object.
        command.argument()?;
        let named = command.argument()?.as_number().map(|id| id as u32);
        let stream_id = named.unwrap_or(stream_id);
        self.close_stream(stream_id);
        self.streams.remove(stream_id);
        Ok(())
    }

    fn handle_unpublish(&mut self, command: &mut CommandMessage) -> Result<(), RtmpError> {
        let mut told = command.clone();
        // The command object.
        command.argument()?;
        let name = command.argument()?;
        self.tell("onFCUnpublish", "NetStream.Unpublish.Success", &mut told)?;
        if let Some(name) = name.as_str()
            && let Some(stream_id) = self.streams.published_as(name)
        {
            self.close_stream(stream_id);
        }
        self.answer(command, "_result", AmfValue::Undefined);
        Ok(())
    }

    fn handle_pause(&mut self, stream_id: u32, command: &mut CommandMessage) -> Result<(), RtmpError> {
        // The command object.
        command.argument()?;
        let paused = command.argument()?.as_bool().unwrap_or(true);
        let Some(stream_id) = self.playing(stream_id) else {
            return Ok(());
        };
        let (code, text) = if paused {
            ("NetStream.Pause.Notify", "Paused live")
        } else {
            ("NetStream.Unpause.Notify", "Unpaused live")
        };
        self.send_status(stream_id, "status", code, text);
        self.events.push_back(ServerEvent::Pause { stream_id, paused });
        Ok(())
    }

    fn handle_seek(&mut self, stream_id: u32, command: &mut CommandMessage) -> Result<(), RtmpError> {
        // The command object.
        command.argument()?;
        let position = command.argument()?.as_number().unwrap_or(0.0);
        let Some(stream_id) = self.playing(stream_id) else {
            return Ok(());
        };
        self.send_status(stream_id, "status", "NetStream.Seek.Notify", "Seeking");
        self.events.push_back(ServerEvent::Seek { stream_id, position });
        Ok(())
    }

    fn handle_subscribe(&mut self, command: &mut CommandMessage) -> Result<(), RtmpError> {
        self.tell("onFCSubscribe", "NetStream.Play.Start", command)
    }

    /// Sends a call back to the peer about the stream that its command names.
    fn tell(
        &mut self,
        name: &'static str,
        code: &'static str,
        command: &mut CommandMessage,
    ) -> Result<(), RtmpError> {
        // The command object.
        command.argument()?;
        let stream = command.argument()?;
        let mut information = status("status", code, "");
        if let AmfValue::Object(members) = &mut information
            && let Some((_, description)) = members.last_mut()
        {
            *description = stream;
        }
        self.link.send_command(0, &[name.into(), 0.0.into(), AmfValue::Null, information]);
        Ok(())
    }

    /// Ends publishing or playing. The message stream itself stays, so that it can be reused.
    fn close_stream(&mut self, stream_id: u32) {
        let Some(stream) = self.streams.addressed(stream_id) else {
            return;
        };
        let role = std::mem::replace(&mut stream.role, StreamRole::Idle);
        let stream_id = stream.id;
        if role == StreamRole::Publishing {
            let text = "Stop publishing.";
            self.send_status(stream_id, "status", "NetStream.Unpublish.Success", text);
        }
        if role != StreamRole::Idle {
            self.events.push_back(ServerEvent::CloseStream { stream_id });
        }
    }

    fn playing(&mut self, stream_id: u32) -> Option<u32> {
        let stream = self.streams.addressed(stream_id)?;
        (stream.role == StreamRole::Playing).then_some(stream.id)
    }

    /// Answers a call; a command without a transaction id is not one.
    fn answer(&mut self, command: &CommandMessage, name: &'static str, value: AmfValue) {
        if command.transaction_id > 0.0 {
            self.link.send_command(0, &[name.into(), command.transaction_id.into(), AmfValue::Null, value]);
        }
    }
}

fn name_argument(command: &mut CommandMessage, name: &'static str) -> Result<Bytes, RtmpError> {
    command.argument()?.as_bytes().cloned().ok_or(no_name(name))
}

fn no_name(command: &'static str) -> RtmpError {
    RtmpError::Argument { command, argument: "stream name" }
}
