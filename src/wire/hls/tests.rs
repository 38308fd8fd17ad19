use super::*;

fn segment(uri: &str, duration_ms: u64) -> MediaSegment {
    MediaSegment { uri: uri.to_owned(), duration_ms, ..MediaSegment::default() }
}

#[test]
fn live_playlist_as_the_original_writes_it() {
    let playlist = MediaPlaylist {
        media_sequence: 7,
        target_duration: 1,
        segments: vec![segment("s1-7.ts", 1000), segment("s1-8.ts", 1040)],
        ..MediaPlaylist::default()
    };
    let want = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-TARGETDURATION:1\n\
                #EXTINF:1.000,\ns1-7.ts\n#EXTINF:1.040,\ns1-8.ts\n";
    assert_eq!(playlist.to_string(), want);
}

#[test]
fn key_is_written_where_it_changes() {
    let key = |n: u128| Some(EncryptionKey { uri: format!("k/s1-{n}.key"), iv: n });
    let mut segments: Vec<_> = (0..4).map(|n| segment(&format!("s1-{n}.ts"), 2000)).collect();
    segments[0].key = key(0);
    segments[1].key = key(0);
    segments[2].key = key(2);
    segments[2].discontinuity = true;
    let playlist = MediaPlaylist { event: true, target_duration: 2, segments, ..MediaPlaylist::default() };
    let text = playlist.to_string();
    let want = "#EXT-X-PLAYLIST-TYPE: EVENT\n\
                #EXT-X-KEY:METHOD=AES-128,URI=\"k/s1-0.key\",IV=0x00000000000000000000000000000000\n\
                #EXTINF:2.000,\ns1-0.ts\n#EXTINF:2.000,\ns1-1.ts\n#EXT-X-DISCONTINUITY\n\
                #EXT-X-KEY:METHOD=AES-128,URI=\"k/s1-2.key\",IV=0x00000000000000000000000000000002\n\
                #EXTINF:2.000,\ns1-2.ts\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:2.000,\ns1-3.ts\n";
    assert_eq!(text.split_once("TARGETDURATION:2\n").unwrap().1, want);
    assert_eq!(MediaPlaylist::parse(text.as_bytes()), Some(playlist));
}

#[test]
fn an_initialisation_segment_stands_where_it_changes_and_no_key_counts_for_it() {
    let key = |n: u128| Some(EncryptionKey { uri: format!("{n}.key"), iv: n });
    let mut segments: Vec<_> = (0..4).map(|n| segment(&format!("{n}.m4s"), 2000)).collect();
    for (n, segment) in segments.iter_mut().enumerate() {
        segment.map = Some(if n < 3 { "0.init.m4s" } else { "3.init.m4s" }.to_owned());
        segment.key = key(if n < 2 { 0 } else { 2 });
    }
    segments[3].discontinuity = true;
    let playlist = MediaPlaylist { target_duration: 2, segments, ..MediaPlaylist::default() };
    let text = playlist.to_string();
    let want = "#EXT-X-MAP:URI=\"0.init.m4s\"\n\
                #EXT-X-KEY:METHOD=AES-128,URI=\"0.key\",IV=0x00000000000000000000000000000000\n\
                #EXTINF:2.000,\n0.m4s\n#EXTINF:2.000,\n1.m4s\n\
                #EXT-X-KEY:METHOD=AES-128,URI=\"2.key\",IV=0x00000000000000000000000000000002\n\
                #EXTINF:2.000,\n2.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=NONE\n\
                #EXT-X-MAP:URI=\"3.init.m4s\"\n\
                #EXT-X-KEY:METHOD=AES-128,URI=\"2.key\",IV=0x00000000000000000000000000000002\n\
                #EXTINF:2.000,\n3.m4s\n";
    assert_eq!(text.split_once("TARGETDURATION:2\n").unwrap().1, want);
    assert!(text.contains("#EXT-X-VERSION:7\n"));
    assert_eq!(MediaPlaylist::parse(text.as_bytes()), Some(playlist));
}

#[test]
fn date_ranges_stand_behind_their_date_and_in_delta_updates() {
    let mut segments: Vec<_> = (0..3).map(|n| segment(&format!("{n}.ts"), 1000)).collect();
    segments[1].date_ms = Some(1_700_000_000_250);
    segments[1].date_ranges = vec!["ID=\"a\"".to_owned(), "ID=\"b\"".to_owned()];
    segments[1].discontinuity = true;
    let mut playlist = MediaPlaylist { target_duration: 1, segments, ..MediaPlaylist::default() };
    let text = playlist.to_string();
    let ranges = "#EXT-X-DATERANGE:ID=\"a\"\n#EXT-X-DATERANGE:ID=\"b\"\n";
    let date = "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.250Z\n";
    let want =
        format!("0.ts\n#EXT-X-DISCONTINUITY\n{date}{ranges}#EXTINF:1.000,\n1.ts\n#EXTINF:1.000,\n2.ts\n");
    assert!(text.ends_with(&want), "{text}");
    assert_eq!(MediaPlaylist::parse(text.as_bytes()), Some(playlist.clone()));
    playlist.low_latency = Some(LowLatency { skipped: Some(2), ..LowLatency::default() });
    let delta = playlist.to_string();
    let want = format!("#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n{ranges}#EXTINF:1.000,\n2.ts\n");
    assert!(delta.ends_with(&want), "{delta}");
}

