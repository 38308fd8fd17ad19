//! Every fixed bound, with its reason. Bounds that a directive sets are arguments where they are used.

use std::time::Duration;

/// Levels of objects and arrays inside one AMF0 value. Metadata and commands use two or three; the
/// decoder recurses, so this also bounds its stack.
pub const AMF0_DEPTH: usize = 32;

/// AMF0 values decoded from one payload. A marker of one byte becomes a value of some eighty, so a
/// payload of the largest size would otherwise take eighty times its length.
pub const AMF0_VALUES: usize = 4096;

/// Largest payload of one message: its length field has 24 bits (RTMP 1.0 §5.3.1.2.1, FLV E.4.1).
pub const MESSAGE_LENGTH: usize = 0xFF_FFFF;

/// Chunk streams of one connection that are kept. The protocol has 65,598 ids; clients use a handful, ffmpeg's highest is one
/// of the first hundred.
pub const CHUNK_STREAMS: usize = 256;

/// Largest chunk size: no message is longer, so a larger one means the same (RTMP 1.0 §5.4.1).
pub const CHUNK_SIZE: u32 = 0xFF_FFFF;

/// Bytes reserved for a payload when its header arrives. Later growth follows the bytes that came, so a
/// declared length of 16 MiB costs its sender 16 MiB.
pub const PAYLOAD_RESERVE: usize = 4096;

/// How many messages of the allowed length may be under way at once on different chunk streams.
/// Encoders interleave audio, video and a command: three, one to spare.
pub const PARTIAL_MESSAGES: usize = 4;

/// Longest message before connect is accepted. A connect command with tokens in its URLs takes a few
/// kilobytes; whoever has not been admitted gets no more memory than that needs.
pub const UNADMITTED_MESSAGE: usize = 64 * 1024;

/// Sum of the incomplete payloads before connect is accepted.
pub const UNADMITTED_PARTIAL: usize = 64 * 1024;

/// Commands that may wait for the answer to connect. Clients that do not wait for it send
/// releaseStream, FCPublish, createStream and publish at once.
pub const DEFERRED_COMMANDS: usize = 16;

/// Sum of the payloads of those waiting commands.
pub const DEFERRED_BYTES: usize = 64 * 1024;

/// Message streams of one connection. Encoders and players use one; web applications a few.
pub const MESSAGE_STREAMS: usize = 32;

/// Answers queued for a peer that sends without reading. The largest legitimate burst (connect, some
/// createStream, play) stays below 2 KiB.
pub const QUEUED_REPLIES: usize = 256 * 1024;

/// Messages inside one aggregate message. Recorders put about a second of audio and video into one.
pub const AGGREGATE_MESSAGES: usize = 1024;

/// Longest FLV file header that is skipped. Version 1 writes nine bytes.
pub const FLV_HEADER: usize = 1024;

/// Parameter sets kept of one decoder configuration record. AVC allows 31 sequence sets.
pub const PARAMETER_SETS: usize = 64;

/// Tracks read of one audio or video message: as many as its ids of one byte can tell apart.
pub const MESSAGE_TRACKS: usize = 256;

/// Modifiers read in front of one audio or video message. The specification knows one.
pub const MODIFIERS: usize = 16;

/// Tracks of a kind whose headers are kept for late players and recordings. Encoders that send several qualities or
/// languages send less than ten; what is beyond goes only to players that are there.
pub const TRACKS: usize = 16;

/// Further tracks of a kind whose timestamps may run apart from those of the others. Each takes a chunk stream of its own
/// towards players, of which some servers allow 32; tracks beyond share the last one.
pub const FURTHER_LANES: usize = 8;

/// Longest header that is kept of a track beside the main one, and longest colour metadata and channel configuration. They
/// take some dozens of bytes, decoder configurations a few hundred.
pub const TRACK_HEADER_BYTES: usize = 64 * 1024;

/// Bytes of all headers of a stream that are kept for late players and recordings, its metadata among them. Streams have a
/// few thousand; what is beyond goes only to players that are there.
pub const HEADERS_BYTES: usize = 1024 * 1024;

/// Longest run of zeros of an Exp-Golomb code that still fits 32 bits (H.264 §9.1).
pub const EXP_GOLOMB_ZEROS: u32 = 31;

/// How long `-t` waits for the addresses of all hosts together. Name servers answer within some tens of
/// milliseconds; whoever tests a configuration waits for the result.
pub const LINTED_HOSTS_WAIT: Duration = Duration::from_secs(2);

