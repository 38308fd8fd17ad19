use super::super::framing::HAS_PRIORITY;
use super::*;

const BOUNDS: HeadBounds = HeadBounds { field: 1000, head: 2000, fields: 50 };

fn sent(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame(kind, flags, stream, &[payload], &mut bytes);
    bytes
}

fn begun() -> Intake {
    let mut intake = Intake::new(BOUNDS);
    let mut passed = Vec::new();
    intake.take(super::super::PREFACE, &mut passed).unwrap();
    assert_eq!(passed, super::super::PREFACE);
    intake
}

fn taken(intake: &mut Intake, bytes: &[u8], piece: usize) -> Result<Vec<u8>, Reason> {
    let mut passed = Vec::new();
    for part in bytes.chunks(piece) {
        intake.take(part, &mut passed).map_err(|violation| violation.reason)?;
    }
    Ok(passed)
}

/// Streams, flags and payloads of the DATA frames.
fn bodies(mut passed: &[u8]) -> Vec<(u32, u8, Vec<u8>)> {
    let mut bodies = Vec::new();
    while let [a, b, c, kind, flags, rest @ ..] = passed {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if *kind == DATA {
            bodies.push((number(rest), *flags, rest[4..4 + length].to_vec()));
        }
        passed = &rest[4 + length..];
    }
    bodies
}

#[test]
fn heads_are_kept_and_the_crate_gets_stubs_however_they_come() {
    let padded = [&[3][..], &[0, 0, 0, 0, 7], &[0x82, 0x84], &[0; 3]].concat();
    let bytes = [
        sent(HEADERS, PADDED | HAS_PRIORITY | END_STREAM, 1, &padded),
        sent(CONTINUATION, 0, 1, &[0x86, 0x40, 1, b'a']),
        sent(CONTINUATION, END_HEADERS, 1, &[1, b'b']),
        sent(HEADERS, END_HEADERS, 3, &[0x83, 0xbe]),
        sent(0x20, 0, 0, &[9; 50]),
        sent(6, 0, 0, &[7; 8]),
        sent(HEADERS, END_HEADERS | END_STREAM, 3, &[0x40, 1, b't', 0]),
    ]
    .concat();
    let expected = [
        sent(HEADERS, END_HEADERS | END_STREAM, 1, &STUB),
        sent(HEADERS, END_HEADERS, 3, &STUB),
        sent(6, 0, 0, &[7; 8]),
        sent(HEADERS, END_HEADERS | END_STREAM, 3, &[]),
    ]
    .concat();
    for piece in 1..=bytes.len() {
        let mut intake = begun();
        assert_eq!(taken(&mut intake, &bytes, piece).unwrap(), expected, "{piece}");
        let names = |head: ReceivedHead| {
            head.fields.iter().map(|(name, _)| name.to_vec()).collect::<Vec<_>>().concat()
        };
        assert_eq!(intake.take_head(1).map(names).unwrap(), b":method:path:schemea");
        assert!(intake.take_head(1).is_none());
        assert_eq!(intake.take_head(3).map(names).unwrap(), b":methoda");
        assert_eq!(intake.heads.bytes, 0);
    }
}

#[test]
fn bodies_are_passed_on_as_they_come_with_their_padding() {
    let body: Vec<u8> = (0..40_000u32).map(|n| n as u8).collect();
    let padded = [&[200][..], &body[..100], &[0; 200]].concat();
    let bytes = [
        asked(1, &[]),
        asked(3, &[]),
        sent(DATA, 0, 1, &body),
        sent(DATA, PADDED, 1, &padded),
        sent(DATA, 0, 1, &[]),
        sent(DATA, PADDED | END_STREAM, 1, &[0]),
        sent(DATA, END_STREAM, 3, b"x"),
    ]
    .concat();
    for piece in [1, 7, 110, 300, 16_384, 50_000] {
        let frames = bodies(&taken(&mut begun(), &bytes, piece).unwrap());
        let (mut of_first, mut padding) = (Vec::new(), Vec::new());
        for (stream, flags, part) in &frames {
            assert!(part.len() as u64 <= limits::HTTP2_FRAME);
            match (*stream, flags & PADDED) {
                (1, 0) => of_first.extend_from_slice(part),
                (1, _) => padding.push((part.len(), flags & END_STREAM)),
                _ => assert_eq!((*flags, &part[..]), (END_STREAM, &b"x"[..])),
            }
        }
        assert!(of_first == [&body[..], &body[..100]].concat(), "{piece}");
        assert_eq!(padding, [(201, 0), (1, END_STREAM)]);
    }
}

