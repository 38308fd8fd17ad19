//! Every fixed bound with its reason. Bounds that a directive sets are parameters where they are used.

use std::time::Duration;

/// Maximum nesting of objects and arrays in one AMF0 value. Metadata and commands nest two or three levels. The decoder
/// recurses, so this also bounds its stack.
pub const AMF0_DEPTH: usize = 32;

/// Maximum number of AMF0 values decoded from one payload. A one-byte marker becomes a value of about 80 bytes, so a
/// payload of the maximum size would otherwise take 80 times its length.
pub const AMF0_VALUES: usize = 4096;

/// Maximum message payload in bytes: the length field has 24 bits (RTMP 1.0 §5.3.1.2.1, FLV E.4.1).
pub const MESSAGE_LENGTH: usize = 0xFF_FFFF;

/// Maximum number of chunk streams per connection. The protocol has 65,598 ids; clients use a handful, and the highest
/// id that ffmpeg uses is below 100.
pub const CHUNK_STREAMS: usize = 256;

/// Maximum chunk size in bytes: no message is longer, so a larger value means the same (RTMP 1.0 §5.4.1).
pub const CHUNK_SIZE: u32 = 0xFF_FFFF;

/// Bytes reserved for a payload when its header arrives. The buffer then grows with the bytes received, so that a
/// declared length of 16 MiB costs the sender 16 MiB.
pub const PAYLOAD_RESERVE: usize = 4096;

/// Maximum number of incomplete messages of the allowed length on different chunk streams. Encoders interleave audio,
/// video and a command: three, plus one spare.
pub const PARTIAL_MESSAGES: usize = 4;

/// Maximum message size in bytes before `connect` is accepted. A connect command with tokens in its URLs takes a few
/// kilobytes; a client that is not admitted yet gets no more memory than that.
pub const UNADMITTED_MESSAGE: usize = 64 * 1024;

/// Maximum sum of incomplete payloads in bytes before `connect` is accepted.
pub const UNADMITTED_PARTIAL: usize = 64 * 1024;

/// Maximum number of commands queued before the answer to `connect`. Clients that do not wait for it send
/// releaseStream, FCPublish, createStream and publish at once.
pub const DEFERRED_COMMANDS: usize = 16;

/// Maximum sum of the payloads of those queued commands, in bytes.
pub const DEFERRED_BYTES: usize = 64 * 1024;

/// Maximum number of message streams per connection. Encoders and players use one; web applications a few.
pub const MESSAGE_STREAMS: usize = 32;

/// Maximum number of reply bytes queued for a peer that sends without reading. The largest legitimate burst (connect,
/// some createStream, play) stays below 2 KiB.
pub const QUEUED_REPLIES: usize = 256 * 1024;

/// Maximum number of messages in one aggregate message. Recorders put about a second of audio and video into one.
pub const AGGREGATE_MESSAGES: usize = 1024;

/// Maximum length of an FLV file header that is skipped, in bytes. Version 1 writes nine bytes.
pub const FLV_HEADER: usize = 1024;

/// Maximum number of parameter sets kept of one decoder configuration record, in a transport stream of all kinds together.
/// AVC allows 31 sequence parameter sets, encoders use two or three.
pub const PARAMETER_SETS: usize = 64;

/// Maximum number of tracks read from one audio or video message: track ids have one byte.
pub const MESSAGE_TRACKS: usize = 256;

/// Maximum number of modifiers read before one audio or video message. The Enhanced RTMP specification defines one.
pub const MODIFIERS: usize = 16;

/// Maximum number of tracks of a kind whose headers are kept for late players and recordings. Encoders that send
/// several qualities or languages send fewer than ten. Headers of further tracks reach only players that have already
/// joined.
pub const TRACKS: usize = 16;

/// Maximum number of additional tracks of a kind with an independent timestamp chain. Each takes its own chunk stream
/// towards players, and some servers allow 32; further tracks share the last one.
pub const FURTHER_LANES: usize = 8;

/// Maximum size in bytes of a kept header of a track other than the main one, and of colour metadata and channel
/// configuration. Those take some dozens of bytes, decoder configurations a few hundred.
pub const TRACK_HEADER_BYTES: usize = 64 * 1024;

/// Maximum size in bytes of all headers of a stream that are kept for late players and recordings, including its
/// metadata. Streams have a few thousand bytes; further headers reach only players that have already joined.
pub const HEADERS_BYTES: usize = 1024 * 1024;

/// Longest run of zeros in an Exp-Golomb code that fits into 32 bits (H.264 §9.1).
pub const EXP_GOLOMB_ZEROS: u32 = 31;

/// Time that `-t` waits for the addresses of all hosts together. Name servers answer within some tens of milliseconds,
/// and a user waits for the result.
pub const LINTED_HOSTS_WAIT: Duration = Duration::from_secs(2);

/// Maximum number of hosts that `-t` resolves, each on its own thread. Callbacks and relays name a few.
pub const LINTED_HOSTS: usize = 64;

const _: () = assert!(UNADMITTED_MESSAGE <= UNADMITTED_PARTIAL);
const _: () = assert!(UNADMITTED_MESSAGE <= MESSAGE_LENGTH);
const _: () = assert!(PAYLOAD_RESERVE <= UNADMITTED_PARTIAL);
const _: () = assert!(CHUNK_SIZE as usize >= MESSAGE_LENGTH);

/// Size in bytes of the socket read buffer, of which each worker has one: large enough to read a key frame at once,
/// small enough for the second-level cache.
pub const READ_BUFFER: usize = 64 * 1024;

/// Maximum number of consecutive reads from one connection before other connections of the worker are served.
pub const READS_PER_TURN: usize = 4;

/// Minimum interval between two polls of a worker's sockets when single packets wake it thousands of times a second,
/// and so the longest additional wait of a packet. Kernel timers are hardly finer.
pub const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Longest time for which a publisher's socket is not read while all of its players wait for a delivery time of
/// `send_delay`.
pub const READ_REST: Duration = Duration::from_millis(50);

/// Delivery times of `send_delay` that are closer together than this do not suspend reading from a publisher: two
/// messages would rarely be read together.
pub const LEAST_READ_REST: Duration = Duration::from_millis(10);

/// Bytes in the socket that end such a pause: half of what a publisher may send before the first of it is read.
pub const READ_REST_BYTES: usize = 32 * 1024;

/// Maximum number of slices in one vectored write. More than some dozens gain nothing; the system's limit is 1,024.
pub const WRITE_SLICES: usize = 64;

/// Payload bytes after which a batch of `send_delay` is sent at any age. Larger batches do not make sends cheaper, and
/// a player's socket buffer would have to hold them.
pub const BATCH_BYTES: usize = 64 * 1024;