/// Hosts whose addresses `-t` looks up, each on a thread of its own. Callbacks and relays name a few.
pub const LINTED_HOSTS: usize = 64;

const _: () = assert!(UNADMITTED_MESSAGE <= UNADMITTED_PARTIAL);
const _: () = assert!(UNADMITTED_MESSAGE <= MESSAGE_LENGTH);
const _: () = assert!(PAYLOAD_RESERVE <= UNADMITTED_PARTIAL);
const _: () = assert!(CHUNK_SIZE as usize >= MESSAGE_LENGTH);

/// Bytes read from a socket at once. One buffer per worker thread: large enough for a key frame in one
/// read, small enough to stay in the second-level cache.
pub const READ_BUFFER: usize = 64 * 1024;

/// Reads of one connection before others of its worker get their turn.
pub const READS_PER_TURN: usize = 4;

/// Least time between two looks at the sockets of a worker that is woken for single packets thousands of times a second:
/// what a packet may wait there. A timer of the kernel is hardly finer.
pub const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Longest time for which the socket of a publisher is left alone whose players all wait for a moment of `send_delay`.
pub const READ_REST: Duration = Duration::from_millis(50);

/// Moments of `send_delay` closer than this are no reason to leave a publisher's socket alone: seldom would two messages
/// be read together.
pub const LEAST_READ_REST: Duration = Duration::from_millis(10);

/// Bytes that end such a rest. Half of what a publisher may send before the first of it is read.
pub const READ_REST_BYTES: usize = 32 * 1024;

/// Slices in one vectored write. Above some dozens nothing is gained; the system's bound is 1,024.
pub const WRITE_SLICES: usize = 64;

/// Payload bytes after which a batch of `send_delay` is sent, however young it is. More than this does not make a send
/// cheaper, and a player's socket buffer would have to hold it.
pub const BATCH_BYTES: usize = 64 * 1024;

/// How often a worker adds up what waits for its players whose sockets are full: each of them is asked.
pub const TOTAL_BACKLOG_LOOK: Duration = Duration::from_millis(250);

/// Longest `send_delay`. Above some hundred milliseconds nothing is gained.
pub const SEND_DELAY: Duration = Duration::from_secs(10);

/// Slices in the first write of a player: answer, headers and the cached group of pictures leave together.
pub const START_SLICES: usize = 192;

/// Players served before other tasks of their worker get their turn.
pub const PLAYERS_PER_TURN: usize = 128;

/// How long a player that has to leave may take for what it was to be sent.
pub const LEAVE_GRACE: Duration = Duration::from_secs(1);

/// Byte strings that may wait for a player at a message boundary: headers and a burst of control
/// messages. A peer that makes us answer more than that without reading is given up.
pub const PLAYER_PENDING_SLICES: usize = 384;

/// Bytes of such messages that may wait.
pub const PLAYER_CONTROL_BYTES: usize = 1024 * 1024;

/// Bytes of media that a player takes out of its stream for the writes to come; with the packet that goes beyond, they stay
/// in memory for as long as its socket is full.
pub const PLAYER_PENDING_BYTES: usize = 1024 * 1024;

/// Milliseconds of media a player may be behind, beside `out_queue` and on top of `cache_time`. Older media
/// is of no use to somebody who watches live.
pub const PLAYER_LAG_MS: u32 = 15_000;

// What waits by `send_delay` must not count as being behind.
const _: () = assert!(SEND_DELAY.as_millis() < PLAYER_LAG_MS as u128);
const _: () = assert!(WRITE_SLICES <= START_SLICES);
// Metadata, then of audio and video the codec headers and what belongs to them, each in two parts.
const _: () = assert!(START_SLICES + 2 * (1 + 4 * TRACKS) + 32 <= PLAYER_PENDING_SLICES);

/// How long a connection may linger so that the peer reads why it was refused.
pub const LINGER: Duration = Duration::from_secs(1);

/// Send timeout where the configuration sets none (`timeout 0`).
pub const DEFAULT_SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// Pending connections of a listening socket, as nginx.
pub const LISTEN_BACKLOG: i32 = 511;

/// Longest `Location` that a relay follows. Longer ones are no address.
pub const RELAY_ADDRESS_BYTES: usize = 4096;

/// Servers a stream may pass through, one relay to the next. Clusters have two or three levels.
pub const RELAY_HOPS: usize = 16;

