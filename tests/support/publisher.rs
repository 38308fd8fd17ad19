//! A publisher of generated frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::frame::{Frame, SIZE, Tracks};
use super::rtmp::RtmpClient;

/// Sends numbered frames on request.
pub struct Publisher {
    pub client: RtmpClient,
    tracks: Tracks,
    size: usize,
    next: u64,
}

impl Publisher {
    /// Publishes audio and video under `live/NAME`; the headers are on their way.
    #[track_caller]
    pub fn start(port: u16, name: &str) -> Self {
        Publisher::with(RtmpClient::publish(port, "live", name), Tracks::Both)
    }

    /// Over a client that was opened; waits until it may publish.
    #[track_caller]
    pub fn with(client: RtmpClient, tracks: Tracks) -> Self {
        Publisher::over(client.wait_started(), tracks)
    }

    /// Over a client that may publish already.
    #[track_caller]
    pub fn over(client: RtmpClient, tracks: Tracks) -> Self {
        let mut publisher = Publisher { client, tracks, size: SIZE, next: 0 };
        for frame in tracks.headers() {
            publisher.send_frame(&frame);
        }
        publisher
    }

    /// Sets the length of the frames to come.
    pub fn set_size(&mut self, size: usize) {
        self.size = size;
    }

    /// Sends one media message.
    #[track_caller]
    pub fn send_frame(&mut self, frame: &Frame) {
        self.client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
        self.client.flush();
        assert_eq!(self.client.end(), None, "the publisher's connection has ended");
    }

    /// Sends the next `count` frames and returns the number of the last.
    #[track_caller]
    pub fn send(&mut self, count: u64) -> u64 {
        for _ in 0..count {
            let frame = self.tracks.frame(self.next, self.size);
            self.send_frame(&frame);
            self.next += 1;
        }
        self.next - 1
    }

    /// The number of the next frame.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Goes on with frame `n`.
    pub fn skip_to(&mut self, n: u64) {
        self.next = n;
    }

    /// Sends a frame every few milliseconds until stopped.
    pub fn keep_sending(self) -> Feed {
        self.keep_sending_every(Duration::from_millis(5))
    }

    /// Sends a frame at this interval until stopped.
    pub fn keep_sending_every(mut self, interval: Duration) -> Feed {
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(self.next));
        let (stopped, count) = (stop.clone(), sent.clone());
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                self.send(1);
                count.store(self.next, Ordering::Relaxed);
                thread::sleep(interval);
            }
            self
        });
        Feed { stop, sent, thread: Some(thread) }
    }

    /// Ends the stream as an encoder should.
    pub fn leave(self) {
        self.client.leave();
    }

    /// Ends it as an encoder does that is killed.
    pub fn reset(self) {
        self.client.reset();
    }
}

/// A publisher that sends in a thread of its own.
pub struct Feed {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<Publisher>>,
}

impl Feed {
    /// The number of the next frame.
    pub fn next(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends the sending and gives the publisher back.
    #[track_caller]
    pub fn stop(mut self) -> Publisher {
        self.stop_sending()
    }

    /// As [`Feed::stop`]; may be called once.
    #[track_caller]
    pub fn stop_sending(&mut self) -> Publisher {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().expect("the publisher could send all the time")
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
