//! The PROXY protocol.

use crate::entry::{Entry, Listener, entry, request};

pub(super) fn proxy_protocol() -> Entry {
    let v2 = |command: u8, family: u8, address: &[u8]| -> Vec<u8> {
        let length = u16::try_from(address.len()).unwrap().to_be_bytes();
        [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, family][..], &length, address].concat()
    };
    let get = request("/", true);
    let with = |start: &[u8]| [start, &get[..]].concat();
    let four = [1, 2, 3, 4, 5, 6, 7, 8, 0x12, 0x34, 0, 80];
    let six = [[0x20; 32].as_slice(), &[0x12, 0x34, 0, 80]].concat();
    let starts: Vec<Vec<u8>> = vec![
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n".to_vec(),
        b"PROXY TCP6 2001:db8::1 2001:db8::2 1111 80\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4\r\n".to_vec(),
        b"PROXY TCP4 junk junk 1 2\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 junk 80\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 99999 80\r\n".to_vec(),
        b"PROXY TCP5 1.2.3.4 5.6.7.8 1 80\r\n".to_vec(),
        b"PROXY\r\n".to_vec(),
        b"PROXY \r\n".to_vec(),
        b"proxy TCP4 1.2.3.4 5.6.7.8 1 80\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 80\n".to_vec(),
        b"PROXY TCP4  1.2.3.4 5.6.7.8 1 80\r\n".to_vec(),
        b"PROXY TCP6 1.2.3.4 5.6.7.8 1 80\r\n".to_vec(),
        b"PROXY TCP4 256.2.3.4 5.6.7.8 1 80\r\n".to_vec(),
        [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 91], b"\r\n"].concat(),
        [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 93], b"\r\n"].concat(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 80 more\r\n".to_vec(),
        b"".to_vec(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n".to_vec(),
        v2(1, 0x11, &four),
        v2(1, 0x21, &six),
        v2(0, 0x11, &four),
        v2(0, 0, &[]),
        v2(1, 0x00, &[]),
        v2(1, 0x11, &four[..8]),
        v2(1, 0x11, &[&four[..], &[4, 0, 1, 0, 3, 0, 4, 1, 2, 3, 4]].concat()),
        v2(1, 0x31, &[b'/'; 216]),
        v2(2, 0x11, &four),
        v2(1, 0x12, &four),
        v2(1, 0x21, &four),
        [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[0x31, 0x11, 0, 12], &four].concat(),
        v2(1, 0x51, &four),
        v2(1, 0x11, &[0; 600]),
    ];
    let mut entry = entry("proxy-protocol").unlike_errors("without its header a connection has no server yet", r#"PROXY protocol"#).server(
        "listen {ADDR}:{PORT2} proxy_protocol; location / { return 200 \"[$proxy_protocol_addr][$proxy_protocol_port][$proxy_protocol_server_addr][$proxy_protocol_server_port][$remote_addr]\"; }
         location /real { set_real_ip_from 127.0.0.0/8; real_ip_header proxy_protocol; root {ROOT}/none; error_page 404 = @real; } location @real { return 200 \"[$remote_addr][$remote_port][$realip_remote_addr]\"; } location /port { return 200 \"[$server_addr][$server_port]\"; }",
    );
    for start in starts {
        entry = entry.cut(with(&start)).on(Listener::Port(1));
    }
    let too_long = format!("PROXY UNKNOWN {}", "x".repeat(93));
    entry
        .own_for(&too_long, "the specification allows lines of 107 bytes", "=== closed\n")
        .raw(with(b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n"))
        .on(Listener::Port(0))
        .raw(
            [
                b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n".to_vec(),
                request("/", false),
                request("/real", false),
                request("/port", true),
            ]
            .concat(),
        )
        .on(Listener::Port(1))
        .parts([b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n".to_vec(), get.clone()])
        .on(Listener::Port(1))
        .parts([b"PROXY TCP4 1.2.3.4 5.6.".to_vec(), [b"7.8 1111 80\r\n".to_vec(), get.clone()].concat()])
        .on(Listener::Port(1))
        .own(
            "nginx refuses a header that comes in two packets",
            "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 39\nContent-Type: text/plain\nDate: DATE\nServer: PRODUCT\n\n\
             [1.2.3.4][1111][5.6.7.8][80][127.0.0.1](no line end)\n=== closed\n",
        )
        .parts([v2(1, 0x11, &four), get.clone()])
        .on(Listener::Port(1))
        .cut("PROXY TC")
        .on(Listener::Port(1))
}

/// What stands after the addresses of the PROXY protocol's second version.
pub(super) fn tlvs() -> Entry {
    let tlv = |kind: u8, value: &[u8]| [&[kind, 0, u8::try_from(value.len()).unwrap()], value].concat();
    let ssl = [&[1, 0, 0, 0, 0][..], &tlv(0x21, b"TLSv1.2"), &tlv(0x22, b"example.com")].concat();
    let body = [
        &[1, 2, 3, 4, 5, 6, 7, 8, 0x12, 0x34, 0, 80][..],
        &tlv(1, b"h2"),
        &tlv(2, b"host.example"),
        &tlv(5, b"id"),
        &tlv(0xea, b"own"),
        &tlv(0x20, &ssl),
    ]
    .concat();
    let start =
        [b"\r\n\r\n\0\r\nQUIT\n\x21\x11", &u16::try_from(body.len()).unwrap().to_be_bytes()[..], &body]
            .concat();
    entry("proxy-protocol-tlv")
        .newer("nginx has the variables since 1.23.2")
        .server(
            "listen {ADDR}:{PORT2} proxy_protocol;
             return 200 \"[$proxy_protocol_tlv_alpn][$proxy_protocol_tlv_authority][$proxy_protocol_tlv_unique_id][$proxy_protocol_tlv_0xea][$proxy_protocol_tlv_0x02][$proxy_protocol_tlv_netns][$proxy_protocol_tlv_ssl_version][$proxy_protocol_tlv_ssl_cn][$proxy_protocol_tlv_ssl_verify]\";",
        )
        .raw([&start[..], &request("/", true)].concat())
        .on(Listener::Port(1))
        .own(
            "nginx has the variables since 1.23.2",
            "\
HTTP/1.1 200 OK
Connection: close
Content-Length: 68
Content-Type: text/plain
Date: DATE
Server: PRODUCT

[h2][host.example][id][own][host.example][][TLSv1.2][example.com][0](no line end)
=== closed
",
        )
}