/// Interval at which a worker sums the backlog of its blocked players; each of them is visited.
pub const TOTAL_BACKLOG_LOOK: Duration = Duration::from_millis(250);

/// Maximum `send_delay`. More than some hundred milliseconds gain nothing.
pub const SEND_DELAY: Duration = Duration::from_secs(10);

/// Maximum number of slices in a player's first write: reply, headers and the cached GOP leave together.
pub const START_SLICES: usize = 192;

/// Maximum number of players served before other tasks of the worker run.
pub const PLAYERS_PER_TURN: usize = 128;

/// Time that a player being disconnected has for the data that is already queued.
pub const LEAVE_GRACE: Duration = Duration::from_secs(1);

/// Maximum number of byte strings queued for a player at a message boundary: headers and a burst of control messages. A
/// peer that causes more replies than that without reading is disconnected.
pub const PLAYER_PENDING_SLICES: usize = 384;

/// Maximum sum of those queued control messages, in bytes.
pub const PLAYER_CONTROL_BYTES: usize = 1024 * 1024;

/// Maximum number of media bytes that a player takes from its stream for the next writes. With the packet that exceeds
/// it, they stay in memory while the socket is full.
pub const PLAYER_PENDING_BYTES: usize = 1024 * 1024;

/// Maximum lag of a player in milliseconds of media, in addition to `out_queue` and `cache_time`. Older media is
/// useless for live viewing.
pub const PLAYER_LAG_MS: u32 = 15_000;

// Data that waits because of `send_delay` must not count as lag.
const _: () = assert!(SEND_DELAY.as_millis() < PLAYER_LAG_MS as u128);
const _: () = assert!(WRITE_SLICES <= START_SLICES);
// Metadata, then for audio and video each the codec headers and their extras, two slices each.
const _: () = assert!(START_SLICES + 2 * (1 + 4 * TRACKS) + 32 <= PLAYER_PENDING_SLICES);

/// Time that a connection stays open after a refusal, so that the peer can read the reason.
pub const LINGER: Duration = Duration::from_secs(1);

/// Send timeout where the configuration sets none (`timeout 0`).
pub const DEFAULT_SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// Default accept queue length of a listening socket, as in nginx.
pub const LISTEN_BACKLOG: i32 = 511;

/// Maximum length of a header of the PROXY protocol's version 1, in bytes: the longest line that the specification
/// allows, with its line end.
pub const PROXY_HEADER_V1: usize = 107;

/// Maximum length of a header of the PROXY protocol's version 2, in bytes, as in nginx. With the longest addresses, those
/// of Unix sockets, it has 232; the rest is for additional data, such as a client certificate's name.
pub const PROXY_HEADER_V2: usize = 4096;

/// Maximum time for a PROXY header where the configuration sets none (`client_header_timeout 0`, `timeout 0`).
pub const PROXY_HEADER_WAIT: Duration = Duration::from_secs(60);

/// Maximum length in bytes of a `Location` that a relay follows.
pub const RELAY_ADDRESS_BYTES: usize = 4096;

/// Maximum number of servers that a stream may pass through by relays. Clusters have two or three levels.
pub const RELAY_HOPS: usize = 16;

/// Maximum clock difference to another server whose proof is checked. An intercepted proof is valid for this long;
/// clocks that are not synchronised are off by a minute or two.
pub const RELAY_PROOF_AGE: Duration = Duration::from_secs(300);

/// Time that another server has from the connection to `Play.Start` or `Publish.Start`. Its callbacks may take the
/// usual three seconds each.
pub const RELAY_SETUP: Duration = Duration::from_secs(10);

/// Idle time after which a relay's connection is probed.
pub const RELAY_KEEPALIVE: Duration = Duration::from_secs(15);

/// Time that an ending relay waits for its last bytes to be sent.
pub const RELAY_LINGER: Duration = Duration::from_millis(500);

/// Time without media after which a relay yields to a publisher on standby. Streams carry several messages a second,
/// and a publisher that replaces a lost one should not wait long. An upstream pingosd that lost its publisher reports
/// that, and the relay yields at once.
pub const RELAY_SILENCE: Duration = Duration::from_secs(3);

/// Streams of an HTTP/2 connection whose requests were not taken yet, and the lengths of whose heads are known; those of further
/// ones count as 0.
pub const HTTP2_HEADS: usize = 512;

/// Bytes that the frames of an HTTP/2 connection may have beyond those that carry requests and bodies, as in nginx.
pub const HTTP2_FLOOD_BYTES: u64 = 1024 * 1024;

/// Share of all bytes of an HTTP/2 connection that must carry requests and bodies, as in nginx: one of so many.
pub const HTTP2_FLOOD_SHARE: u64 = 8;

/// Bytes of a stream of HTTP/2 that wait for the connection: a longer response waits in its own place.
pub const HTTP2_SEND_BUFFER: usize = 64 * 1024;

/// Streams of an HTTP/2 connection that its client has reset before their requests were taken. One more ends the connection.
pub const HTTP2_PENDING_RESETS: usize = 100;

/// Streams of an HTTP/2 connection that the server has reset because of errors of the client, in its life. One more ends the connection.
pub const HTTP2_ERROR_RESETS: usize = 1024;

/// Streams of an HTTP/2 connection that the server has reset, and of which late frames are still accepted.
pub const HTTP2_LOCAL_RESETS: usize = 128;

/// Requests of an HTTP/2 connection that its client has reset before their responses, beyond twice those that it has not. One more
/// ends the connection.
pub const HTTP2_RESETS: u64 = 1000;

/// Turns that the connection of a stream gets before the stream is reset, in which it writes what there is of the response.
pub const HTTP2_TURNS_BEFORE_RESET: usize = 8;

/// Time in which an HTTP/2 connection that ends sends what it still has to say.
pub const HTTP2_LAST_WORDS: Duration = Duration::from_secs(5);

/// Largest head of a request over HTTP/2, as RFC 9113 §6.5.2 counts it, whatever large_client_header_buffers says.
pub const HTTP2_HEAD_BYTES: u32 = 1024 * 1024;

/// Largest window of HTTP/2 (RFC 9113 §6.9.1), in bytes.
pub const HTTP2_WINDOW: u64 = i32::MAX as u64;

/// Largest DATA frame that every client accepts (RFC 9113 §4.2), in bytes.
pub const HTTP2_FRAME: u64 = 16 * 1024;

/// Time that a relay waiting for media delays the HTTP response head: an origin's refusal, which becomes a status code,
/// has usually arrived by then.
pub const RELAY_HEAD: Duration = Duration::from_secs(1);