#[test]
fn a_delta_update_behind_the_lines_that_it_leaves_out_is_the_full_playlist() {
    let part = |n: u64| PartialSegment { uri: format!("2.{n}.m4s"), duration_ms: 200, independent: n == 0 };
    let mut segments: Vec<_> = (0..2).map(|n| segment(&format!("{n}.m4s"), 1000)).collect();
    let open = MediaSegment { parts: vec![part(0), part(1)], map: Some("i".into()), ..segment("", 0) };
    segments.iter_mut().for_each(|segment| segment.map = Some("i".into()));
    let mut low =
        LowLatency { part_target_ms: 200, open: Some(open), hint: Some("2.2.m4s".into()), skipped: None };
    let playlist = |low: &LowLatency| MediaPlaylist {
        target_duration: 1,
        segments: segments.clone(),
        low_latency: Some(low.clone()),
        ..MediaPlaylist::default()
    };
    let full = playlist(&low).to_string();
    let tail = "#EXTINF:1.000,\n1.m4s\n#EXT-X-PART:DURATION=0.200,URI=\"2.0.m4s\",INDEPENDENT=YES\n\
                #EXT-X-PART:DURATION=0.200,URI=\"2.1.m4s\"\n\
                #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"2.2.m4s\"\n";
    let head = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:1\n\
                #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=6.000,PART-HOLD-BACK=0.600\n\
                #EXT-X-PART-INF:PART-TARGET=0.200\n";
    let left_out = "#EXT-X-MAP:URI=\"i\"\n#EXTINF:1.000,\n0.m4s\n";
    assert_eq!(full, format!("{head}{left_out}{tail}"));
    low.skipped = Some(1);
    let delta = playlist(&low).to_string();
    assert_eq!(delta, format!("{head}#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n{tail}"));
}

#[test]
fn what_is_written_is_read_back() {
    let mut playlist = MediaPlaylist {
        media_sequence: u64::MAX,
        discontinuity_sequence: 3,
        target_duration: 12,
        ..MediaPlaylist::default()
    };
    playlist.segments = (0..3).map(|n| segment(&format!("{n}.ts"), 999 + n)).collect();
    playlist.segments[1].discontinuity = true;
    assert_eq!(MediaPlaylist::parse(playlist.to_string().as_bytes()), Some(playlist));
}

#[test]
fn damaged_playlists_are_read_as_far_as_they_go() {
    assert_eq!(MediaPlaylist::parse(b""), None);
    assert_eq!(MediaPlaylist::parse(b"<html>"), None);
    assert_eq!(MediaPlaylist::parse(b"#EXTM3U\n\xff"), None);
    let text =
        b"#EXTM3U\r\n#EXT-X-MEDIA-SEQUENCE:-1\r\n#EXTINF:nan,\r\na.ts\r\n#EXTINF:1e99\n\nb.ts\n#EXTINF";
    let playlist = MediaPlaylist::parse(text).unwrap();
    assert_eq!(playlist.segments, [segment("a.ts", 0), segment("b.ts", 86_400_000)]);
}

#[test]
fn master_playlist_with_variants() {
    let playlist = MasterPlaylist {
        version: Some(3),
        variants: vec![VariantStream {
            attributes: vec!["PROGRAM-ID=1".to_owned(), "BANDWIDTH=160000".to_owned()],
            uri: "s1_low.m3u8".to_owned(),
        }],
    };
    let want = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:PROGRAM-ID=1,BANDWIDTH=160000\ns1_low.m3u8\n";
    assert_eq!(playlist.to_string(), want);
}

#[test]
fn target_duration_covers_every_segment() {
    assert_eq!(target_duration(1_000, 1_040), 1);
    assert_eq!(target_duration(1_000, 1_500), 2);
    assert_eq!(target_duration(5_000, 3_000), 5);
    assert_eq!(target_duration(300, 0), 1);
}

#[test]
fn names_cannot_leave_their_path_segment() {
    let mut uri = String::new();
    push_path_segment(b"#a b/c?d%:\n\xff\"", &mut uri);
    assert_eq!(uri, "%23a%20b%2Fc%3Fd%25%3A%0A%FF%22");
}
