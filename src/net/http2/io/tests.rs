use tokio::io::AsyncWriteExt;

use super::super::memory_socket::MemorySocket;
use super::*;

fn waker() -> Context<'static> {
    Context::from_waker(std::task::Waker::noop())
}

fn written(io: &mut Http2Io, bytes: &[u8]) -> Option<usize> {
    match Pin::new(io).poll_write(&mut waker(), bytes) {
        Poll::Ready(length) => Some(length.unwrap()),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn output_is_gathered_up_to_its_bound_and_keeps_its_order() {
    let (socket, traffic) = (Arc::new(MemorySocket::default()), Arc::new(Traffic::default()));
    let mut io = Http2Io::new(socket.clone(), Bytes::new(), traffic.clone());
    io.write_all(b"settings").await.unwrap();
    assert_eq!(socket.lengths(), [8]);
    traffic.gather();
    *socket.room.lock() = limits::HTTP2_GATHERED + 10;
    let pieces = limits::HTTP2_GATHERED / limits::HTTP2_GATHERED_WRITE;
    for number in 0..pieces {
        let piece = vec![u8::try_from(number).unwrap(); limits::HTTP2_GATHERED_WRITE];
        assert_eq!(written(&mut io, &piece), Some(piece.len()));
        assert!(Pin::new(&mut io).poll_flush(&mut waker()).is_ready());
    }
    assert_eq!(socket.lengths(), [8], "it waits");
    // At the bound everything is written, and what follows is gathered anew.
    assert_eq!(written(&mut io, b"more"), Some(4));
    assert_eq!(socket.lengths(), [8, limits::HTTP2_GATHERED]);
    // A long piece is written by itself, behind what was gathered, as far as there is room.
    let long = vec![9; limits::HTTP2_GATHERED_WRITE + 1];
    assert_eq!(written(&mut io, &long), Some(6));
    assert_eq!(socket.lengths(), [8, limits::HTTP2_GATHERED, 4, 6]);
    assert_eq!(written(&mut io, &long), None);
    assert!(traffic.blocked_since().is_some());
    // A full socket holds back what does not fit into the buffer.
    for _ in 0..pieces {
        assert_eq!(written(&mut io, &long[1..]), Some(long.len() - 1));
    }
    assert_eq!(written(&mut io, b"x"), None);
    assert!(traffic.poll_output(&*socket, &mut waker()).is_pending());
    *socket.room.lock() = usize::MAX;
    assert!(traffic.poll_output(&*socket, &mut waker()).is_ready());
    assert!(traffic.blocked_since().is_none());
    let all = socket.calls.lock().concat();
    let expected: Vec<u8> =
        (0..pieces).flat_map(|n| vec![u8::try_from(n).unwrap(); limits::HTTP2_GATHERED_WRITE]).collect();
    assert!(all.starts_with(&[&b"settings"[..], &expected, b"more", &[9; 6]].concat()));
    assert_eq!(all.len(), 8 + 2 * limits::HTTP2_GATHERED + 4 + 6);
    // What was gathered is written before the end.
    assert_eq!(written(&mut io, b"end"), Some(3));
    io.shutdown().await.unwrap();
    assert!(socket.calls.lock().concat().ends_with(b"end"));
}
