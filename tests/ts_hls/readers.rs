//! Every output of MPEG-TS as readers of other projects read it: mpeg2ts-reader the transport stream, h264-reader the pictures.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use h264_reader::annexb::AnnexBReader;
use h264_reader::nal::pps::PicParameterSet;
use h264_reader::nal::slice::SliceHeader;
use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::nal::{Nal, RefNal, UnitType};
use h264_reader::push::NalInterest;
use mpeg2ts_reader::demultiplex::{
    Demultiplex, DemuxContext, FilterChangeset, FilterRequest, NullPacketFilter, PatPacketFilter,
    PmtPacketFilter,
};
use mpeg2ts_reader::packet::Packet;
use mpeg2ts_reader::pes::{ElementaryStreamConsumer, PesContents, PesHeader, PesPacketFilter, PtsDts};
use mpeg2ts_reader::psi::pat::PAT_PID;
use mpeg2ts_reader::{StreamType, packet_filter_switch};

use crate::support::clip::{clip, publish};
use crate::support::http;
use crate::support::server::Prefix;
use crate::support::wait::until_true;
use crate::support::{Conf, Server};

/// What the reader has found.
#[derive(Default)]
struct Found {
    /// PMT sections that name streams.
    tables: usize,
    pcr_pid: Option<u16>,
    /// Streams by PID.
    streams: BTreeMap<u16, Elementary>,
}

struct Elementary {
    kind: StreamType,
    /// Presentation and decoding times in ticks, in order.
    times: Vec<(u64, u64)>,
    bytes: Vec<u8>,
    gaps: usize,
}

packet_filter_switch! {
    Filter<Reader> {
        Pes: PesPacketFilter<Reader, Consumer>,
        Pat: PatPacketFilter<Reader>,
        Pmt: PmtPacketFilter<Reader>,
        Null: NullPacketFilter<Reader>,
    }
}

/// What the reader calls back.
#[derive(Default)]
pub struct Reader {
    changes: FilterChangeset<Filter>,
    found: Rc<RefCell<Found>>,
}

impl DemuxContext for Reader {
    type F = Filter;

    fn filter_changeset(&mut self) -> &mut FilterChangeset<Filter> {
        &mut self.changes
    }

    fn construct(&mut self, request: FilterRequest<'_, '_>) -> Filter {
        match request {
            FilterRequest::ByPid(PAT_PID) => Filter::Pat(PatPacketFilter::default()),
            FilterRequest::Pmt { pid, program_number } => {
                Filter::Pmt(PmtPacketFilter::new(pid, program_number))
            }
            FilterRequest::ByStream { stream_type, pmt, stream_info, .. } => {
                let mut found = self.found.borrow_mut();
                found.tables += 1;
                found.pcr_pid = Some(pmt.pcr_pid().into());
                let pid: u16 = stream_info.elementary_pid().into();
                let stream = Elementary { kind: stream_type, times: Vec::new(), bytes: Vec::new(), gaps: 0 };
                found.streams.entry(pid).or_insert(stream);
                Filter::Pes(PesPacketFilter::new(Consumer { pid }))
            }
            FilterRequest::ByPid(_) | FilterRequest::Nit { .. } => Filter::Null(NullPacketFilter::default()),
        }
    }
}

/// Collects an elementary stream.
pub struct Consumer {
    pid: u16,
}

impl Consumer {
    fn with(&self, reader: &Reader, change: impl FnOnce(&mut Elementary)) {
        change(reader.found.borrow_mut().streams.get_mut(&self.pid).unwrap());
    }
}

impl ElementaryStreamConsumer<Reader> for Consumer {
    fn start_stream(&mut self, _: &mut Reader) {}

    fn begin_packet(&mut self, reader: &mut Reader, header: PesHeader<'_>) {
        let PesContents::Parsed(Some(parsed)) = header.contents() else {
            panic!("a PES header of another kind")
        };
        let times = match parsed.pts_dts() {
            Ok(PtsDts::PtsOnly(Ok(pts))) => (pts.value(), pts.value()),
            Ok(PtsDts::Both { pts: Ok(pts), dts: Ok(dts) }) => (pts.value(), dts.value()),
            other => panic!("{other:?}"),
        };
        self.with(reader, |stream| {
            stream.times.push(times);
            stream.bytes.extend_from_slice(parsed.payload());
        });
    }