/// A head with a `priority` of these lines.
fn asked(stream: u32, lines: &[&str]) -> Vec<u8> {
    let mut block = vec![0x82];
    for line in lines {
        let field = [&[0x00, 8], &b"priority"[..], &[u8::try_from(line.len()).unwrap()], line.as_bytes()];
        block.extend_from_slice(&field.concat());
    }
    sent(HEADERS, END_HEADERS, stream, &block)
}

fn update(stream: u32, value: &str) -> Vec<u8> {
    sent(PRIORITY_UPDATE, 0, 0, &[&stream.to_be_bytes()[..], value.as_bytes()].concat())
}

#[test]
fn priorities_come_with_heads_and_before_and_behind_them() {
    let of_7 = |frames: &[Vec<u8>], later: &[Vec<u8>]| {
        let (frames, later) = (frames.concat(), later.concat());
        let mut urgency = Vec::new();
        for piece in [1, 5, 1000] {
            let mut intake = begun();
            taken(&mut intake, &frames, piece).unwrap();
            intake.take_head(7).unwrap();
            taken(&mut intake, &later, piece).unwrap();
            let (priority, _) = intake.order().of(7).unwrap();
            urgency.push((priority.urgency, priority.is_incremental));
        }
        urgency.dedup();
        assert_eq!(urgency.len(), 1);
        urgency[0]
    };
    let plain = asked(7, &[]);
    assert_eq!(of_7(std::slice::from_ref(&plain), &[]), (3, false));
    assert_eq!(of_7(&[asked(7, &[" u=5 "])], &[]), (5, false));
    assert_eq!(of_7(&[asked(7, &["u=5", "i"])], &[]), (5, true));
    assert_eq!(of_7(&[asked(7, &["u=5, @"])], &[]), (3, false));
    // A frame counts for more than the field, whenever it comes; the last one counts.
    assert_eq!(of_7(&[update(7, "u=1"), asked(7, &["u=5"])], &[]), (1, false));
    assert_eq!(of_7(&[asked(7, &["u=5"]), update(7, "i")], &[]), (3, true));
    assert_eq!(of_7(&[asked(7, &["u=5"])], &[update(7, " u=2")]), (2, false));
    assert_eq!(of_7(&[update(7, "u=1"), update(7, "u=2"), plain.clone()], &[]), (2, false));
    assert_eq!(of_7(&[asked(7, &["u=5, i"])], &[update(7, "")]), (3, false));
    // What is malformed or too long changes nothing, nor what is for another stream.
    assert_eq!(
        of_7(&[asked(7, &["u=5"])], &[update(7, "U=1"), update(5, "u=0"), update(9, "u=0")]),
        (5, false)
    );
    let long = |length: usize| update(7, &format!("u=1, {}", "x".repeat(length - 5)));
    assert_eq!(of_7(&[plain.clone(), long(500)], &[]), (1, false));
    assert_eq!(of_7(&[plain.clone(), update(7, &format!("u=1{}", " ".repeat(1021)))], &[]), (1, false));
    assert_eq!(of_7(&[plain.clone(), update(7, &format!("u=1{}", " ".repeat(1022)))], &[]), (3, false));
    // The oldest of too many that came early is forgotten.
    let early = |number: u32| {
        let others = (0..number).map(|n| update(2 * n + 101, "u=0"));
        of_7(
            &[&[update(7, "u=1")], &others.collect::<Vec<_>>()[..], std::slice::from_ref(&plain)].concat(),
            &[],
        )
    };
    let most = u32::try_from(limits::HTTP2_EARLY_PRIORITIES).unwrap();
    assert_eq!((early(most - 1), early(most)), ((1, false), (3, false)));
    let mut intake = begun();
    let passed = [update(3, "u=1"), update(9, "u=1"), plain].concat();
    taken(&mut intake, &passed, 1000).unwrap();
    assert_eq!(intake.early.iter().map(|(stream, _)| *stream).collect::<Vec<_>>(), [9]);
}

