//! `map`, `geo`, `split_clients`.

use crate::entry::{Entry, entry};
use crate::support::raw::Random;

pub fn entries() -> Vec<Entry> {
    vec![
        entry("map")
            .http(
                "map $arg_v $m1 { default d; a 1; B 2; '' empty; \"x y\" quoted; \\default escaped; ~^re(.)$ \"re-$1\"; ~*^CI(?<ci>.)$ \"ci-$ci\"; \\~tilde t; c $arg_w; d \"$arg_w-$uri\"; e ${arg_w}z; ~both first; ~both. second; }
                 map $arg_v $m2 { a 1; }
                 map $arg_v $m3 { default $m1; a ''; }
                 map $arg_v$arg_w $m4 { default none; ab yes; }
                 map \"$arg_v-$arg_w\" $m5 { default none; a-b yes; ~^(?<l>.+)-(?<r>.+)$ \"$r-$l\"; }
                 map $host $m6 { hostnames; default d; exact.com e; *.wild.com w; tail.* t; .both.com b; www.tail.com www; *.a.wild.com aw; ~^re\\d r; }
                 map $arg_v $m7 { volatile; default $arg_w; a $arg_w; }
                 map $arg_v $m8 { include {DIR}/map.conf; default d; }
                 map $arg_v $m9 { default 0; a 1; b 0; }",
            )
            .file("map.conf", "a from-file;\nb \"from file b\";\n")
            .server(
                "location /1 { return 200 \"[$m1][$ci]\"; } location /2 { return 200 \"[$m2]\"; } location /3 { return 200 \"[$m3]\"; } location /4 { return 200 \"[$m4]\"; } location /5 { return 200 \"[$m5][$l][$r]\"; }
                 location /6 { return 200 \"[$m6]\"; } location /7 { set $a $m7; set $args v=b&w=changed; return 200 \"[$a][$m7]\"; } location /8 { return 200 \"[$m8]\"; } location /9 { if ($m9) { return 200 true; } return 200 false; }
                 location /cached { set $a $m2; set $args v=zzz; return 200 \"[$a][$m2]\"; }",
            )
            .asks(
                (1..=9)
                    .flat_map(|number| {
                        ["", "?v=", "?v=a", "?v=A", "?v=b", "?v=B", "?v=x%20y", "?v=default", "?v=re1", "?v=re12", "?v=RE1", "?v=ci2", "?v=CI3", "?v=~tilde", "?v=c&w=W", "?v=d&w=W", "?v=e&w=W", "?v=both1", "?v=a&w=b"]
                            .map(|args| format!("/{number}{args}"))
                    })
                    .collect::<Vec<_>>(),
            )
            .asks(
                ["exact.com", "EXACT.com", "x.wild.com", "wild.com", "x.a.wild.com", "a.wild.com", "tail.x", "tail.com", "www.tail.com", "both.com", "x.both.com", "re1", "exact.com.", "exact.com:80", "none"]
                    .map(|host| format!("/6\nHost: {host}")),
            )
            .asks(["/cached?v=a"]),
        entry("map-groups")
            .http(
                "map $arg_u $who { default 0; ~^(?<user>[a-z]+):(.*)$ 1; }
                 map $arg_r $what { default 0; ~^(?<role>[a-z]+)=(?<user2>.)$ 1; }
                 map $arg_d $digit { default 0; ~(\\d) 1; }
                 map $arg_s $same { default 0; ~^(?<user>.)(?<rest>.*)$ 1; }",
            )
            .server(
                "location /both { if ($who = 0) { return 403 who; } if ($what = 0) { return 403 what; } return 200 \"[$user|$role|$user2|$1|$2|$3]\"; }
                 location /order { set $q $what; set $p $who; return 200 \"[$user|$role|$user2|$1|$2]\"; }
                 location /same { set $q $who; set $p $same; return 200 \"[$user|$rest|$1|$2]\"; }
                 location /set { set $q $who; set $user new; set $p $what; return 200 \"[$user|$role]\"; }
                 location /set-behind { set $user old; set $q $who; return 200 \"[$user]\"; }
                 location ~ ^/g(.)(.*)$ { set $q $digit; return 200 \"$q [$1|$2]\"; }
                 location ~ ^/(?<user>h.)(.*)$ { set $q $digit; return 200 \"$q [$user|$1|$2]\"; }
                 location /one { return 200 \"$who$what[$user|$role|$1|$2]\"; }
                 location /page { if ($who = 0) { return 403 who; } error_page 404 /after?; return 404; } location /after { return 200 \"[$user|$1|$2]\"; }
                 location /sub/ { set $q $who; alias {ROOT}/html/; add_after_body /inner; } location /inner { return 200 \"[$user|$1|$2]\"; }",
            )
            .asks(["both", "order", "same", "set", "set-behind", "gx1z", "gx", "hx1z", "one", "page", "sub/index.html"].iter().flat_map(|path| {
                ["", "?u=bob:x&r=admin=b", "?u=bob:&r=admin=b&s=xyz&d=7", "?u=bob:x", "?r=admin=c&d=x7", "?s=q&u=eve:1"].map(|args| format!("/{path}{args}"))
            })),
        entry("map-regex-beyond-bounds").unlike_errors("the line names what was searched, not the pattern", r#"pcre2_match|regular expression"#)
            .http(
                "map $arg_v $deep { default d; ~^(a+)+$ long; ~b last; }
                 map $arg_v $deep2 { ~^(a+)+$ long; }",
            )
            .server("location /m { return 200 \"[$deep][$deep2]\"; } location /if { if ($arg_v ~ ^(a+)+$) { return 200 yes; } return 200 no; } location /rw { rewrite ^/rw/(a+)+$ /yes last; return 200 no; } location ~ ^/loc/(a+)+$ { return 200 yes; } location /loc/ { return 200 no; } location /yes { return 200 yes; }")
            .asks(["/m?v=aaaa", "/m?v=b"])
            .asks(["/m?v=", "/if?v=", "/rw/", "/loc/"].map(|start| format!("{start}{}b", "a".repeat(40)))),
        entry("map-hostnames-of-text")
            .http("map $arg_h $mh { hostnames; default d; .example.com e; example.* t; www.example.* wt; \"\" empty; *.example.org o; }")
            .server("return 200 \"[$mh]\";")
            .asks(["example.com", "www.example.com", "Example.COM", "example.net", "www.example.net", "a.b.example.org", "example.org", "", ".example.com", "example.com.", "*.example.com"].map(|host| format!("/?h={host}"))),
        geo(),
        entry("geo-forms")
            .http(
                "geo $g1 { default d; 127.0.0.0/8 loop; 127.0.0.1 exact; }
                 geo $arg_ip $g2 { ranges; default d; 10.0.0.0-10.0.0.255 first; 10.0.0.10-10.0.0.20 inner; 10.0.1.1-10.0.1.1 one; 192.168.0.0-192.168.255.255 \"with space\"; }
                 geo $arg_ip $g3 { 10.0.0.0/8 ten; delete 10.0.0.0/8; 11.0.0.0/8 eleven; 12.1.2.3 host; }
                 geo $arg_ip $g4 { default d; include {DIR}/geo.conf; }
                 geo $g5 { default d; proxy 127.0.0.0/8; 1.2.3.4 four; 5.6.7.0/24 five; 127.0.0.0/8 self; }
                 geo $g6 { default d; proxy 127.0.0.0/8; proxy 5.6.7.8; proxy_recursive; 1.2.3.4 four; 5.6.7.0/24 five; 127.0.0.0/8 self; }
                 geo $arg_ip $g7 { default d; 0.0.0.0/0 all; ::/0 all6; 2001:db8::/32 doc; ::1 one; 2001:db8::1 host6; }
                 geo $arg_ip $g8 { 10.0.0.0/8 x; 10.0.0.0/8 y; }
                 geo $arg_ip $g9 { default ''; 10.0.0.0/8 1; 10.1.0.0/16 0; }",
            )
            .file("geo.conf", "10.0.0.0/8 from-file;\n11.0.0.1 other;\n")
            .server(
                "location /1 { return 200 \"[$g1]\"; } location /2 { return 200 \"[$g2]\"; } location /3 { return 200 \"[$g3]\"; } location /4 { return 200 \"[$g4]\"; } location /5 { return 200 \"[$g5]\"; } location /6 { return 200 \"[$g6]\"; }
                 location /7 { return 200 \"[$g7]\"; } location /8 { return 200 \"[$g8]\"; } location /9 { if ($g9) { return 200 true; } return 200 false; }",
            )
            .ask("/1")
            .asks(
                ["2", "3", "4", "7", "8", "9"]
                    .iter()
                    .flat_map(|number| {
                        [
                            "", "10.0.0.0", "10.0.0.9", "10.0.0.10", "10.0.0.20", "10.0.0.21", "10.0.0.255", "10.0.1.0", "10.0.1.1", "10.0.1.2", "10.1.0.1", "192.168.1.1", "11.0.0.1", "12.1.2.3", "12.1.2.4", "255.255.255.255", "0.0.0.0", "junk", "10.0.0", "10.0.0.256", "::1",
                            "2001:db8::1", "2001:db8::2", "2001:db9::", "::ffff:10.0.0.9", "::", "010.0.0.1",
                        ]
                        .map(|ip| format!("/{number}?ip={ip}"))
                    })
                    .collect::<Vec<_>>(),
            )
            .asks(
                ["5", "6"]
                    .iter()
                    .flat_map(|number| ["1.2.3.4", "5.6.7.8", "1.2.3.4, 5.6.7.8", "5.6.7.8, 1.2.3.4", "1.2.3.4, 9.9.9.9, 5.6.7.8", "junk", "1.2.3.4, junk", "", "1.2.3.4,5.6.7.8", " 1.2.3.4 ", "1.2.3.4:80"].map(|value| format!("/{number}\nX-Forwarded-For: {value}")))
                    .collect::<Vec<_>>(),
            )
            .asks(["/5\nX-Forwarded-For: 1.2.3.4\nX-Forwarded-For: 5.6.7.8", "/6\nX-Forwarded-For: 1.2.3.4\nX-Forwarded-For: 5.6.7.8", "/5", "/6"]),
        split(),
    ]
}

/// Random networks, asked for with random addresses.
fn geo() -> Entry {
    let mut random = Random::new(0x5eed_0003);
    let mut networks = std::collections::BTreeMap::new();
    for number in 0..60 {
        let bits = 1 + random.below(31) as u32;
        let address = (random.next() as u32 & 0x0f0f_0f0f) & (u32::MAX << (32 - bits));
        let [a, b, c, d] = address.to_be_bytes();
        networks.entry(format!("{a}.{b}.{c}.{d}/{bits}")).or_insert(number);
    }
    let lines: String = networks.iter().map(|(network, number)| format!("{network} n{number};\n")).collect();
    let mut entry = entry("generated-geo")
        .http(format!("geo $arg_ip $generated_geo {{ default d; {lines} }}"))
        .server("return 200 $generated_geo;");
    for _ in 0..150 {
        let [a, b, c, d] = (random.next() as u32 & 0x0f0f_0f0f).to_be_bytes();
        entry = entry.ask(format!("/?ip={a}.{b}.{c}.{d}"));
    }
    entry
}

fn split() -> Entry {
    let mut entry = entry("split-clients")
        .http(
            "split_clients $arg_k $sc1 { 10% a; 20.5% b; 0.01% c; * d; }
             split_clients \"$arg_k-salt\" $sc2 { 50% \"\"; 49.99% $uri; * rest; }
             split_clients $arg_k $sc3 { 33.33% one; 33.33% two; }",
        )
        .server("return 200 \"[$sc1][$sc2][$sc3]\";");
    for number in 0..80 {
        entry = entry.ask(format!("/?k=key{number}"));
    }
    entry.asks(["/", "/?k=", "/?k=%20", "/?k=\u{e4}"])
}