    fn continue_packet(&mut self, reader: &mut Reader, data: &[u8]) {
        self.with(reader, |stream| stream.bytes.extend_from_slice(data));
    }

    fn end_packet(&mut self, _: &mut Reader) {}

    fn continuity_error(&mut self, reader: &mut Reader) {
        self.with(reader, |stream| stream.gaps += 1);
    }
}

/// The elementary stream of this kind in a transport stream, and its number of PES packets.
#[track_caller]
pub fn elementary(ts: &[u8], kind: StreamType) -> (Vec<u8>, usize) {
    let mut reader = Reader::default();
    let found = reader.found.clone();
    let mut demultiplex = Demultiplex::new(&mut reader);
    demultiplex.push(&mut reader, ts);
    let found = found.borrow();
    let stream = found.streams.values().find(|stream| stream.kind == kind);
    let stream = stream.unwrap_or_else(|| panic!("no {kind:?} in the transport stream"));
    assert_eq!(stream.gaps, 0, "{kind:?}");
    (stream.bytes.clone(), stream.times.len())
}

/// Pictures, and those of them that begin a group, of a video stream with this size.
fn pictures(bytes: &[u8], size: (u32, u32)) -> (usize, usize) {
    let mut context = h264_reader::Context::new();
    let (mut pictures, mut keys) = (0, 0);
    let mut reader = AnnexBReader::accumulate(|nal: RefNal<'_>| {
        if !nal.is_complete() {
            return NalInterest::Buffer;
        }
        match nal.header().unwrap().nal_unit_type() {
            UnitType::SeqParameterSet => {
                let set = SeqParameterSet::from_bits(nal.rbsp_bits()).unwrap();
                assert_eq!(set.pixel_dimensions().unwrap(), size);
                context.put_seq_param_set(set);
            }
            UnitType::PicParameterSet => {
                let set = PicParameterSet::from_bits(&context, nal.rbsp_bits()).unwrap();
                context.put_pic_param_set(set);
            }
            kind @ (UnitType::SliceLayerWithoutPartitioningIdr
            | UnitType::SliceLayerWithoutPartitioningNonIdr) => {
                // Needs the parameter sets that come before.
                let header = nal.header().unwrap();
                let (slice, _, _) =
                    SliceHeader::from_bits(&context, &mut nal.rbsp_bits(), header, None).unwrap();
                if slice.first_mb_in_slice == 0 {
                    pictures += 1;
                    keys += usize::from(kind == UnitType::SliceLayerWithoutPartitioningIdr);
                }
            }
            _ => {}
        }
        NalInterest::Buffer
    });
    reader.push(bytes);
    reader.reset();
    (pictures, keys)
}

/// Reads a transport stream, checks its rules, and returns pictures, those that begin groups, and PES packets of audio.
#[track_caller]
fn read(what: &str, ts: &[u8]) -> (usize, usize, usize) {
    assert!(!ts.is_empty() && ts.len().is_multiple_of(188), "{what}: {} bytes", ts.len());
    // Packets: each is valid, and the clock is told at least each 100 ms (ISO 13818-1 §2.7.2).
    let mut clocks: Vec<u64> = Vec::new();
    let mut counters = BTreeMap::new();
    for (n, bytes) in ts.chunks(188).enumerate() {
        let packet = Packet::try_new(bytes).unwrap_or_else(|| panic!("{what}: packet {n}"));
        assert!(!packet.transport_error_indicator() && !packet.transport_scrambling_control().is_scrambled());
        let pid: u16 = packet.pid().into();
        if packet.adaptation_control().has_payload()
            && let Some(before) = counters.insert(pid, packet.continuity_counter())
        {
            assert!(packet.continuity_counter().follows(before), "{what}: packet {n} of PID {pid}");
        }
        if let Some(Ok(clock)) = packet.adaptation_field().map(|field| field.pcr()) {
            clocks.push(clock.base());
        }
    }
    assert!(clocks.is_sorted(), "{what}: the clock goes back");
    let widest = clocks.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(widest <= 100 * 90, "{what}: {} ms without a clock", widest / 90);

    let mut reader = Reader::default();
    let found = reader.found.clone();
    let mut demultiplex = Demultiplex::new(&mut reader);
    demultiplex.push(&mut reader, ts);
    let found = found.borrow();
    let kinds: Vec<_> = found.streams.values().map(|stream| stream.kind).collect();
    assert_eq!(kinds, [StreamType::H264, StreamType::ADTS], "{what}");
    assert_eq!(found.pcr_pid, found.streams.keys().next().copied(), "{what}");
    for stream in found.streams.values() {
        assert_eq!(stream.gaps, 0, "{what}: {:?}", stream.kind);
        assert!(stream.times.is_sorted_by_key(|(_, dts)| *dts), "{what}: {:?} goes back", stream.kind);
        // Nothing is presented before it is decoded, nor decoded before the clock has that time.
        assert!(stream.times.iter().all(|(pts, dts)| pts >= dts && *dts >= clocks[0]), "{what}");
    }
    let [video, audio] = [StreamType::H264, StreamType::ADTS]
        .map(|kind| found.streams.values().find(|stream| stream.kind == kind).unwrap());
    // One picture for each PES packet, of which some are not presented in the order of decoding.
    let (pictures, keys) = pictures(&video.bytes, (320, 180));
    assert_eq!(pictures, video.times.len(), "{what}");
    assert!(!video.times.is_sorted(), "{what}: there are no pictures that are presented out of order");
    (pictures, keys, audio.times.len())
}