#[test]
fn windows_are_counted_from_the_beginning_of_a_stream() {
    let window = |stream, bytes: u32| sent(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes());
    let first =
        |bytes: u32| sent(SETTINGS, 0, 0, &[&[0, 3, 0, 0, 0, 1, 0, 4], &bytes.to_be_bytes()[..]].concat());
    let frames =
        [first(1000), asked(1, &[]), window(1, 5), asked(3, &[]), window(0, 7), window(3, 1), window(3, 1)];
    for piece in [1, 4, 1000] {
        let mut intake = begun();
        // What the crate does not need is left out.
        let window_only = sent(SETTINGS, 0, 0, &[0, 4, 0, 0, 3, 0xe8]);
        assert_eq!(taken(&mut intake, &frames[0], piece).unwrap(), window_only);
        taken(&mut intake, &frames[1..].concat(), piece).unwrap();
        intake.take_head(1).unwrap();
        let acknowledged = || sent(SETTINGS, ACK, 0, &[]);
        let more =
            [window(1, 0x8000_0003), window(5, 9), first(900), acknowledged(), acknowledged()].concat();
        let passed =
            [window(1, 0x8000_0003), sent(SETTINGS, 0, 0, &[0, 4, 0, 0, 3, 0x84]), acknowledged()].concat();
        assert_eq!(taken(&mut intake, &more, piece).unwrap(), passed);
        intake.take_head(3).unwrap();
        let of = |stream| intake.order().of(stream).map(|(_, window)| window);
        assert_eq!((of(1), of(3), of(5)), (Some(908), Some(902), None));
        assert_eq!(intake.order().window(), 65_535 + 7);
    }
}

#[test]
fn faults_end_the_connection_as_in_nginx() {
    let head = sent(HEADERS, 0, 1, &[0x82]);
    for (what, bytes, reason) in [
        ("a short PRIORITY", sent(PRIORITY, 0, 1, &[0; 4]), Reason::FRAME_SIZE_ERROR),
        ("PRIORITY of no stream", sent(PRIORITY, 0, 0, &[0; 5]), Reason::PROTOCOL_ERROR),
        ("a stream that depends on itself", sent(PRIORITY, 0, 3, &[0, 0, 0, 3, 0]), Reason::PROTOCOL_ERROR),
        (
            "a head that depends on itself",
            sent(HEADERS, END_HEADERS | HAS_PRIORITY, 1, &[0x80, 0, 0, 1, 0, 0x82]),
            Reason::PROTOCOL_ERROR,
        ),
        ("a stream that the client promises", sent(PUSH_PROMISE, 0, 1, &[0; 6]), Reason::PROTOCOL_ERROR),
        ("a short GOAWAY", sent(GOAWAY, 0, 0, &[0; 7]), Reason::FRAME_SIZE_ERROR),
        (
            "an update for an even stream",
            sent(PRIORITY_UPDATE, 0, 0, b"\0\0\0\x02u=1"),
            Reason::PROTOCOL_ERROR,
        ),
        ("an update on a stream", sent(PRIORITY_UPDATE, 0, 1, b"\0\0\0\x01u=1"), Reason::PROTOCOL_ERROR),
        ("a short update", sent(PRIORITY_UPDATE, 0, 0, &[0; 3]), Reason::FRAME_SIZE_ERROR),
        ("CONTINUATION of nothing", sent(CONTINUATION, 0, 1, &[0x82]), Reason::PROTOCOL_ERROR),
        (
            "another stream within a head",
            [head.clone(), sent(CONTINUATION, 0, 3, &[])].concat(),
            Reason::PROTOCOL_ERROR,
        ),
        ("another frame within a head", [head, sent(6, 0, 0, &[0; 8])].concat(), Reason::PROTOCOL_ERROR),
        ("too much padding", sent(DATA, PADDED, 1, &[3, 0, 0]), Reason::PROTOCOL_ERROR),
        ("padding that is missing", sent(DATA, PADDED, 1, &[]), Reason::FRAME_SIZE_ERROR),
        ("half a field", sent(HEADERS, END_HEADERS, 1, &[0x42]), Reason::FRAME_SIZE_ERROR),
        ("an unknown way of priorities", sent(SETTINGS, 0, 0, &[0, 9, 0, 0, 0, 2]), Reason::PROTOCOL_ERROR),
        ("an empty head", sent(HEADERS, 0, 1, &[]), Reason::FRAME_SIZE_ERROR),
        ("a head of padding", sent(HEADERS, PADDED, 1, &[2, 0, 0]), Reason::FRAME_SIZE_ERROR),
        ("an even stream", sent(HEADERS, END_HEADERS, 2, &[0x82]), Reason::PROTOCOL_ERROR),
        ("a head of no stream", sent(HEADERS, END_HEADERS, 0, &[0x82]), Reason::PROTOCOL_ERROR),
        ("a stream that was left out", [asked(5, &[]), asked(3, &[])].concat(), Reason::PROTOCOL_ERROR),
        ("a body of no stream", sent(DATA, 0, 0, &[0]), Reason::PROTOCOL_ERROR),
        ("a reset of no stream", sent(RST_STREAM, 0, 0, &[0; 4]), Reason::PROTOCOL_ERROR),
        ("PING of a stream", sent(PING, 0, 1, &[0; 8]), Reason::PROTOCOL_ERROR),
        ("GOAWAY of a stream", sent(GOAWAY, 0, 1, &[0; 8]), Reason::PROTOCOL_ERROR),
        ("settings of a stream", sent(SETTINGS, 0, 1, &[]), Reason::PROTOCOL_ERROR),
        ("a push", sent(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 2]), Reason::PROTOCOL_ERROR),
        ("a large window", sent(SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0]), Reason::FLOW_CONTROL_ERROR),
        ("short frames", sent(SETTINGS, 0, 0, &[0, 5, 0, 0, 0x3f, 0xff]), Reason::PROTOCOL_ERROR),
        ("long frames", sent(SETTINGS, 0, 0, &[0, 5, 1, 0, 0, 0]), Reason::PROTOCOL_ERROR),
        ("a window of nothing", sent(WINDOW_UPDATE, 0, 9, &[0; 4]), Reason::PROTOCOL_ERROR),
        (
            "too large a window",
            sent(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            Reason::FLOW_CONTROL_ERROR,
        ),
    ] {
        assert_eq!(taken(&mut begun(), &bytes, 4), Err(reason), "{what}");
    }
}