/// How far the clock of a server may be from that of another whose proof it is told: a proof that was overheard is good for
/// so long, and clocks that nobody sets by the network are off by a minute or two.
pub const RELAY_PROOF_AGE: Duration = Duration::from_secs(300);

/// How long another server may take from the connection to `Play.Start` or `Publish.Start`: its callbacks may
/// take their usual three seconds each.
pub const RELAY_SETUP: Duration = Duration::from_secs(10);

/// Silence after which a relay's connection is probed.
pub const RELAY_KEEPALIVE: Duration = Duration::from_secs(15);

/// How long a relay that ends waits for the last bytes to go out.
pub const RELAY_LINGER: Duration = Duration::from_millis(500);

/// Silence after which a relay that has brought media gives way to a publisher that stands by. Streams have several
/// messages a second; a publisher that comes in the place of one that is gone should not wait long. A source of ours that has
/// lost its publisher says so, and nothing is waited for.
pub const RELAY_SILENCE: Duration = Duration::from_secs(3);

/// How long a relay of ours that asks over HTTP waits for media before the head is sent without: an origin's refusal, which
/// is a status line, has mostly come by then.
pub const RELAY_HEAD: Duration = Duration::from_secs(1);

/// How long a relay must have worked for its next try to come at once: one that ends sooner than that is taken
/// for a failure, so that a broken origin is not asked in a tight loop.
pub const RELAY_WORKED: Duration = Duration::from_millis(300);

/// Callbacks under way at once to one server whose answers decide about sessions. Others wait their turn.
pub const CALLBACK_VERDICTS: usize = 512;

/// Callbacks under way at once to one server that only tell: updates and ends.
pub const CALLBACK_NEWS: usize = 128;

/// Ends that wait to be told again to a callback server that is away. More than that are lost, with a log line.
pub const DONE_WAITING: usize = 20_000;

/// First delay before an end is told again; doubles up to the second.
pub const DONE_RETRY_FIRST: Duration = Duration::from_millis(200);

/// See [`DONE_RETRY_FIRST`].
pub const DONE_RETRY_MOST: Duration = Duration::from_secs(5);

/// Callback lines in the ledger. Lines of former configurations count too.
pub const LEDGER_LINES: usize = 256;

/// Calls kept of each of them.
pub const LEDGER_CALLS: usize = 32;

/// Connections kept open to one callback server while idle.
pub const CALLBACK_IDLE_CONNECTIONS: usize = 64;

/// How long they are kept. Below the 60 s after which many servers close, so that we rarely meet a closed one.
pub const CALLBACK_IDLE_TIME: Duration = Duration::from_secs(50);

/// The longest time that a callback may take, where `timeout=` names one the clock cannot count.
pub const CALLBACK_LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Bytes of an answer's body read so that its connection can be used again; a longer one costs the connection.
pub const CALLBACK_BODY_BYTES: usize = 64 * 1024;

/// How long a session event waits for the stream event that goes before it.
pub const CALLBACK_ORDER_GRACE: Duration = Duration::from_millis(20);

/// How long a stop waits for `done` callbacks that are on their way.
pub const STOP_CALLBACK_GRACE: Duration = Duration::from_secs(3);

/// When an HTTP connection that answers a request is looked at again, whether it is idle by then.
pub const HTTP_IDLE_LOOK: Duration = Duration::from_secs(5);

/// Lines of an HTTP request head; nginx counts only bytes.
pub const HTTP_HEADERS: usize = 512;

/// Steps that a regular expression may take on one text, as PCRE2 counts them (its `match_limit`). nginx leaves the
/// library's ten million, which keep a thread for a second.
pub const PATTERN_STEPS: u32 = 1_000_000;

/// Bytes that a regular expression may keep while it tries one text (PCRE2's `heap_limit`).
pub const PATTERN_MEMORY: usize = 8 * 1024 * 1024;

/// Bytes of an HTTP request head: nginx's `large_client_header_buffers` (4 x 8k).
pub const HTTP_HEAD_BYTES: usize = 32 * 1024;

/// Players of HLS from memory. Anybody can name a session, and each lasts for the timeout of its application.
pub const HLS2_SESSIONS: usize = 65_536;

/// Frames that wait to be written to HLS files: minutes of a stream, so that a disk may pause for a while.
pub const HLS_QUEUE_FRAMES: usize = 8192;