/// Minimum time that a relay must have worked for an immediate retry. A relay that ends sooner counts as failed, so
/// that a broken origin is not contacted in a tight loop.
pub const RELAY_WORKED: Duration = Duration::from_millis(300);

/// Maximum number of concurrent callbacks per server whose answers decide about sessions. Further ones queue.
pub const CALLBACK_VERDICTS: usize = 512;

/// Maximum number of concurrent notifications per callback server (`update` and `done`), whose answers decide nothing.
pub const CALLBACK_NEWS: usize = 128;

/// Maximum number of `done` callbacks queued for a callback server that is unreachable. Further ones are dropped and
/// logged.
pub const DONE_WAITING: usize = 20_000;

/// First delay before a failed `done` is repeated; it doubles up to [`DONE_RETRY_MOST`].
pub const DONE_RETRY_FIRST: Duration = Duration::from_millis(200);

/// Maximum delay before a failed `done` is repeated.
pub const DONE_RETRY_MOST: Duration = Duration::from_secs(5);

/// Maximum number of callback lines in the ledger, including lines of former configurations.
pub const LEDGER_LINES: usize = 256;

/// Maximum number of calls kept per line.
pub const LEDGER_CALLS: usize = 32;

/// Maximum number of idle connections kept to one callback server.
pub const CALLBACK_IDLE_CONNECTIONS: usize = 64;

/// Maximum length of a trace id that a request brings, as in PingOS; new ones have this length.
pub const TRACE_ID_BYTES: usize = 32;

/// Maximum callback timeout, where `timeout=` is larger than the clock can represent.
pub const CALLBACK_LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Maximum number of bytes of a response body read to keep its connection reusable; a longer body closes the
/// connection.
pub const CALLBACK_BODY_BYTES: usize = 64 * 1024;

/// Time that a session event waits for the stream event that precedes it.
pub const CALLBACK_ORDER_GRACE: Duration = Duration::from_millis(20);

/// Time that a stop waits for `done` callbacks in progress.
pub const STOP_CALLBACK_GRACE: Duration = Duration::from_secs(3);

/// Bytes of a discarded request body that are received before the response is sent. The rest is received afterwards.
pub const HTTP_DISCARD_BYTES: usize = 1024 * 1024;

/// Attempts to find a free name for a temporary file, and to create its directories.
pub const HTTP_TEMP_NAMES: u32 = 1000;

/// Headers of a request, as in Debian's nginx.
pub const HTTP_HEADERS: usize = 1000;

/// Bytes that are read from an HTTP client at once, and kept unprocessed while a response is made.
pub const HTTP_READ_BYTES: usize = 16 * 1024;

/// Time that a response may still take once its client has closed the connection, or only its sending direction.
pub const HTTP_HALF_CLOSED: Duration = Duration::from_secs(1);

/// First time after which an HTTP connection looks at its timeouts, which are shorter or set anew then.
pub const HTTP_FIRST_WAIT: Duration = Duration::from_secs(75);

/// Largest chunk of a request body in bytes, as in nginx.
pub const HTTP_CHUNK_BYTES: u64 = i64::MAX as u64 / 16;

/// Bytes of a file that are sent by one system call, and brought into memory before.
pub const HTTP_SENDFILE_BYTES: u64 = 1024 * 1024;

/// Distance in bytes at which a part of a file is tested for being in memory before it is sent.
pub const HTTP_PRESENCE_STEP: usize = 256 * 1024;

/// Points on the ring of a consistent hash.
pub const UPSTREAM_POINTS: usize = 1 << 20;

/// Groups of servers in use after which those without requests are forgotten.
pub const UPSTREAM_GROUPS: usize = 1024;

/// Bytes that are read at once from a socket whose input is kept as it is.
pub const READ_BYTES: usize = 64 * 1024;
const _: () = assert!(HTTP_READ_BYTES <= READ_BYTES);

/// Bytes that a backend's last chunk may have as trailers.
pub const PROXY_TRAILER_BYTES: usize = 16 * 1024;

/// Interim responses of a backend before its final one.
pub const PROXY_INTERIM: usize = 100;

/// Name servers of locations (`resolver`) that answers are kept of.
pub const PROXY_RESOLVERS: usize = 64;

/// Settings of TLS to backends that are kept.
pub const PROXY_TLS_SETTINGS: usize = 256;

/// Steps of each direction of a tunnel before the other tasks of its worker run.
pub const PROXY_TUNNEL_TURNS: usize = 32;

/// Bytes that `Vary` may have for a response to be cached, as in nginx.
pub const PROXY_CACHE_VARY: usize = 128;

/// Bytes that stand before the body in the file of a cached response: its key and its head.
pub const PROXY_CACHE_HEAD: usize = 256 * 1024;

/// Cached responses of a zone whose files are kept open.
pub const PROXY_CACHE_OPEN: usize = 512;

/// Maximum length in bytes of a response that is cached.
pub const PROXY_CACHE_FILE: u64 = 1 << 40;

/// Bytes of a response that are written to the cache at once.
pub const PROXY_CACHE_WRITE: usize = 256 * 1024;

/// Maximum time between two looks at what has to be removed from caches, as in nginx.
pub const PROXY_CACHE_PAUSE: Duration = Duration::from_secs(10);

/// Age after which a temporary file in the directory of a cache is one that a process has left behind.
pub const PROXY_CACHE_TEMPORARY_AGE: Duration = Duration::from_secs(3600);

/// Directories below that of a cache that are read in: the three of `levels`.
pub const PROXY_CACHE_DEPTH: usize = 3;

/// Background updates that run in a worker at a time; beyond it, stale responses are replaced when they are next asked for.
pub const PROXY_CACHE_UPDATES: usize = 256;

/// Bytes of each direction of a tunnel that are kept until the other side takes them.
pub const PROXY_TUNNEL_BYTES: usize = 32 * 1024;

/// Bytes of a response that a filter changes at once.
pub const HTTP_FILTER_BYTES: usize = 32 * 1024;

/// Bytes of a response that a filter reads and writes before the other tasks of its worker run.
pub const HTTP_FILTER_TURN: usize = 128 * 1024;

/// Maximum number of files that `open_file_cache` keeps open, whatever `max=` is: descriptors must remain for connections.
pub const HTTP_CACHED_FILES: usize = 16_384;

/// Maximum length in bytes of a path in `open_file_cache`; the system opens no longer one.
pub const HTTP_CACHED_PATH: usize = 4096;

/// Maximum number of files in a directory that `autoindex` lists, and of those that `random_index` chooses from; beyond,
/// the request is refused with 500. nginx lists any number, and needs as much memory.
pub const HTTP_LISTED_FILES: usize = 100_000;

/// Number of files in a directory after which a listing is made and sent in parts.
pub const HTTP_LISTED_AT_ONCE: usize = 256;

