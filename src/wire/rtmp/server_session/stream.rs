//! Message streams of one connection.

use bytes::Bytes;

use super::request_id::RequestId;
use crate::limits::MESSAGE_STREAMS;
use crate::wire::rtmp::RtmpError;

/// Role of a message stream. The module documentation of the session shows the transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamRole {
    Idle,
    PublishPending(RequestId),
    Publishing,
    PlayPending(RequestId),
    Playing,
    /// A refused request; unlike with `Idle`, the end is reported as an event.
    Refused,
}

#[derive(Debug)]
pub(super) struct MessageStream {
    pub(super) id: u32,
    pub(super) role: StreamRole,
    /// Stream name of the last publish or play, as sent.
    pub(super) name: Bytes,
}

/// The message streams, few and unordered.
#[derive(Debug, Default)]
pub(super) struct MessageStreams(Vec<MessageStream>);

impl MessageStreams {
    /// Creates a stream with the lowest free id from 1.
    pub(super) fn create(&mut self) -> Result<u32, RtmpError> {
        let mut id = 1;
        while self.0.iter().any(|stream| stream.id == id) {
            id += 1;
        }
        self.get_or_create(id)?;
        Ok(id)
    }

    /// The stream with this id. It is created for clients that skip createStream or use id 0.
    pub(super) fn get_or_create(&mut self, id: u32) -> Result<&mut MessageStream, RtmpError> {
        let index = match self.0.iter().position(|stream| stream.id == id) {
            Some(index) => index,
            None if self.0.len() == MESSAGE_STREAMS => {
                return Err(RtmpError::MessageStreams { limit: MESSAGE_STREAMS });
            }
            None => {
                // Nearly every connection has exactly one.
                self.0.reserve_exact(1);
                self.0.push(MessageStream { id, role: StreamRole::Idle, name: Bytes::new() });
                self.0.len() - 1
            }
        };
        Ok(&mut self.0[index])
    }

    pub(super) fn has_publisher(&self) -> bool {
        self.0.iter().any(|stream| stream.role == StreamRole::Publishing)
    }

    pub(super) fn remove(&mut self, id: u32) {
        self.0.retain(|stream| stream.id != id);
    }

    /// The stream that a command about a running stream refers to: the one with this id, or the only one in use if
    /// either id is 0, because some clients close on stream 0, and others publish there and delete stream 1.
    pub(super) fn addressed(&mut self, id: u32) -> Option<&mut MessageStream> {
        let index = self.index_or_only(id, |role| role != StreamRole::Idle)?;
        let stream = &mut self.0[index];
        (stream.id == id || stream.id == 0 || id == 0).then_some(stream)
    }

    /// Id of the publishing (or requesting) stream to which media on stream `id` belongs; with an unknown id, the only
    /// such stream, because some encoders send media on stream 0.
    pub(super) fn publishing(&self, id: u32) -> Option<u32> {
        let publishes = |role| matches!(role, StreamRole::Publishing | StreamRole::PublishPending(_));
        let index = self.index_or_only(id, publishes)?;
        let stream = &self.0[index];
        publishes(stream.role).then_some(stream.id)
    }

    /// Id of the stream that publishes or has requested to publish under this name, with or without its query.
    pub(super) fn published_as(&self, name: &[u8]) -> Option<u32> {
        self.0
            .iter()
            .find(|stream| {
                matches!(stream.role, StreamRole::Publishing | StreamRole::PublishPending(_))
                    && without_query(&stream.name) == without_query(name)
            })
            .map(|stream| stream.id)
    }

    pub(super) fn find(&mut self, id: u32) -> Option<&mut MessageStream> {
        self.0.iter_mut().find(|stream| stream.id == id)
    }

    pub(super) fn find_role(&mut self, role: StreamRole) -> Option<&mut MessageStream> {
        self.0.iter_mut().find(|stream| stream.role == role)
    }

    pub(super) fn find_request(&mut self, request: RequestId) -> Option<&mut MessageStream> {
        self.0.iter_mut().find(|stream| {
            [StreamRole::PublishPending(request), StreamRole::PlayPending(request)].contains(&stream.role)
        })
    }

    fn index_or_only(&self, id: u32, used: impl Fn(StreamRole) -> bool) -> Option<usize> {
        if let Some(index) = self.0.iter().position(|stream| stream.id == id) {
            return Some(index);
        }
        let mut candidates = (0..self.0.len()).filter(|&index| used(self.0[index].role));
        candidates.next().filter(|_| candidates.next().is_none())
    }
}

fn without_query(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == b'?').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowest_free_id_is_given() {
        let mut streams = MessageStreams::default();
        assert_eq!(streams.create(), Ok(1));
        assert_eq!(streams.create(), Ok(2));
        streams.remove(1);
        assert_eq!(streams.create(), Ok(1));
    }

    #[test]
    fn number_of_streams_is_bounded() {
        let mut streams = MessageStreams::default();
        for _ in 0..MESSAGE_STREAMS {
            streams.create().unwrap();
        }
        let full = RtmpError::MessageStreams { limit: MESSAGE_STREAMS };
        assert_eq!(streams.create(), Err(full.clone()));
        assert_eq!(streams.get_or_create(1000).map(|_| ()), Err(full));
        assert!(streams.get_or_create(1).is_ok());
    }

    #[test]
    fn media_on_an_unknown_stream_belongs_to_the_only_publisher() {
        let mut streams = MessageStreams::default();
        streams.get_or_create(1).unwrap().role = StreamRole::Publishing;
        assert_eq!(streams.publishing(1), Some(1));
        assert_eq!(streams.publishing(0), Some(1));
        streams.get_or_create(2).unwrap().role = StreamRole::Publishing;
        assert_eq!(streams.publishing(0), None);
        streams.get_or_create(3).unwrap();
        assert_eq!(streams.publishing(3), None);
    }
}