/// Bytes that wait to be written to HLS files, before those of the last frame.
pub const HLS_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// How long a publish waits for the files of the one before to be complete.
pub const HLS_PLACE_WAIT: Duration = Duration::from_secs(10);

/// Bytes read of a playlist to go on with; an event of a day has less.
pub const HLS_PLAYLIST_BYTES: u64 = 16 * 1024 * 1024;

/// Threads that may wait for a disk at once, for each of five kinds of work (`server::disk`). A worker's pool has 512.
pub const DISK_WORK: usize = 80;

/// Files looked at in one pass over a directory of HLS files.
pub const HLS_SWEPT_FILES: usize = 1_000_000;

/// Age of a playlist that is still being written when it counts as left behind by a server that was killed; writing one
/// takes milliseconds. A disk that hangs for longer costs that playlist, and the next one is written.
pub const HLS_TEMPORARY_AGE: Duration = Duration::from_secs(60);

/// Directories below `hls_path` that are swept: a stream name may open eight.
pub const HLS_SWEPT_DEPTH: usize = 9;

/// Bytes of a line of the error log, as in nginx. Names and arguments that a peer sends may have 64 KiB each.
pub const LOG_LINE: usize = 2048;

/// Links from one to the next that lead to a log, when they are followed one by one; a ring of links ends.
pub const LOG_LINKS: usize = 8;

/// Bytes of log lines that wait for a log to take them: seconds of a flood. Lines beyond are lost and counted; those at crit and
/// above have as much again.
pub const LOG_QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// How long the end of the process waits for a log to take the last lines.
pub const LOG_FLUSH: Duration = Duration::from_secs(2);

/// Quiet time after the last change of a configuration file before it is read: writers save in several steps.
pub const CONF_QUIET: Duration = Duration::from_millis(200);

/// How long changes may go on before the configuration is read nevertheless.
pub const CONF_SETTLE: Duration = Duration::from_secs(5);

/// How often `conf_watch on` looks where the system does not tell of changes: network file systems, or no watches
/// left.
pub const CONF_POLL: Duration = Duration::from_secs(5);

/// Statistics tell whether the files hold what is in force; anybody may ask for them, so the files are read this often at
/// most.
pub const CONF_LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// A reload that takes longer than this is told of in the log; large configurations take a second.
pub const RELOAD_SLOW: Duration = Duration::from_secs(10);

/// A reload that takes longer than this is given up for the next one, if that is asked for: it hangs. Must not be met by any
/// that works, or one after the other would be given up.
pub const RELOAD_HANGS: Duration = Duration::from_secs(30);

/// Threads that read configurations: one, and those that hang.
pub const LOADERS: usize = 4;

/// A task or thread that has died by a panic is begun anew after this: one that dies at once must not do so all the time.
pub const REVIVE_AFTER: Duration = Duration::from_secs(1);

/// At the end, how long is waited for threads that may hang, such as those that read files.
pub const STOP_HANGING: Duration = Duration::from_secs(1);

/// How long statistics and status wait for the files to be read: a file system may hang.
pub const CONF_LOOK_WAIT: Duration = Duration::from_secs(1);

/// Host names whose addresses are kept. Callback servers name hosts as they like.
pub const DNS_NAMES: usize = 4096;

/// Addresses used of one name.
pub const DNS_ADDRESSES: usize = 16;

/// Name servers used of those that `resolver` gives.
pub const DNS_SERVERS: usize = 8;

/// Names asked for at once; others wait their turn.
pub const DNS_QUESTIONS: usize = 32;

/// A DNS answer counts at least this long, so that a TTL of 0 does not mean a question per connection.
pub const DNS_TTL_LEAST: Duration = Duration::from_secs(1);

/// A DNS answer counts at most this long, whatever it says.
pub const DNS_TTL_MOST: Duration = Duration::from_secs(3600);

/// How long one question may stay without an answer before it is asked again, or elsewhere.
pub const DNS_ANSWER: Duration = Duration::from_secs(2);

/// How long a name that has an address of one family waits for the other's.
pub const DNS_OTHER_FAMILY: Duration = Duration::from_millis(200);

/// How long nobody asks again after a question that came to nothing.
pub const DNS_RETRY: Duration = Duration::from_secs(1);

/// How long a connection waits for an answer when there is a former one.
pub const DNS_PATIENCE: Duration = Duration::from_millis(500);