/// Maximum number of log lines about files of a directory that could not be looked at.
pub const HTTP_LISTING_COMPLAINTS: usize = 10;

/// Maximum number of atoms of an MP4 file outside of its `moov` that are looked at; files have a dozen.
pub const MP4_ATOMS: usize = 10_000;

/// Longest time in milliseconds after which the rate of a response is looked at again.
pub const HTTP_RATE_WAIT: u64 = 60_000;

/// Latest second since 1970 that an HTTP date can represent: the year has four digits.
pub const HTTP_DATE_SECONDS: u64 = 253_402_300_799;

/// Largest password file in bytes.
pub const HTTP_USER_FILE_BYTES: usize = 8 * 1024 * 1024;

/// Number of subrequests that may be nested, as in nginx.
pub const HTTP_SUBREQUESTS: u32 = 50;

/// Number of internal redirects and rewrites after which a request is refused with 500, as in nginx (10 are followed).
pub const HTTP_PATH_CHANGES: u32 = 11;

/// Path changes that `post_action` may begin with where a request has used all of its own, as in nginx.
pub const HTTP_PATH_CHANGES_AGAIN: u32 = 15;

/// Maximum number of steps of one match attempt of a regular expression, as PCRE2 counts them (`match_limit`). nginx
/// leaves the library's default of ten million, which takes about a second.
pub const PATTERN_STEPS: u32 = 1_000_000;

/// Maximum memory in bytes of one match attempt (PCRE2's `heap_limit`).
pub const PATTERN_MEMORY: usize = 8 * 1024 * 1024;

/// Maximum number of hls2 players. Any client can name a session, and each lasts for the timeout of its application.
pub const HLS2_SESSIONS: usize = 65_536;

/// Maximum number of HLS sessions of one address whose stream is not published and that have got nothing yet. Behind a proxy
/// many players may have the same address.
pub const HLS2_ABSENT_VIEWERS: usize = HLS2_SESSIONS / 32;

/// Time that such a session lasts after its last request.
pub const HLS2_ABSENT: Duration = Duration::from_secs(5);

/// Maximum number of bytes of a data message that becomes timed metadata, and of all those in one fragment.
pub const TIMED_METADATA_BYTES: usize = 64 * 1024;

/// Maximum number of bytes of an SCTE-35 section behind its length (ANSI/SCTE 35 §9.6.1).
pub const SCTE35_BYTES: usize = 4093;

/// Maximum number of events that are read of one SCTE-35 section.
pub const SCTE35_EVENTS: usize = 8;

/// Maximum number of members of a data message in which an SCTE-35 section is looked for.
pub const SCTE35_FIELDS: usize = 64;

/// Maximum number of EXT-X-DATERANGE tags kept of one stream, and of their bytes: a day with forty breaks an hour. At either
/// bound further markers are left out of playlists until old ones have left them.
pub const DATE_RANGES: usize = 2048;
/// See [`DATE_RANGES`].
pub const DATE_RANGE_BYTES: usize = 512 * 1024;

/// Number of target durations for which a request for a playlist or a part may wait (rfc8216bis §6.2.5.2: a server answers
/// 503 after three).
pub const HLS2_WAIT_TARGETS: u64 = 3;

/// Maximum number of waiting requests of one HLS session. A player has two: for a playlist and for the next part.
pub const HLS2_WAITING: usize = 16;

/// Number of parts of a segment that a request may be ahead of the last one (rfc8216bis §6.2.5.2).
pub const HLS2_PARTS_AHEAD: u64 = 3;

/// Number of segments that a request may be ahead of the last one (rfc8216bis §6.2.5.2).
pub const HLS2_SEGMENTS_AHEAD: u64 = 2;

/// Maximum number of frames queued for HLS files: minutes of a stream, to survive a stalled disk.
pub const HLS_QUEUE_FRAMES: usize = 8192;

/// Maximum number of bytes queued for HLS files, not counting the last frame.
pub const HLS_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// Time that a publish waits until the files of the preceding one are complete.
pub const HLS_PLACE_WAIT: Duration = Duration::from_secs(10);

/// Maximum size in bytes of a playlist that is continued; the playlist of a one-day event is smaller.
pub const HLS_PLAYLIST_BYTES: u64 = 16 * 1024 * 1024;

/// Maximum number of packets of a publish queued for a task that writes files: minutes of a stream, to survive a stalled
/// disk.
pub const PUBLISH_QUEUE_PACKETS: usize = 8192;

/// Maximum number of bytes of a publish queued for a task that writes files, not counting the last batch.
pub const PUBLISH_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// Maximum size in bytes of a DASH segment of one track, apart from its last frame.
pub const DASH_SEGMENT_BYTES: usize = 256 * 1024 * 1024;

/// Maximum number of frames of a DASH track that wait for the next segment, because their codec has changed.
pub const DASH_WAITING_FRAMES: usize = 4096;

/// Maximum number of segments of a track in a DASH manifest.
pub const DASH_SEGMENTS: usize = 100_000;

/// Difference between the media and the time of day at which DASH corrects the time line: the media has paused, or the
/// publisher's clock is slow or fast. It exceeds the jitter of networks and encoders.
pub const DASH_DRIFT: Duration = Duration::from_secs(5);

/// By how much DASH may slow the time line of a publisher whose clock is fast, in millionths. Clocks are wrong by less.
pub const DASH_SLOWER: i64 = 50_000;

/// Maximum number of threads blocked on a disk, for each of eight kinds of work. A worker's thread pool has 512.
pub const DISK_WORK: usize = 60;

/// Maximum number of files visited in one pass over a directory of HLS files.
pub const HLS_SWEPT_FILES: usize = 1_000_000;

/// Age at which an incomplete playlist counts as left behind by a killed server; writing one takes milliseconds. A disk
/// that stalls for longer loses that playlist, and the next one is written.
pub const HLS_TEMPORARY_AGE: Duration = Duration::from_secs(60);

/// Maximum depth of directories below `hls_path` that are cleaned: a stream name may create eight.
pub const HLS_SWEPT_DEPTH: usize = 9;

/// Maximum length in bytes of an error log line, as in nginx. Names and arguments from a peer may be 64 KiB each.
pub const LOG_LINE: usize = 2048;

/// Interval in which an error that repeats gets one line.
pub const LOG_REPEAT: Duration = Duration::from_secs(10);

/// Maximum number of texts of the error log that are watched for repetition; further ones are written each time.
pub const LOG_REPEATED_TEXTS: usize = 256;

/// Maximum number of symbolic links followed to a log file, one by one; ends a loop of links.
pub const LOG_LINKS: usize = 8;