#[test]
fn what_nginx_leaves_out_is_left_out() {
    let request = sent(HEADERS, END_HEADERS | END_STREAM, 5, &[0x82]);
    for (what, bytes) in [
        ("a body of a stream that was left out", sent(DATA, END_STREAM, 3, b"body")),
        ("a body of a stream to come", sent(DATA, PADDED, 7, &[1, 2, 0])),
        ("a part of a body without bytes", [asked(7, &[]), sent(DATA, 0, 7, &[])].concat()),
        ("a reset of a stream to come", sent(RST_STREAM, 0, 7, &[0; 4])),
        ("a window of a stream to come", sent(WINDOW_UPDATE, 0, 7, &[0, 0, 0, 1])),
        ("GOAWAY", sent(GOAWAY, 0, 0, &[0xff; 20])),
        ("an acknowledgement of nothing", sent(PING, ACK, 0, &[1; 8])),
    ] {
        for piece in [1, 4, 100] {
            let mut intake = begun();
            taken(&mut intake, &request, 100).unwrap();
            let passed = taken(&mut intake, &bytes, piece).unwrap();
            let new = sent(HEADERS, END_HEADERS, 7, &STUB);
            assert!(passed.is_empty() || passed == new, "{what}");
            assert!(intake.is_between_frames() && intake.replies.is_empty(), "{what}");
        }
    }
    // Settings of any length that say nothing are acknowledged.
    assert_eq!(taken(&mut begun(), &sent(4, 0, 0, &[0; 18_000]), 100).unwrap(), sent(4, 0, 0, &[]));
}

