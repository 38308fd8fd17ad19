//! Bounds of what is decoded: AMF0, RTMP messages and chunks, FLV, tracks and their headers.

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

const _: () = assert!(UNADMITTED_MESSAGE <= UNADMITTED_PARTIAL);
const _: () = assert!(UNADMITTED_MESSAGE <= MESSAGE_LENGTH);
const _: () = assert!(PAYLOAD_RESERVE <= UNADMITTED_PARTIAL);
const _: () = assert!(CHUNK_SIZE as usize >= MESSAGE_LENGTH);