/// Maximum number of bytes queued for a log: seconds of a flood. Further lines are dropped and counted; lines of the error
/// log of level crit and above have a second queue of the same size.
pub const LOG_QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// Maximum number of bytes of several lines that are written to a log at once.
pub const LOG_WRITE: usize = 64 * 1024;

/// Time for which lines gather before they are written to a log together.
pub const LOG_GATHER: Duration = Duration::from_millis(1);

/// Number of items that the queue of a log keeps room for while it is empty.
pub const LOG_KEPT_ROOM: usize = 256;

/// Stack of the thread that writes a log.
pub const LOG_STACK: usize = 256 * 1024;

/// Time between two reports in the error log about lines that another log has lost, as in nginx.
pub const LOG_LOSS_REPORT: Duration = Duration::from_secs(60);

/// Time for which a log on a full disk is not written: its lines are lost without a try. As in nginx.
pub const LOG_DISK_FULL: Duration = Duration::from_secs(1);

/// Maximum time that a syslog server may take to accept a message.
pub const SYSLOG_SEND: Duration = Duration::from_secs(1);

/// Maximum number of sessions whose periodic lines are made under one lock.
pub const RTMP_LOG_TURN: usize = 64;

/// Maximum time until a changed `trunc=` is noticed.
pub const RTMP_LOG_LOOK: Duration = Duration::from_secs(1);

/// Maximum length in bytes of a line of the RTMP access log. Names and arguments from a peer may be 64 KiB each.
pub const RTMP_LOG_LINE: usize = 16 * 1024;

/// Time after which `buffered_log` looks at sessions again; its lines count in seconds.
pub const MONITOR_PERIOD: Duration = Duration::from_secs(1);

/// Maximum number of sessions that `buffered_log` looks at under one lock.
pub const MONITOR_TURN: usize = 64;

/// Time that the process's end waits for a log to accept the last lines.
pub const LOG_FLUSH: Duration = Duration::from_secs(2);

/// Quiet time after the last change of a configuration file before it is read: editors save in several steps.
pub const CONF_QUIET: Duration = Duration::from_millis(200);

/// Time after which continuing changes no longer delay the reading.
pub const CONF_SETTLE: Duration = Duration::from_secs(5);

/// Polling interval of `conf_watch on` where the system reports no changes: on network file systems, or when inotify
/// watches are exhausted.
pub const CONF_POLL: Duration = Duration::from_secs(5);

/// Minimum interval between two reads of the files for statistics, which report whether the files match the
/// configuration in force; any client may request them.
pub const CONF_LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Duration after which a running reload is logged as slow; large configurations take a second.
pub const RELOAD_SLOW: Duration = Duration::from_secs(10);

/// Duration after which a reload counts as hanging and a new one replaces it. It must exceed the duration of any
/// working reload, or reloads would replace one another forever.
pub const RELOAD_HANGS: Duration = Duration::from_secs(30);

/// Maximum number of threads that read configurations: one active, the others hanging.
pub const LOADERS: usize = 4;

/// Delay before a task or thread that panicked is restarted, so that an immediate panic does not cause a tight loop.
pub const REVIVE_AFTER: Duration = Duration::from_secs(1);

/// Time that the process's end waits for threads that may hang, such as those that read files.
pub const STOP_HANGING: Duration = Duration::from_secs(1);

/// Time that statistics and status wait for the files to be read: a file system may hang.
pub const CONF_LOOK_WAIT: Duration = Duration::from_secs(1);

/// Maximum number of host names in the cache. Callback servers may name any host.
pub const DNS_NAMES: usize = 4096;

/// Maximum number of addresses used per name.
pub const DNS_ADDRESSES: usize = 16;

/// Maximum number of name servers used of a `resolver` line.
pub const DNS_SERVERS: usize = 8;

/// Maximum number of concurrent DNS queries; further ones queue.
pub const DNS_QUESTIONS: usize = 32;

/// Minimum lifetime of a DNS answer, so that a TTL of 0 does not cause a query per connection.
pub const DNS_TTL_LEAST: Duration = Duration::from_secs(1);

/// Maximum lifetime of a DNS answer, whatever its TTL.
pub const DNS_TTL_MOST: Duration = Duration::from_secs(3600);

/// Timeout of a DNS query before it is repeated or sent to another server.
pub const DNS_ANSWER: Duration = Duration::from_secs(2);

/// Time that a name with an address of one family waits for the other family.
pub const DNS_OTHER_FAMILY: Duration = Duration::from_millis(200);

/// Minimum interval between queries for a name after a failure.
pub const DNS_RETRY: Duration = Duration::from_secs(1);

/// Time that a connection waits for an answer when an expired one exists.
pub const DNS_PATIENCE: Duration = Duration::from_millis(500);

/// Interval at which the system's resolver settings are checked when answers are not cached.
pub const DNS_REFRESH: Duration = Duration::from_secs(5);

/// Names not requested for this long are not refreshed ahead of time.
pub const DNS_IN_USE: Duration = Duration::from_secs(600);

/// Maximum number of plaintext bytes passed to TLS in one write; as much ciphertext may wait for the socket.
pub const TLS_WRITE: usize = 256 * 1024;

/// Maximum number of socket reads per read call on a TLS stream: records without content must not occupy a worker.
pub const TLS_READS: usize = 16;

/// Certificates that a peer's chain may have, whatever `ssl_verify_depth` says, as in OpenSSL.
pub const TLS_CHAIN: usize = 100;

/// Cipher suites and curves that are noted of those that a client offers, for `$ssl_ciphers` and `$ssl_curves`.
pub const TLS_OFFERED: usize = 256;

/// Early data that a client may send, as in nginx.
pub const TLS_EARLY_DATA: u32 = 16 * 1024;

/// Sessions that are kept for `ssl_early_data` without `ssl_session_cache`.
pub const TLS_EARLY_SESSIONS: usize = 20_480;

/// Sessions that `ssl_session_cache builtin` keeps without a number, as in OpenSSL.
pub const TLS_SESSIONS: u64 = 20_480;

/// Bytes that a session occupies besides its contents.
pub const TLS_SESSION_OVERHEAD: usize = 256;

/// Maximum size of a TLS session that is kept: it holds the client's certificates.
pub const TLS_SESSION_BYTES: usize = 64 * 1024;

/// Passwords of an `ssl_password_file` that are tried.
pub const TLS_PASSWORDS: usize = 128;

/// Time in which a client may close after a failed TLS handshake, before it is closed.
pub const TLS_PARTING: Duration = Duration::from_secs(1);

/// Time that an OCSP responder's address has for its answer, as in nginx.
pub const OCSP_TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum size of an OCSP responder's answer with its head, as in nginx. Longer ones are cut and then malformed.
pub const OCSP_RESPONSE: u64 = 16 * 1024;