#[test]
fn a_body_behind_its_end_resets_the_stream() {
    let mut intake = begun();
    taken(&mut intake, &sent(HEADERS, END_HEADERS | END_STREAM, 1, &[0x82]), 100).unwrap();
    let late = sent(DATA, 0, 1, b"late");
    assert_eq!(taken(&mut intake, &late, 100).unwrap(), sent(RST_STREAM, 0, 1, &[0, 0, 0, 8]));
    assert_eq!(std::mem::take(intake.replies()), sent(RST_STREAM, 0, 1, &[0, 0, 0, 5]));
    assert_eq!(taken(&mut intake, &late, 100).unwrap(), b"");
    assert_eq!(intake.replies(), b"");
    // What was dropped opens the window again.
    let large = sent(DATA, 0, 1, &vec![0; 1 << 23]);
    let times = (0..).take_while(|_| {
        taken(&mut intake, &large, large.len()).unwrap();
        intake.replies().is_empty()
    });
    let dropped = u32::try_from(8 + ((times.count() + 1) << 23)).unwrap();
    assert!(u64::from(dropped) > limits::HTTP2_WINDOW / 4);
    assert_eq!(*intake.replies(), sent(WINDOW_UPDATE, 0, 0, &dropped.to_be_bytes()));
}

#[test]
fn trailers_that_come_late_are_left_out() {
    let mut intake = begun();
    taken(&mut intake, &[asked(1, &[]), asked(3, &[])].concat(), 100).unwrap();
    let trailers = |stream| sent(HEADERS, END_HEADERS | END_STREAM, stream, &[0x40, 1, b't', 0]);
    intake.streams().cut(1);
    assert_eq!(taken(&mut intake, &trailers(1), 100).unwrap(), b"");
    assert_eq!(
        taken(&mut intake, &trailers(3), 100).unwrap(),
        sent(HEADERS, END_HEADERS | END_STREAM, 3, &[])
    );
    assert_eq!(taken(&mut intake, &trailers(3), 100), Err(Reason::PROTOCOL_ERROR));
}

#[test]
fn resets_of_the_client_have_reasons() {
    let mut intake = begun();
    taken(&mut intake, &[asked(1, &[]), asked(3, &[])].concat(), 100).unwrap();
    let reset = sent(RST_STREAM, 0, 3, &[0, 0, 0, 8]);
    for piece in [1, 100] {
        let again = taken(&mut intake, &reset, piece).unwrap();
        assert_eq!(again, if piece == 1 { reset.clone() } else { Vec::new() });
    }
    let canceled = ClientReset { stream: 3, reason: Reason::CANCEL };
    assert_eq!(
        (intake.take_reset(1), intake.take_reset(3), intake.take_reset(3)),
        (None, Some(canceled), None)
    );
}

#[test]
fn the_last_request_is_told_and_later_ones_are_left_out() {
    let goaway = |last: u8| sent(GOAWAY, 0, 0, &[0, 0, 0, last, 0, 0, 0, 0]);
    let mut intake = begun();
    intake.set_terms(Terms { requests: 2, until: None });
    taken(&mut intake, &asked(1, &[]), 100).unwrap();
    assert!(!intake.is_ending() && intake.replies().is_empty());
    let begins = sent(HEADERS, 0, 7, &[0x82]);
    let more = [asked(3, &[]), asked(5, &[]), begins.clone(), sent(CONTINUATION, END_HEADERS, 7, &[0xff])];
    let rest = [sent(DATA, END_STREAM, 5, b"left out"), sent(DATA, END_STREAM, 3, b"taken")];
    for piece in [1, 3, 100] {
        let mut intake = begun();
        intake.set_terms(Terms { requests: 2, until: None });
        taken(&mut intake, &asked(1, &[]), piece).unwrap();
        let passed = taken(&mut intake, &[more.concat(), rest.concat()].concat(), piece).unwrap();
        let taken = sent(HEADERS, END_HEADERS, 3, &STUB);
        assert!(passed.starts_with(&taken));
        let body: Vec<u8> = bodies(&passed).into_iter().flat_map(|(.., body)| body).collect();
        assert_eq!(body, b"taken");
        assert_eq!(*intake.replies(), goaway(3));
        assert!(intake.incomplete_head().is_none() && !intake.has_late_head());
    }
    // When it is late, and when the server goes in the middle of a head.
    let mut intake = begun();
    intake.set_terms(Terms {
        until: Some(Instant::now() - std::time::Duration::from_secs(1)),
        ..Terms::default()
    });
    taken(&mut intake, &asked(1, &[]), 100).unwrap();
    assert_eq!(*intake.replies(), goaway(1));
    for at in 1..begins.len() {
        let mut intake = begun();
        taken(&mut intake, &asked(1, &[]), 100).unwrap();
        taken(&mut intake, &begins[..at], 100).unwrap();
        intake.leave();
        intake.leave();
        assert_eq!(*intake.replies(), goaway(1));
        assert!(!intake.give_up_head(&mut Vec::new()) && intake.incomplete_head().is_none());
        let rest = [&begins[at..], &sent(CONTINUATION, END_HEADERS, 7, &[0x84]), &asked(9, &[])].concat();
        assert_eq!(taken(&mut intake, &rest, 5).unwrap(), b"", "{at}");
        assert!(!intake.has_late_head() && !intake.has_open_head());
    }
}