/// How often the system's settings about names are looked at when answers are not kept.
pub const DNS_REFRESH: Duration = Duration::from_secs(5);

/// Names that nobody has wanted for this long are not looked up ahead of time.
pub const DNS_IN_USE: Duration = Duration::from_secs(600);

/// Plaintext that one write gives to TLS; as much ciphertext may wait for the socket.
pub const TLS_WRITE: usize = 256 * 1024;

/// Times a TLS socket is read for one call: records without content must not keep a worker busy.
pub const TLS_READS: usize = 16;

/// How long a client may take for its TLS handshake.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(10);

/// Commands of single events (`exec_publish` and the like) that run at once. Clients cause them.
pub const EXEC_CHILDREN: usize = 1024;

/// Least time between two starts of a command that is kept running, whatever `respawn_timeout` says.
pub const EXEC_RESPAWN_LEAST: Duration = Duration::from_millis(100);

/// How long a command may take to end after `exec_kill_signal` before it is killed.
pub const EXEC_KILL_GRACE: Duration = Duration::from_secs(2);

const _: () = assert!(EXEC_KILL_GRACE.as_secs() < STOP_CALLBACK_GRACE.as_secs());

/// Packets that wait to be written by the recorders of one publish: minutes of a stream, so that a disk may pause.
pub const RECORD_QUEUE_PACKETS: usize = 8192;

/// Bytes that wait, before those of the last packet.
pub const RECORD_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// How long packets are gathered before a disk is troubled.
pub const RECORD_WRITE_INTERVAL: Duration = Duration::from_millis(100);

/// Control commands that wait for the recorders of one publish, which obey none while a disk hangs.
pub const RECORD_COMMANDS: usize = 64;

/// How long after a failure a recorder tries again; twice as long after each further one.
pub const RECORD_RETRY: Duration = Duration::from_secs(10);

/// The longest time between two tries of a recorder: a disk that stays full is asked seldom, and a recording goes on
/// soon after there is room again.
pub const RECORD_RETRY_MAX: Duration = Duration::from_secs(5 * 60);

/// How long a recorder waits for another one that still completes the same file.
pub const RECORD_PLACE_WAIT: Duration = Duration::from_secs(1);

/// Milliseconds that a recording holds back at its beginning until the other track has begun too: half a second covers how
/// encoders interleave. What begins later moves what follows (see [`crate::hub::origin`]).
pub const RECORD_HELD_MS: u32 = 500;

/// Most packets held back for that: two tracks of up to some hundred packets a second.
pub const RECORD_HELD_PACKETS: usize = 256;

/// Status messages of ours that wait for a publisher's connection.
pub const SESSION_STATUSES: usize = 16;

/// Largest write buffer of a recording, whatever `live_record_buffer` says.
pub const RECORD_BUFFER: usize = 16 * 1024 * 1024;

/// Connections to the control socket at once; people and scripts of one machine use it.
pub const CONTROL_CONNECTIONS: usize = 8;

/// Commands that may wait for a reload at once; the other connections stay free for those that only look.
pub const CONTROL_ORDERS: usize = CONTROL_CONNECTIONS / 2;

/// Longest request on the control socket, in bytes; the longest holds the name of a file.
pub const CONTROL_REQUEST: u64 = 16 * 1024;

/// How long a connection to the control socket may stay silent.
pub const CONTROL_IDLE: Duration = Duration::from_secs(10);

/// Longest answer of a server that a command reads, in bytes.
pub const CONTROL_ANSWER: u64 = 64 << 20;

/// How long a command waits for the answer of a server. A reload may look for files on a slow disk.
pub const CONTROL_PATIENCE: Duration = Duration::from_secs(60);

/// How long a thread waits to be the last one that has a configuration which is no longer in force; readers have it
/// for moments.
pub const RETIRED_CONFIG_WAIT: Duration = Duration::from_secs(1);

/// Configurations that are kept to go back to.
pub const GENERATIONS: usize = 10;

/// Largest configuration that is kept on disk, all its files together. Configurations of thousands of applications take a
/// megabyte.
pub const GENERATION_BYTES: u64 = 64 << 20;

/// Names looked at in the directory of kept configurations. Servers that share it have ten each.
pub const GENERATION_ENTRIES: usize = 10_000;

/// Configurations that wait to be written to disk. They come one at a time, as fast as reloads.
pub const GENERATIONS_WAITING: usize = 16;
