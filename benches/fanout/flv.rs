//! FLV: reading tags from a file or an HTTP body, and writing them for the floor.

use crate::Result;
use crate::rtmp::Message;

/// "FLV", version 1, audio and video, header size 9, size of the tag before the first one.
pub const HEADER: [u8; 13] = [b'F', b'L', b'V', 1, 5, 0, 0, 0, 9, 0, 0, 0, 0];

const TAG_HEADER: usize = 11;

/// Every tag is followed by its size.
const TRAILER: usize = 4;

/// Takes bytes in any pieces, gives whole tags.
#[derive(Default)]
pub struct Reader {
    buffer: Vec<u8>,
    position: usize,
    header_seen: bool,
}

impl Reader {
    pub fn push(&mut self, data: &[u8]) {
        self.buffer.drain(..self.position);
        self.position = 0;
        self.buffer.extend_from_slice(data);
    }

    pub fn poll_message(&mut self) -> Result<Option<Message>> {
        let mut rest = &self.buffer[self.position..];
        if !self.header_seen {
            let Some(header) = rest.get(..HEADER.len()) else { return Ok(None) };
            if !header.starts_with(b"FLV") {
                return Err("no FLV header".into());
            }
            self.header_seen = true;
            self.position += HEADER.len();
            rest = &self.buffer[self.position..];
        }
        let Some(header) = rest.get(..TAG_HEADER) else { return Ok(None) };
        let size = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
        let Some(payload) = rest.get(TAG_HEADER..TAG_HEADER + size) else { return Ok(None) };
        if rest.len() < TAG_HEADER + size + TRAILER {
            return Ok(None);
        }
        let message = Message {
            kind: header[0],
            timestamp: u32::from_be_bytes([header[7], header[4], header[5], header[6]]),
            payload: payload.to_vec(),
        };
        self.position += TAG_HEADER + size + TRAILER;
        Ok(Some(message))
    }
}

/// One tag with its trailer. The payload starts at byte 11.
pub fn tag(kind: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let size = (payload.len() as u32).to_be_bytes();
    let time = timestamp.to_be_bytes();
    let mut tag = Vec::with_capacity(TAG_HEADER + payload.len() + TRAILER);
    tag.extend_from_slice(&[kind, size[1], size[2], size[3], time[1], time[2], time[3], time[0], 0, 0, 0]);
    tag.extend_from_slice(payload);
    tag.extend_from_slice(&((TAG_HEADER + payload.len()) as u32).to_be_bytes());
    tag
}

/// Where the payload starts in [`tag`].
pub const PAYLOAD_AT: usize = TAG_HEADER;

/// Takes an HTTP response in any pieces, gives the body's bytes, whether it is chunked or ends by closing.
#[derive(Default)]
pub struct HttpBody {
    head: Vec<u8>,
    state: BodyState,
}

#[derive(Default)]
enum BodyState {
    #[default]
    Head,
    Plain,
    /// Inside a chunk's size line; what was read of it.
    Size(Vec<u8>),
    /// Bytes left of a chunk, its line end included.
    Chunk(usize),
}

/// A size line is a few hexadecimal digits; a response head a few hundred bytes.
const MAX_SIZE_LINE: usize = 64;
const MAX_HEAD: usize = 16_384;

impl HttpBody {
    pub fn push(&mut self, data: &[u8], body: &mut Vec<u8>) -> Result<()> {
        if !matches!(self.state, BodyState::Head) {
            return self.push_body(data, body);
        }
        self.head.extend_from_slice(data);
        let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") else {
            return if self.head.len() > MAX_HEAD { Err("endless HTTP head".into()) } else { Ok(()) };
        };
        let rest = self.head.split_off(end + 4);
        let head = String::from_utf8_lossy(&self.head).to_ascii_lowercase();
        if head.split(' ').nth(1) != Some("200") {
            return Err(format!("HTTP answer {:?}", head.lines().next().unwrap_or_default()).into());
        }
        let chunked =
            head.lines().any(|line| line.starts_with("transfer-encoding:") && line.contains("chunked"));
        self.state = if chunked { BodyState::Size(Vec::new()) } else { BodyState::Plain };
        self.push_body(&rest, body)
    }

    fn push_body(&mut self, mut data: &[u8], body: &mut Vec<u8>) -> Result<()> {
        while !data.is_empty() {
            match &mut self.state {
                BodyState::Head | BodyState::Plain => {
                    body.extend_from_slice(data);
                    return Ok(());
                }
                BodyState::Size(line) => {
                    line.push(data[0]);
                    data = &data[1..];
                    if line.ends_with(b"\n") {
                        let text = String::from_utf8_lossy(line);
                        let digits = text.trim().split(';').next().unwrap_or_default();
                        let size = usize::from_str_radix(digits, 16).map_err(|_| "bad HTTP chunk size")?;
                        self.state = BodyState::Chunk(size + 2);
                    } else if line.len() > MAX_SIZE_LINE {
                        return Err("bad HTTP chunk size line".into());
                    }
                }
                BodyState::Chunk(left) => {
                    let taken = data.len().min(*left);
                    let of_body = taken.min(left.saturating_sub(2));
                    body.extend_from_slice(&data[..of_body]);
                    *left -= taken;
                    data = &data[taken..];
                    if *left == 0 {
                        self.state = BodyState::Size(Vec::new());
                    }
                }
            }
        }
        Ok(())
    }
}
