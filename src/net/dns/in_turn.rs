//! Questions as nginx's resolver asks them: of one name server, whose answer stands. Only silence leads to the next one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::{DNSClass, Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::Instant;

use crate::limits;

/// Name servers, each asked first in its turn.
pub(super) struct ServersInTurn {
    /// Not empty.
    servers: Vec<SocketAddr>,
    turns: AtomicUsize,
    /// Time that one of them has for an answer.
    patience: Duration,
}

/// What a name server says of a name.
pub(super) struct Answer {
    pub(super) code: ResponseCode,
    pub(super) addresses: Vec<IpAddr>,
    /// The last name that the name is said to stand for.
    pub(super) alias: Option<Name>,
    /// Lowest TTL of the records, in seconds.
    pub(super) ttl: u32,
}

impl ServersInTurn {
    /// `timeout` is that of a whole lookup, in which each server gets its share.
    pub(super) fn new(servers: Vec<SocketAddr>, timeout: Duration) -> Self {
        let share = timeout / u32::try_from(servers.len()).unwrap_or(u32::MAX).max(1);
        ServersInTurn { servers, turns: AtomicUsize::new(0), patience: share.min(limits::DNS_ANSWER) }
    }

    /// The turn of the next question, for all kinds of records that it is about.
    pub(super) fn turn(&self) -> usize {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks for the records of a kind until a server answers.
    pub(super) async fn ask(&self, turn: usize, name: &Name, kind: RecordType) -> Answer {
        let mut servers = self.servers.iter().cycle().skip(turn % self.servers.len());
        loop {
            let round = Instant::now() + self.patience;
            for server in servers.by_ref().take(self.servers.len()) {
                let asked = tokio::time::timeout(self.patience, over_udp(*server, name, kind)).await;
                if let Ok(Ok(answer)) = asked {
                    return answer;
                }
            }
            // Servers that cannot be reached fail at once.
            tokio::time::sleep_until(round).await;
        }
    }
}

async fn over_udp(server: SocketAddr, name: &Name, kind: RecordType) -> std::io::Result<Answer> {
    let own: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A socket, and thereby a port, for each question: answers are hard to forge.
    let socket = UdpSocket::bind((own, 0)).await?;
    socket.connect(server).await?;
    let question = question(name, kind);
    socket.send(&question.to_vec().map_err(std::io::Error::other)?).await?;
    let mut bytes = vec![0; limits::DNS_DATAGRAM];
    loop {
        let length = socket.recv(&mut bytes).await?;
        if is_cut_off(&question, &bytes[..length]) {
            return over_tcp(server, &question).await;
        }
        if let Some(message) = answer_to(&question, &bytes[..length]) {
            return Ok(Answer::read(message, kind));
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &Message) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let bytes = question.to_vec().map_err(std::io::Error::other)?;
    let length = u16::try_from(bytes.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], &bytes].concat()).await?;
    let kind = question.queries.first().map_or(RecordType::A, Query::query_type);
    loop {
        let mut bytes = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut bytes).await?;
        if let Some(message) = answer_to(question, &bytes) {
            return Ok(Answer::read(message, kind));
        }
    }
}

fn question(name: &Name, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    let mut name = name.clone();
    // As those in answers, which it is compared with.
    name.set_fqdn(true);
    message.add_query(Query::query(name, kind));
    message
}

/// Whether the answer to the question does not fit into a datagram; the rest of it may be malformed.
fn is_cut_off(question: &Message, bytes: &[u8]) -> bool {
    const ANSWER_CUT_OFF: u8 = 0x82;
    let &[high, low, flags, ..] = bytes else { return false };
    u16::from_be_bytes([high, low]) == question.metadata.id && flags & ANSWER_CUT_OFF == ANSWER_CUT_OFF
}

/// The message if it answers the question; as in nginx, one that finds fault with the question's form does not.
fn answer_to(question: &Message, bytes: &[u8]) -> Option<Message> {
    let message = Message::from_vec(bytes).ok()?;
    let (head, asked) = (&message.metadata, &question.metadata);
    let is_answer = head.message_type == MessageType::Response && head.id == asked.id;
    let is_usable = head.response_code != ResponseCode::FormErr
        && u16::from(head.response_code) <= u16::from(ResponseCode::Refused);
    (is_answer && is_usable && message.queries == question.queries).then_some(message)
}

impl Answer {
    fn read(message: Message, kind: RecordType) -> Self {
        let code = message.metadata.response_code;
        let mut answer = Answer { code, addresses: Vec::new(), alias: None, ttl: u32::MAX };
        for record in message.answers {
            if record.dns_class != DNSClass::IN {
                continue;
            }
            match record.data {
                RData::A(address) if kind == RecordType::A => answer.addresses.push(address.0.into()),
                RData::AAAA(address) if kind == RecordType::AAAA => answer.addresses.push(address.0.into()),
                RData::CNAME(alias) => answer.alias = Some(alias.0),
                _ => continue,
            }
            answer.ttl = answer.ttl.min(record.ttl);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_usable_answers_to_the_question_count() {
        let name = |text: &str| Name::from_ascii(text).unwrap();
        let question = question(&name("a.test"), RecordType::A);
        let answer = |change: &dyn Fn(&mut Message)| {
            let mut answer = question.clone().into_response();
            change(&mut answer);
            answer_to(&question, &answer.to_vec().unwrap()).is_some()
        };
        assert!(answer(&|_| ()));
        assert!(answer(&|answer| answer.metadata.response_code = ResponseCode::ServFail));
        assert!(!answer(&|answer| answer.metadata.id ^= 1));
        assert!(!answer(&|answer| answer.metadata.message_type = MessageType::Query));
        assert!(!answer(&|answer| answer.queries.clear()));
        assert!(!answer(&|answer| answer.queries[0].name = name("b.test")));
        assert!(!answer(&|answer| answer.queries[0].query_type = RecordType::AAAA));
        assert!(!answer(&|answer| answer.metadata.response_code = ResponseCode::FormErr));
        assert!(!answer(&|answer| answer.metadata.response_code = ResponseCode::NotAuth));
        assert!(answer_to(&question, &[0xFF; 40]).is_none());
        let [high, low] = question.metadata.id.to_be_bytes();
        assert!(is_cut_off(&question, &[high, low, 0x83]));
        assert!(!is_cut_off(&question, &[high, low, 0x81]));
        assert!(!is_cut_off(&question, &[high, low ^ 1, 0x83]));
        assert!(!is_cut_off(&question, &[high, low]));
    }
}