/// Bytes that a certificate's status occupies in `ssl_ocsp_cache` besides what identifies the certificate.
pub const OCSP_STATUS_OVERHEAD: usize = 128;

/// OCSP requests made at the same time.
pub const OCSP_REQUESTS: usize = 64;

/// OCSP requests made at the same time to one responder, by its host and port: one that does not answer delays no other.
pub const OCSP_REQUESTS_EACH: usize = 8;

const _: () = assert!(OCSP_REQUESTS_EACH * 4 <= OCSP_REQUESTS);

/// OCSP requests that wait for one responder; further ones fail.
pub const OCSP_QUEUE_EACH: usize = 128;

const _: () = assert!(OCSP_QUEUE_EACH * 4 <= OCSP_QUEUE);

/// OCSP requests that wait beyond those; further ones fail.
pub const OCSP_QUEUE: usize = 1024;

/// Timeout of a TLS handshake.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(10);

/// Maximum number of concurrent commands of single events (`exec_publish` and the like), which clients cause.
pub const EXEC_CHILDREN: usize = 1024;

/// Minimum interval between two starts of a command that is kept running, whatever `respawn_timeout` is.
pub const EXEC_RESPAWN_LEAST: Duration = Duration::from_millis(100);

/// Time that a command has to end after `exec_kill_signal` before it is killed.
pub const EXEC_KILL_GRACE: Duration = Duration::from_secs(2);

const _: () = assert!(EXEC_KILL_GRACE.as_secs() < STOP_CALLBACK_GRACE.as_secs());

/// Maximum number of packets queued for the recorders of one publish: minutes of a stream, to survive a stalled disk.
pub const RECORD_QUEUE_PACKETS: usize = 8192;

/// Maximum number of bytes queued for them, not counting the last packet.
pub const RECORD_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// Interval at which recorders write collected packets.
pub const RECORD_WRITE_INTERVAL: Duration = Duration::from_millis(100);

/// Maximum number of control commands queued for the recorders of one publish, which process none while a disk stalls.
pub const RECORD_COMMANDS: usize = 64;

/// Delay of a recorder's first retry after a failure; each further failure doubles it.
pub const RECORD_RETRY: Duration = Duration::from_secs(10);

/// Maximum delay between two retries of a recorder: a full disk is rarely tried, and a recording resumes soon after
/// space is free.
pub const RECORD_RETRY_MAX: Duration = Duration::from_secs(5 * 60);

/// Time that a recorder waits for another one that is still completing the same file.
pub const RECORD_PLACE_WAIT: Duration = Duration::from_secs(1);

/// Media time in milliseconds that a recording buffers at its beginning until the other track has begun: half a second
/// covers the interleaving of encoders. A track that begins later shifts what follows (see [`crate::hub::origin`]).
pub const RECORD_HELD_MS: u32 = 500;

/// Maximum number of packets buffered for that: two tracks of up to some hundred packets a second.
pub const RECORD_HELD_PACKETS: usize = 256;

/// Maximum length of the name to which a control request moves sessions, in bytes; names in RTMP commands are not longer.
pub const REDIRECT_NAME: usize = 65_535;

/// Time that the answer to a control request waits at most until sessions have moved to another stream. Encoders send a key
/// frame every few seconds.
pub const REDIRECT_PATIENCE: Duration = Duration::from_secs(3);

/// Maximum number of bans; each is compared with every publish, play and HTTP request.
pub const BANS: usize = 1_000;

/// Maximum number of streams with metrics of their own (`rtmp_metrics top=`): each is a series that Prometheus keeps for
/// every name that ever occurs.
pub const METRICS_STREAMS: usize = 1000;

/// Maximum length of a label of metrics in bytes; longer names are cut.
pub const METRICS_LABEL: usize = 128;

/// Interval at which counters are noted for rates in statistics.
pub const RATE_INTERVAL: Duration = Duration::from_secs(2);

/// Time over which rates in statistics are computed, as in nginx-rtmp.
pub const RATE_WINDOW: Duration = Duration::from_secs(10);
const _: () = assert!(RATE_INTERVAL.as_secs() < RATE_WINDOW.as_secs());

/// Maximum number of status messages queued for a publisher's connection.
pub const SESSION_STATUSES: usize = 16;

/// Maximum number of audio packets kept of the two seconds in which a recording waits for video; further ones are not in
/// the recording.
pub const RECORD_EARLY_PACKETS: usize = 1024;

/// Media time in milliseconds from which on a key frame begins another fragment of a recorded MP4.
pub const RECORD_FRAGMENT_MIN_MS: u64 = 500;

/// Media time in milliseconds after which a fragment of a recorded MP4 ends without a key frame: after a crash, the file
/// lacks at most this much, and [`RECORD_WRITE_INTERVAL`].
pub const RECORD_FRAGMENT_MAX_MS: u64 = 1_000;

/// Maximum number of bytes in a fragment of a recorded MP4, not counting the last frame.
pub const RECORD_FRAGMENT_BYTES: usize = 8 * 1024 * 1024;

/// Maximum number of frames in a fragment of a recorded MP4.
pub const RECORD_FRAGMENT_FRAMES: usize = 4096;

/// Maximum number of entries in the index of a recorded MP4; at the bound every second one is dropped, and so are further
/// ones, so that the index covers the whole file.
pub const RECORD_INDEX_ENTRIES: usize = 8192;

/// Maximum number of recorded files whose indexes one request for a recording reads: four weeks in files of ten minutes.
pub const VOD_FILES: usize = 4096;

/// Maximum number of parts in one playlist or response of a recording: two days in parts of eight seconds.
pub const VOD_PARTS: usize = 20_000;

/// Maximum number of bytes that are read of one index file.
pub const VOD_INDEX_BYTES: u64 = 8 * 1024 * 1024;

/// Number of bytes of a recording that are read and converted at a time.
pub const VOD_READ_BYTES: usize = 256 * 1024;

/// Maximum number of converted pieces that wait for the client.
pub const VOD_PIECES: usize = 4;

/// Maximum number of bytes collected for one frame of a recording; a larger one is left out.
pub const VOD_FRAME_BYTES: usize = 16 * 1024 * 1024 - 1024;

/// Interval at which playback that follows a recording looks for new parts.
pub const VOD_FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum write buffer of a recording in bytes, whatever `live_record_buffer` is.
pub const RECORD_BUFFER: usize = 16 * 1024 * 1024;

/// Maximum number of commands at the control socket at once; users and scripts of one machine use it.
pub const CONTROL_CONNECTIONS: usize = 8;