/// Files below a directory whose names end so, by their names with numbers in order.
pub fn files(directory: &Path, end: &str) -> Vec<PathBuf> {
    let (mut found, mut directories) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.to_str().unwrap().ends_with(end) {
                found.push(path);
            }
        }
    }
    found.sort_by_key(|path| (path.to_str().unwrap().len(), path.clone()));
    found
}

#[test]
fn readers_of_other_projects_find_every_rule_kept_in_every_output() {
    let prefix = Prefix::new();
    for directory in ["live", "rec"] {
        fs::create_dir_all(prefix.path().join(directory)).unwrap();
    }
    let conf = Conf::live(
        "hls on; hls_path {dir}/hls; hls_fragment 1s; hls_type event;
         hls2 on; hls2_fragment 1s; hls2_minfrags 5; hls2_playlist_length 20s;
         live_record on; live_record_path {dir}/live; live_record_min_fragment 900ms;
         record all; record_path {dir}/rec; record_format ts;
         idle_streams off; mpegts_cache_time 10s;",
    );
    let locations = "location /ts { ts_live {rtmp_port} app=live; chunked_transfer_encoding off; }
        location /hls2 { hls2_live {rtmp_port} app=live; }";
    let server = Server::start_in(prefix, &conf.http_server(locations));
    let frames = clip(&["-bf", "2"]);
    let client = publish(&server, "s", &frames);
    let port = server.http;
    // The whole cache at once: the response ends with the publisher.
    let live = std::thread::spawn(move || http::get(port, "/ts/s"));
    server.wait_log("play: name='s'");
    let mut fragments = Vec::new();
    until_true("the playlist has five fragments", || {
        let playlist = http::get(server.http, "/hls2/s.m3u8?session=a").text();
        fragments = playlist.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        fragments.len() >= 5
    });
    let memory: Vec<u8> =
        fragments.iter().flat_map(|uri| http::get(server.http, &format!("/hls2/{uri}")).body).collect();
    client.leave();
    let live = live.join().unwrap().body;
    server.wait_log("record: recorded 's'");
    let path = server.prefix().path();
    until_true("the playlist is complete", || files(&path.join("hls"), ".ts").len() == 6);
    until_true("the recording is complete", || {
        let indexes = files(&path.join("live"), ".m3u8");
        indexes.iter().any(|index| fs::read_to_string(index).unwrap().lines().count() >= 6)
    });
    let whole =
        |files: Vec<PathBuf>| -> Vec<u8> { files.iter().flat_map(|file| fs::read(file).unwrap()).collect() };
    let outputs = [
        ("HLS files", whole(files(&path.join("hls"), ".ts")), 150, 6),
        ("a recording", whole(files(&path.join("rec"), ".ts")), 150, 6),
        ("live_record", whole(files(&path.join("live"), ".ts")), 150, 6),
        ("HLS from memory", memory, 125, 5),
        ("HTTP-TS", live, 1, 1),
    ];
    for (what, ts, least, keys) in outputs {
        let ts = &ts[..ts.len() / 188 * 188];
        let read = read(what, ts);
        assert!(read.0 >= least && read.1 >= keys && read.2 >= least / 10, "{what}: {read:?}");
    }
}