#[test]
fn a_head_that_is_late_is_decoded_and_nothing_more() {
    let mut intake = begun();
    let mut passed = Vec::new();
    assert!(!intake.give_up_head(&mut passed));
    let late = sent(HEADERS, END_HEADERS | END_STREAM, 1, &[0x82, 0x40, 1, b'a', 1, b'b']);
    for at in 9..late.len() {
        let mut intake = begun();
        let mut passed = taken(&mut intake, &late[..at], 100).unwrap();
        assert!(intake.give_up_head(&mut passed));
        assert!(!intake.give_up_head(&mut passed));
        assert_eq!(passed, sent(HEADERS, END_HEADERS | END_STREAM, 1, &STUB));
        assert!(intake.has_late_head() && intake.is_between_frames());
        // The rest of it is nothing for the crate. Another head may refer to it.
        let rest = [&late[at..], &sent(HEADERS, END_HEADERS, 3, &[0xbe])].concat();
        assert_eq!(taken(&mut intake, &rest, 3).unwrap(), sent(HEADERS, END_HEADERS, 3, &STUB));
        assert!(!intake.has_late_head());
        let head = intake.take_head(1).unwrap();
        let method = (&b":method"[..], &b"GET"[..]);
        assert!(head.is_late && head.fields.iter().next().is_none_or(|field| field == method));
        assert!(intake.order().of(1).is_none());
        let head = intake.take_head(3).unwrap();
        assert!(!head.is_late);
        assert_eq!(head.fields.iter().next(), Some((&b"a"[..], &b"b"[..])));
    }
}

#[test]
fn the_beginning_of_a_head_is_known() {
    let block = [&[0x82][..], &[0x40, 1, b'a', 1, b'b'], &[0xbe, 0x40, 1, b'c', 9, b'd']].concat();
    let fields: [(&[u8], &[u8]); 3] = [(b":method", b"GET"), (b"a", b"b"), (b"a", b"b")];
    let whole = sent(HEADERS, END_HEADERS, 1, &[&block[..], &[b'd'; 8]].concat());
    let parts = [
        // In a frame of its own, and as a part of one: its length counts.
        (sent(HEADERS, 0, 1, &block), block.len()),
        ([sent(HEADERS, 0, 1, &block[..3]), sent(CONTINUATION, 0, 1, &block[3..])].concat(), block.len()),
        (whole[..HEAD + block.len()].to_vec(), block.len() + 8),
    ];
    for (bytes, length) in &parts {
        let mut intake = begun();
        taken(&mut intake, bytes, 100).unwrap();
        let head = intake.incomplete_head().unwrap();
        assert!(head.fields.iter().eq(fields));
        assert_eq!(head.length, *length);
        // The next frame is a fault that is found behind it.
        if intake.is_between_frames() && *length == block.len() {
            taken(&mut intake, &sent(6, 0, 0, &[0; 8]), 100).unwrap_err();
            assert_eq!(intake.incomplete_head().unwrap().length, *length);
        }
    }
    // It goes on: the table has its fields once.
    let mut intake = begun();
    taken(&mut intake, &parts[2].0, 100).unwrap();
    assert!(intake.incomplete_head().is_some());
    taken(&mut intake, &whole[HEAD + block.len()..], 100).unwrap();
    assert!(intake.incomplete_head().is_none());
    let all = [&fields[..], &[(&b"c"[..], &[b'd'; 9][..])]].concat();
    assert!(intake.take_head(1).unwrap().fields.iter().eq(all));
    taken(&mut intake, &sent(HEADERS, END_HEADERS, 3, &[0xbf]), 100).unwrap();
    assert!(intake.take_head(3).unwrap().fields.iter().eq([fields[1]]));
    // What stands before an error is known, too.
    taken(&mut intake, &sent(HEADERS, END_HEADERS, 5, &[0x82, 0xff, 0xff]), 100).unwrap_err();
    assert!(intake.incomplete_head().unwrap().fields.iter().eq([fields[0]]));
    // Trailers are no request.
    let mut intake = begun();
    taken(&mut intake, &sent(HEADERS, END_HEADERS, 1, &[0x82]), 100).unwrap();
    taken(&mut intake, &sent(HEADERS, 0, 1, &[0x82]), 100).unwrap();
    assert!(intake.incomplete_head().is_none());
}