/// Interval at which files that are too old or too many are looked for (`record_keep` and its siblings).
pub const KEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Time without a modification after which a file may be removed for being old. Another process may still be writing a
/// younger one.
pub const KEEP_QUIET: Duration = Duration::from_secs(10);

/// As [`KEEP_QUIET`] while the other process of an upgrade runs, which may write to the same directories.
pub const KEEP_QUIET_SHARED: Duration = Duration::from_secs(3600);

/// Maximum number of files of one directory that are looked at.
pub const KEEP_FILES: usize = 200_000;

/// Levels of directories below the application's one in which recordings are looked for. A stream name may have slashes.
pub const KEEP_DEPTH: usize = 16;

/// Maximum size of a message between the two processes of an upgrade, in bytes: it contains the names of a stream, each
/// byte of which may take three.
pub const COUNTERPART_MESSAGE: u64 = 1 << 20;

/// Time that a new process waits for the streams of the one that it replaces before it accepts connections.
pub const COUNTERPART_JOIN: Duration = Duration::from_secs(5);

/// Time that a program which did not take over has to say what it finds wrong with the configuration.
pub const UPGRADE_TEST: Duration = Duration::from_secs(10);

/// Maximum number of such lines in the log.
pub const UPGRADE_COMPLAINTS: usize = 10;

/// Interval at which a new process tries to exchange streams with the one that it replaces, after the exchange broke off.
pub const COUNTERPART_REJOIN: Duration = Duration::from_secs(1);

/// Time that a publisher waits until the other process of an upgrade agrees.
pub const COUNTERPART_PATIENCE: Duration = Duration::from_secs(5);

/// Interval at which a process of an upgrade tells the other one that it is alive.
pub const COUNTERPART_ALIVE: Duration = Duration::from_secs(2);

/// Time without a message after which the other process of an upgrade counts as ended.
pub const COUNTERPART_SILENCE: Duration = Duration::from_secs(10);

/// Interval at which it is checked whether a publisher that was claimed still comes.
pub const COUNTERPART_LOOK: Duration = Duration::from_millis(100);

/// Maximum number of connections to the control socket, requests of the other process of an upgrade included. Those take
/// one for each stream and for each request that they share.
pub const CONTROL_SOCKETS: usize = 16_384;

/// Interval of attempts to fetch a stream from the other process of an upgrade.
pub const COUNTERPART_RETRY: Duration = Duration::from_millis(50);

/// Maximum number of event streams of consoles. All share one document per tick.
pub const CONSOLE_EVENT_STREAMS: usize = 64;

/// Time between two events.
pub const CONSOLE_TICK: Duration = Duration::from_secs(1);

/// Time that a reader of events may take for one of them.
pub const CONSOLE_SLOW: Duration = Duration::from_secs(10);

/// Maximum number of streams in an event.
pub const CONSOLE_STREAMS: usize = 200;

/// Maximum number of clients in an event, of all streams together, if there are not more streams than that.
pub const CONSOLE_CLIENTS: usize = 1000;

/// Maximum number of callback lines, and of calls, in an event.
pub const CONSOLE_CALLS: usize = 50;

/// Maximum length of an application's or stream's name by which the console can select it, in bytes.
pub const CONSOLE_NAME: usize = 512;

/// Maximum length of a text that peers choose in an event, in bytes.
pub const CONSOLE_TEXT: usize = 256;

/// Longest time by which a client is said to be behind its publisher; one that is further behind plays something else.
pub const CONSOLE_DELAY: Duration = Duration::from_secs(600);

/// Maximum size of the configuration's texts that the console shows, in bytes.
pub const CONSOLE_CONF: usize = 4 << 20;

/// Maximum number of requests of consoles that wait for a reload.
pub const CONSOLE_ORDERS: usize = 4;

/// Maximum number of child processes that make snapshots.
pub const SNAPSHOT_CHILDREN: usize = 2;

/// Maximum number of requests that wait for a snapshot.
pub const SNAPSHOT_WAITING: usize = 64;

/// Maximum number of snapshots kept, one for each stream and format.
pub const SNAPSHOT_KEPT: usize = 64;

/// Number of key frames of a stream that are kept, each until the next one, after a snapshot was asked for.
pub const KEY_FRAMES_FOR_PICTURES: u32 = 16;

/// Time that a request for a snapshot waits for a key frame.
pub const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(6);

/// Interval at which a request for a snapshot looks for a key frame.
pub const SNAPSHOT_LOOK: Duration = Duration::from_millis(100);

/// Maximum size of a snapshot in bytes. It is at most 960 pixels wide.
pub const SNAPSHOT_BYTES: usize = 1 << 20;

/// Maximum size in bytes of a decoder's complaints that are read.
pub const SNAPSHOT_ERRORS: usize = 4096;

/// Time that a child process has for a snapshot.
pub const SNAPSHOT_TIME: Duration = Duration::from_secs(5);

/// Largest block of memory that a child process may allocate, in bytes.
pub const SNAPSHOT_ALLOCATION: &str = "134217728";

/// Largest picture that a child process decodes, in pixels: 8192 by 4320.
pub const SNAPSHOT_PIXELS: &str = "35389440";

/// Maximum number of commands waiting for a reload; the other connections stay free for commands that only read.
pub const CONTROL_ORDERS: usize = CONTROL_CONNECTIONS / 2;

/// Maximum size of a request on the control socket, in bytes. The longest contains the query of an HTTP request, each byte
/// of which may take three.
pub const CONTROL_REQUEST: u64 = 128 * 1024;

/// Idle timeout of a connection to the control socket.
pub const CONTROL_IDLE: Duration = Duration::from_secs(10);

/// Maximum size of a server's answer that a command reads, in bytes.
pub const CONTROL_ANSWER: u64 = 64 << 20;

/// Time that a command waits for a server's answer. A reload may read files from a slow disk.
pub const CONTROL_PATIENCE: Duration = Duration::from_secs(60);

/// Time that a thread waits for the last reader of a replaced configuration to finish; readers hold it for moments.
pub const RETIRED_CONFIG_WAIT: Duration = Duration::from_secs(1);

/// Number of former configurations kept for a rollback.
pub const GENERATIONS: usize = 10;

/// Maximum size in bytes of a configuration kept on disk, all files together. Configurations of thousands of
/// applications take a megabyte.
pub const GENERATION_BYTES: u64 = 64 << 20;

/// Maximum number of entries visited in the directory of kept configurations. Servers that share it have ten each.
pub const GENERATION_ENTRIES: usize = 10_000;

/// Maximum number of configurations queued for writing to disk. They arrive one at a time, as fast as reloads.
pub const GENERATIONS_WAITING: usize = 16;

/// Maximum number of worker threads; more only cost memory, and PingOS's slot table ends at 128 too.
pub const WORKERS: usize = 128;