#[test]
fn heads_and_their_number_are_bounded() {
    let mut intake = begun();
    taken(&mut intake, &sent(HEADERS, 0, 1, &[0x82]), 100).unwrap();
    let more = sent(CONTINUATION, 0, 1, &[0x82; 1000]);
    let came = (0..1000).take_while(|_| taken(&mut intake, &more, 2000).is_ok()).count();
    assert!(came * 1000 < BOUNDS.block_bytes(), "{came}");
    let mut intake = begun();
    for stream in 0..2 * u32::try_from(limits::HTTP2_HEADS).unwrap() {
        taken(&mut intake, &sent(HEADERS, END_HEADERS, 2 * stream + 1, &[0x82]), 100).unwrap();
    }
    assert_eq!(intake.heads.len(), limits::HTTP2_HEADS);
    let mut intake = begun();
    let large = [&[0x00, 1, b'x', 0x7f, 0xe9, 0x06][..], &[b'y'; 1000]].concat();
    for stream in 0..2000 {
        taken(&mut intake, &sent(HEADERS, END_HEADERS, 2 * stream + 1, &large), 2000).unwrap();
        assert!(intake.heads.bytes <= limits::HTTP2_HEADS_BYTES);
    }
    assert!(intake.take_head(2 * 1999 + 1).is_some());
    assert_eq!((intake.heads.len(), intake.heads.bytes), (0, 0));
}

#[test]
fn any_frames_are_taken_or_refused() {
    let mut seed = 1u64;
    let mut random = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % bound
    };
    for _ in 0..5_000 {
        let (mut intake, mut passed) = (begun(), Vec::new());
        for _ in 0..=random(12) {
            let payload: Vec<u8> = (0..random(40)).map(|_| random(256) as u8).collect();
            let kind = [
                DATA,
                HEADERS,
                PRIORITY,
                RST_STREAM,
                SETTINGS,
                6,
                GOAWAY,
                WINDOW_UPDATE,
                CONTINUATION,
                PRIORITY_UPDATE,
            ][random(10)];
            let mut bytes = sent(kind, random(256) as u8, random(8) as u32, &payload);
            if random(8) == 0 {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            let piece = 1 + random(bytes.len());
            let Ok(more) = taken(&mut intake, &bytes, piece) else { break };
            passed.extend(more);
            assert!(intake.heads.len() <= limits::HTTP2_HEADS);
            assert!(intake.heads.bytes <= limits::HTTP2_HEADS_BYTES);
            assert!(intake.early.len() <= limits::HTTP2_EARLY_PRIORITIES);
            assert!(intake.update.len() <= limits::HTTP2_PRIORITY_BYTES);
        }
        // The crate gets whole frames, of which the last one may go on.
        let (mut rest, mut is_whole) = (&passed[..], true);
        while let [a, b, c, ..] = *rest {
            let length = u32::from_be_bytes([0, a, b, c]);
            assert!(u64::from(length) <= limits::HTTP2_FRAME);
            is_whole = rest.len() >= HEAD + length as usize;
            rest = rest.get(HEAD + length as usize..).unwrap_or_default();
        }
        assert!(is_whole || !intake.is_between_frames());
    }
}