/// Maximum length of a packet between the serving process and its privileged helper, in bytes. Paths never travel in one;
/// the longest are the reason of a refusal, with a path, and the counters for an upgrade.
pub const HELPER_PACKET: usize = 16 * 1024;

/// Maximum number of descriptors in such a packet. The system's bound is 253.
pub const HELPER_DESCRIPTORS: usize = 128;

/// Maximum number of listening sockets that the helper passes on in an upgrade. The shipped configurations have a dozen.
pub const HELPER_SOCKETS: usize = 1024;

/// Maximum size in bytes of what is passed to and from the helper in files in memory: a configuration, each byte of which
/// may take two, with the list of what it names.
pub const HELPER_SETUP: u64 = 2 << 30;

/// Number of lists that the helper keeps beside those of the configurations in force, now and before: of `pingosd plan`
/// and refused reloads.
pub const HELPER_LISTS: usize = 4;

/// Maximum number of links in a path that the helper follows, as in the system.
pub const HELPER_LINKS: usize = 40;

/// Time that the helper's child has to read the configuration.
pub const HELPER_READ: Duration = Duration::from_secs(10);

/// Time that the helper has to answer: longer than [`HELPER_READ`].
pub const HELPER_ANSWER: Duration = Duration::from_secs(15);

/// Maximum wait for the answer to another request of the helper.
pub const HELPER_BUSY: Duration = Duration::from_secs(1);

/// Number of requests that the helper answers at once. A start or reload needs one for each file that only root may open,
/// at most some thousands.
pub const HELPER_BURST: f64 = 8192.0;

/// Number of further requests per second.
pub const HELPER_PER_SECOND: f64 = 200.0;

/// Number of requests for which one counts that starts a process.
pub const HELPER_COST_OF_PROCESS: f64 = 100.0;

/// Maximum number of log lines of the helper per second.
pub const HELPER_ALERTS: usize = 20;

/// Maximum number of addresses in a line of `advertise`.
pub const CLUSTER_ADDRESSES: usize = 16;

/// Maximum length of an address of etcd or of a server of a cluster.
pub const CLUSTER_ADDRESS_BYTES: usize = 300;

/// Maximum number of servers, and of streams, of a cluster that this server knows; further ones are not found by it.
pub const CLUSTER_ENTRIES: usize = 1 << 20;

/// Number of servers that a stream is pulled from in turn, beside the one that has claimed its name.
pub const CLUSTER_CARRIERS: usize = 4;

/// Number of keys that are read from etcd at once.
pub const CLUSTER_PAGE: usize = 1000;

/// Maximum length of an answer of etcd, and of what a watch sends at once.
pub const CLUSTER_ANSWER_BYTES: usize = 16 << 20;

/// Number of idle connections to etcd that are kept.
pub const CLUSTER_CONNECTIONS: usize = 16;

/// Time that etcd has to answer a request.
pub const CLUSTER_REQUEST: Duration = Duration::from_secs(2);

/// Time that a new publisher waits for its name before `registry_down` decides: one address of etcd may be silent meanwhile.
pub const CLUSTER_PATIENCE: Duration = Duration::from_secs(5);

/// Pause before a failed request about a name is repeated.
pub const CLUSTER_RETRY: Duration = Duration::from_millis(100);

/// Maximum length of the text of a refusal by etcd, in characters.
pub const CLUSTER_REFUSAL: usize = 200;

/// Maximum number of servers, and of streams, of the cluster that a statistics document lists.
pub const CLUSTER_LISTED: usize = 10_000;

/// Maximum length of a group's configuration in etcd. A change writes it together with the one before it, and etcd takes
/// requests of at most 1.5 MiB.
pub const CLUSTER_CONF_BYTES: usize = 640 << 10;

/// Maximum length of a server's reasons against a group's configuration, in etcd.
pub const CLUSTER_CONF_REASONS: usize = 2000;

/// Duration of the lease of a group's configuration on trial: it ends with the command that tries it.
pub const CLUSTER_CONF_TRIAL: Duration = Duration::from_secs(30);

/// Time between two looks at the answers of a group's servers.
pub const CLUSTER_CONF_LOOK: Duration = Duration::from_millis(200);

/// Time that a command about a group may take beyond its `--timeout`, for a last look at the answers, and again for the end
/// of a trial.
pub const CLUSTER_CONF_OVERRUN: Duration = Duration::from_millis(500);

/// Time that `pingosd cluster apply` waits for the servers by default.
pub const CLUSTER_CONF_WAIT: Duration = Duration::from_secs(60);

const _: () = assert!(2 * CLUSTER_CONF_BYTES < (3 << 19) - (64 << 10));

const _: () = assert!(CLUSTER_PATIENCE.as_millis() > 2 * CLUSTER_REQUEST.as_millis());

/// Maximum number of identifiers of an ordered certificate.
pub const ACME_IDENTIFIERS: usize = 100;

/// Maximum length of an answer of an issuer of certificates.
pub const ACME_ANSWER_BYTES: usize = 256 * 1024;

/// Maximum length of the token of a challenge.
pub const ACME_TOKEN_BYTES: usize = 256;

/// Time that an issuer of certificates has to answer a request.
pub const ACME_REQUEST: Duration = Duration::from_secs(30);

/// Maximum number of redirections of a request for the issuer's directory.
pub const ACME_REDIRECTS: usize = 10;

/// Number of times that a request is sent whose nonce the issuer does not accept.
pub const ACME_NONCES: usize = 6;

/// Time that an issuer has to decide about an identifier, and about an order.
pub const ACME_DECISION: Duration = Duration::from_secs(120);

/// Least and longest pause before an issuer is asked again whether it has decided.
pub const ACME_POLL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

/// First and longest pause before an issuer is tried again that cannot be reached.
pub const ACME_UNREACHABLE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));

/// Least and longest pause before an issuer is asked again that wants fewer requests.
pub const ACME_RATE_LIMIT: (Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(7 * 24 * 3600));

/// Least, usual and longest pause before an issuer is asked again when a certificate should be renewed (RFC 9773 section 4.3).
pub const ACME_ADVICE: (Duration, Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(6 * 3600), Duration::from_secs(24 * 3600));

/// Time after which a failure that goes on unchanged is logged again, with the number of its repetitions.
pub const ACME_REMINDER: Duration = Duration::from_secs(24 * 3600);

/// Least pause between two orders of the same certificate, whatever its lifetime.
pub const ACME_LEAST_PAUSE: Duration = Duration::from_secs(5);

/// Longest time after which renewals are looked at again: the clock may have been set.
pub const ACME_LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Pause before another process is asked again whether it has finished its orders.
pub const ACME_LOCK: Duration = Duration::from_secs(1);
