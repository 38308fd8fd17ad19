//! Access: addresses, passwords, subrequests, referers, signed links; and which address counts.

use crate::entry::{Entry, Listener, entry};
use crate::support::raw::Random;

/// `Authorization` of these credentials.
fn basic(credentials: &str) -> String {
    use base64::Engine;
    format!("Authorization: Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials))
}

/// Every user has the password `pass`, in a form of its own.
const USERS: &str = "\
# a comment
apr1:$apr1$saltsalt$xx013OFx2cRtDjpNeiZXf.
md5:$1$saltsalt$hZR.9zfJXcVTsa9iTxnQR1
sha256:$5$saltsalt$9k0iflfLhuazVMAUTm0egnVlpP5ays5xBLqSJuoPfB9
sha512:$6$saltsalt$KN.twvCyfwE67paW76hS2/bacYkY9PxIhxqYG9vL5bZmIwWBGDJ6mu4HlCosKUBfQwVXKXxXVXPcqdwd1Ip0X/
des:abccBcrPOxnLU
sha:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=
ssha:{SSHA}EfVjnyJSUVXLC0NXPuQhKDjHjYdzYWx0
plain:{PLAIN}pass
comment:{PLAIN}pass:a comment: more
empty:{PLAIN}
nothing:
bad:$apr1$
worse:{SSHA}x
notbase64:{SHA}***
literal:pass
twice:{PLAIN}first
twice:{PLAIN}pass
with space:{PLAIN}pass
\u{e4}:{PLAIN}pass
nocolon
 indented:{PLAIN}pass
colon:{PLAIN}pa:ss
last:{PLAIN}pass";

pub fn entries() -> Vec<Entry> {
    vec![
        addresses(),
        entry("access-order")
            .server(
                "listen [::1]:{PORT6}; listen unix:{SOCK}; root {ROOT}/html; error_page 404 =200 @ok; location @ok { return 200 ok; }
                 location /allow { allow all; } location /deny { deny all; }
                 location /net { allow 127.0.0.0/8; deny all; } location /host { allow 127.0.0.2; deny all; } location /not { deny 127.0.0.1; allow all; }
                 location /six { allow ::1; deny all; } location /six-net { deny ::/64; allow all; } location /mapped { allow ::ffff:127.0.0.1; deny all; }
                 location /unix { allow unix:; deny all; } location /not-unix { deny unix:; allow all; }
                 location /none { } location /nested { deny all; location /nested/in { allow all; } location /nested/same { } }
                 location /odd { allow 127.0.0.1/31; deny 127.0.0.0/8; } location /zero { deny 0.0.0.0/0; }
                 location /return { deny all; return 200 returned; } location /redirect { deny all; rewrite ^ /allow last; }
                 location /err { deny all; error_page 403 /deny-page; } location /deny-page { deny all; }
                 location /err-ok { deny all; error_page 403 =401 /a.txt; }",
            )
            .asks(
                ["allow", "deny", "net", "host", "not", "six", "six-net", "mapped", "unix", "not-unix", "none", "nested", "nested/in", "nested/same", "odd", "zero", "return", "redirect", "err", "err-ok"].map(|name| format!("/{name}")),
            )
            .ask("/net").on(Listener::V6).ask("/six").on(Listener::V6).ask("/six-net").on(Listener::V6).ask("/mapped").on(Listener::V6).ask("/zero").on(Listener::V6)
            .ask("/net").on(Listener::Unix).ask("/unix").on(Listener::Unix).ask("/not-unix").on(Listener::Unix).ask("/zero").on(Listener::Unix).ask("/deny").on(Listener::Unix),
        passwords(),
        entry("auth-basic-forms")
            .http("map $arg_r $realm { default \"realm $arg_n\"; off off; empty ''; }")
            .file("users", "user:{PLAIN}pass\n")
            .server(
                "auth_basic_user_file {DIR}/users; location / { alias {ROOT}/html/; auth_basic Outer; }
                 location /off/ { alias {ROOT}/html/; auth_basic off; } location /var/ { alias {ROOT}/html/; auth_basic $realm; }
                 location /quote/ { alias {ROOT}/html/; auth_basic 'a \"quoted\" \\\\ realm'; } location /utf/ { alias {ROOT}/html/; auth_basic \"\u{e4}\"; } location /empty/ { alias {ROOT}/html/; auth_basic ''; }
                 location /missing/ { alias {ROOT}/html/; auth_basic x; auth_basic_user_file {DIR}/missing; }
                 location /varfile/ { alias {ROOT}/html/; auth_basic x; auth_basic_user_file {DIR}/$arg_f; }
                 location /return { auth_basic x; return 200 returned; } location /user/ { alias {ROOT}/html/; auth_basic x; add_header X-User $remote_user; }
                 location /err/ { alias {ROOT}/html/; auth_basic x; error_page 401 /off/b.txt; } location /err2/ { alias {ROOT}/html/; auth_basic x; error_page 401 =200 /off/b.txt; }
                 location /limit/ { alias {ROOT}/html/; limit_except GET { auth_basic limited; } auth_basic off; }
                 location /dir/ { auth_basic x; }",
            )
            .asks([
                "/a.txt", "/off/a.txt", "/var/a.txt", "/var/a.txt?n=1", "/var/a.txt?r=off", "/var/a.txt?r=empty", "/var/a.txt?n=%22x", "/quote/a.txt", "/utf/a.txt", "/empty/a.txt", "/missing/a.txt", "/varfile/a.txt?f=users", "/varfile/a.txt?f=no", "/return", "/user/a.txt",
                "/err/a.txt", "/err2/a.txt", "/limit/a.txt", "POST /limit/a.txt\n\nx", "DELETE /limit/a.txt", "/dir", "/dir/", "HEAD /a.txt",
            ])
            .asks(
                ["/a.txt", "/missing/a.txt", "/varfile/a.txt?f=users", "/varfile/a.txt?f=no", "/user/a.txt", "/err/a.txt", "/none", "/dir/", "POST /limit/a.txt"].map(|path| format!("{path}\n{}", basic("user:pass"))),
            )
            .asks(["/user/a.txt", "/off/a.txt"].map(|path| format!("{path}\n{}", basic("user:wrong"))))
            .keep(["/a.txt".to_owned(), format!("/a.txt\n{}", basic("user:pass")), "/a.txt".to_owned()]),
        auth_requests(),
        entry("satisfy")
            .file("users", "user:{PLAIN}pass\n")
            .server(
                "auth_basic_user_file {DIR}/users; root {ROOT}/html; error_page 404 =200 @ok; location @ok { return 200 ok; } location /yes { internal; return 204; } location /no { internal; return 403; } location /who { internal; return 401; }
                 location /all-ok { satisfy all; allow all; auth_basic x; } location /all-no { satisfy all; deny all; auth_basic x; }
                 location /any-ok { satisfy any; allow all; deny all; auth_basic x; } location /any-no { satisfy any; deny all; auth_basic x; }
                 location /any-only-deny { satisfy any; deny all; } location /any-only-auth { satisfy any; auth_basic x; } location /any-nothing { satisfy any; }
                 location /any-request { satisfy any; deny all; auth_request /yes; } location /any-request-no { satisfy any; deny all; auth_request /no; } location /any-request-who { satisfy any; deny all; auth_request /who; auth_basic x; }
                 location /any-three { satisfy any; deny all; auth_basic x; auth_request /no; } location /all-three { satisfy all; allow all; auth_basic x; auth_request /yes; } location /all-request { satisfy all; auth_basic x; auth_request /no; }
                 location /any-off { satisfy any; deny all; auth_basic off; }",
            )
            .asks(
                ["all-ok", "all-no", "any-ok", "any-no", "any-only-deny", "any-only-auth", "any-nothing", "any-request", "any-request-no", "any-request-who", "any-three", "all-three", "all-request", "any-off"]
                    .iter()
                    .flat_map(|name| [format!("/{name}"), format!("/{name}\n{}", basic("user:pass")), format!("/{name}\n{}", basic("user:bad"))])
                    .collect::<Vec<_>>(),
            ),
        entry("limit-except")
            .server(
                "root {ROOT}/html; location /get/ { alias {ROOT}/html/; limit_except GET { deny all; } } location /post/ { alias {ROOT}/html/; limit_except POST { deny all; } } location /both/ { alias {ROOT}/html/; limit_except GET POST { deny all; } }
                 location /head/ { alias {ROOT}/html/; limit_except HEAD { deny all; } } location /allow/ { alias {ROOT}/html/; deny all; limit_except GET { allow all; } } location /dav/ { alias {ROOT}/html/; limit_except PROPFIND OPTIONS DELETE { deny all; } }
                 location /err/ { alias {ROOT}/html/; limit_except GET { deny all; } error_page 403 =200 /a.txt; } location /proxy/ { limit_except GET { deny all; } return 200 returned; }",
            )
            .asks(
                ["get", "post", "both", "head", "allow", "dav", "err", "proxy"]
                    .iter()
                    .flat_map(|place| ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "PATCH", "TRACE", "FOO"].map(|method| format!("{method} /{place}/a.txt")))
                    .collect::<Vec<_>>(),
            ),
        entry("limit-except-and-handlers")
            .server(
                "root {ROOT}/html; location /stub { stub_status; limit_except GET { allow all; } } location /stub-denied { stub_status; limit_except GET { deny all; } }
                 location /gif { empty_gif; limit_except GET { allow all; } } location /flv { flv; limit_except GET { allow all; } } location /mp4 { mp4; limit_except GET { allow all; } }
                 location /list/ { alias {ROOT}/html/noindex/; autoindex on; limit_except GET { allow all; } } location /random/ { alias {ROOT}/html/noindex/; random_index on; limit_except GET { allow all; } }
                 location /a.txt { limit_except GET { allow all; } } location /return { limit_except GET { allow all; } return 200 x; } location /if { if ($arg_x) { set $y 1; } stub_status; limit_except GET { allow all; } }
                 location /outer/ { stub_status; location /outer/inner { limit_except GET { allow all; } } }",
            )
            // The counters of the page have one digit, two or three.
            .mask("^(9[0-9]|1[01][0-9])$", "LENGTH")
            .asks(
                ["stub", "stub-denied", "gif", "flv", "mp4", "list/", "random/", "a.txt", "return", "if", "if?x=1", "outer/inner", "none"]
                    .iter()
                    .flat_map(|place| ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"].map(|method| format!("{method} /{place}")))
                    .collect::<Vec<_>>(),
            )
            .mask("(?s)Active connections.*", "STATUS"),
        referers(),
        real_ip(),
        entry("real-ip-and-access")
            .server("set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP; location / { alias {ROOT}/html/; allow 10.0.0.0/8; deny all; } location /show { return 200 \"[$remote_addr][$binary_remote_addr][$http_x_real_ip]\"; } location /off { real_ip_header X-Other; return 200 $remote_addr; }")
            .asks(["/a.txt", "/a.txt\nX-Real-IP: 10.1.2.3", "/a.txt\nX-Real-IP: 11.1.2.3", "/show\nX-Real-IP: 1.2.3.4", "/off\nX-Real-IP: 1.2.3.4", "/a.txt\nX-Real-IP: junk"])
            .keep(["/show\nX-Real-IP: 1.2.3.4", "/show", "/show\nX-Real-IP: 1.2.3.5"]),
        entry("satisfied-by-a-subrequest-or-a-password")
            .file("users", "user:{PLAIN}pass\n")
            .server(
                "satisfy any; auth_basic realm; auth_basic_user_file {DIR}/users; root {ROOT}/html;
                 location /403/ { alias {ROOT}/html/; auth_request /deny; } location /401/ { alias {ROOT}/html/; auth_request /ask; } location /500/ { alias {ROOT}/html/; auth_request /fail; } location /204/ { alias {ROOT}/html/; auth_request /grant; } location /rules/ { alias {ROOT}/html/; deny all; auth_request /deny; }
                 location /all/ { satisfy all; alias {ROOT}/html/; auth_request /ask; } location /asks/ { auth_basic off; alias {ROOT}/html/; auth_request /ask; deny all; }
                 location /deny { satisfy all; auth_basic off; return 403; } location /ask { satisfy all; auth_basic off; add_header WWW-Authenticate 'Basic realm=sub' always; return 401; } location /fail { auth_basic off; return 500; } location /grant { auth_basic off; return 204; }",
            )
            .asks(["403", "401", "500", "204", "rules", "all", "asks"].iter().flat_map(|place| {
                ["", "\nAuthorization: Basic dXNlcjpwYXNz", "\nAuthorization: Basic dXNlcjp3cm9uZw=="].map(|rest| format!("/{place}/a.txt{rest}"))
            })),
        entry("secure-link-inherited")
            .server(
                "secure_link_secret outer;
                 location /p/ { location /p/0a { return 200 \"[$secure_link]\"; } location /p/51 { secure_link_secret own; return 200 \"[$secure_link]\"; } location /p/hash/ { secure_link $arg_md5; secure_link_md5 \"/s/file secret\"; return 200 \"[$secure_link]\"; } location /p/half/ { secure_link $arg_md5; return 200 \"[$secure_link]\"; } return 200 \"[$secure_link]\"; }
                 location /s/ { secure_link $arg_md5; location /s/0a { secure_link_md5 \"/s/file secret\"; return 200 \"[$secure_link]\"; } location /s/51 { secure_link_secret own; location /s/5139 { secure_link_md5 \"/s/file secret\"; return 200 \"[$secure_link]\"; } return 200 \"[$secure_link]\"; } }",
            )
            .asks(["p/0ab1e8f0e596594c2838db59b56bfbbc/x", "p/5139e06b17dfd8802a83996ce9e05360/x", "p/hash/x", "p/half/x", "p/x", "s/0ab1e8f0e596594c2838db59b56bfbbc/x", "s/51/x", "s/5139e06b17dfd8802a83996ce9e05360/x"].map(|path| format!("/{path}?md5=_ga2VSDiYxKlQXEcjt7_ag"))),
        entry("secure-link")
            .server(
                "location /s/ { secure_link $arg_md5; secure_link_md5 \"$uri secret\"; return 200 \"[$secure_link][$secure_link_expires]\"; }
                 location /e/ { set $path $uri; if ($uri ~ ^/e/(.*)) { set $path /s/$1; } secure_link $arg_md5,$arg_e; secure_link_md5 \"$secure_link_expires$path secret\"; return 200 \"[$secure_link][$secure_link_expires]\"; }
                 location /i { if ($arg_md5 = '') { return 403 none; } secure_link $arg_md5; secure_link_md5 \"/s/file secret\"; if ($secure_link = '') { return 403 bad; } if ($secure_link = '0') { return 410 gone; } return 200 good; }
                 location /p/ { secure_link_secret secretword; if ($secure_link = '') { return 403 bad; } rewrite ^ /files/$secure_link last; }
                 location /files/ { internal; alias {ROOT}/html/; }
                 location /none { return 200 \"[$secure_link]\"; }",
            )
            .asks([
                "/s/file?md5=_ga2VSDiYxKlQXEcjt7_ag", "/s/file?md5=_ga2VSDiYxKlQXEcjt7_ah", "/s/file?md5=", "/s/file", "/s/file?md5=_ga2VSDiYxKlQXEcjt7_ag==", "/s/file?md5=short", "/s/file?md5=+ga2VSDiYxKlQXEcjt7/ag", "/e/file?md5=tXOkASN8haeYsQ-DeNLw-g&e=4102444800",
                "/e/file?md5=AJ0-ZhbNjx9GFw82_ZVbJg&e=1000000000", "/e/file?md5=tXOkASN8haeYsQ-DeNLw-g&e=junk", "/e/file?md5=tXOkASN8haeYsQ-DeNLw-g", "/e/file?md5=x,y&e=1", "/i?md5=_ga2VSDiYxKlQXEcjt7_ag", "/i?md5=x", "/i", "/p/abadf36d8e690bdca27ff6ed5211a7d5/a.txt",
                "/p/c3c352a16c096017a9be02fc26017836/dir/file.txt", "/p/c3c352a16c096017a9be02fc26017836/a.txt", "/p/x/a.txt", "/p/", "/p/abadf36d8e690bdca27ff6ed5211a7d5/", "/p/ABADF36D8E690BDCA27FF6ED5211A7D5/a.txt", "/p/abadf36d8e690bdca27ff6ed5211a7d5a.txt", "/none",
            ]),
    ]
}

/// Random rules, and addresses that the real-ip header brings.
fn addresses() -> Entry {
    let mut random = Random::new(0x5eed_0004);
    let mut entry = entry("generated-access").server("set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP; root {ROOT}/html; error_page 404 =200 @ok; location @ok { return 200 ok; }");
    for number in 0..12 {
        let mut rules = String::new();
        for _ in 0..1 + random.below(6) {
            let what = if random.below(2) == 0 { "allow" } else { "deny" };
            let [a, b, c, d] = (random.next() as u32 & 0x0303_0303).to_be_bytes();
            match random.below(5) {
                0 => rules.push_str(&format!("{what} 10.{a}.{b}.{c};")),
                1 => rules.push_str(&format!("{what} all;")),
                2 => rules.push_str(&format!("{what} 2001:db8::{d:x};")),
                _ => {
                    let bits = 8 + random.below(24) as u32;
                    let address = u32::from_be_bytes([10, a, b, c]) & (u32::MAX << (32 - bits));
                    let [a, b, c, d] = address.to_be_bytes();
                    rules.push_str(&format!("{what} {a}.{b}.{c}.{d}/{bits};"));
                }
            }
        }
        entry = entry.server(format!("location /{number}/ {{ {rules} }}"));
        for _ in 0..12 {
            let [a, b, c, d] = (random.next() as u32 & 0x0303_0303).to_be_bytes();
            let ip =
                if random.below(6) == 0 { format!("2001:db8::{d:x}") } else { format!("10.{a}.{b}.{c}") };
            entry = entry.ask(format!("/{number}/\nX-Real-IP: {ip}"));
        }
    }
    entry
}

fn passwords() -> Entry {
    let mut entry = entry("auth-basic-passwords").file("users", USERS).server("auth_basic realm; auth_basic_user_file {DIR}/users; location / { alias {ROOT}/html/; add_header X-User \"[$remote_user]\" always; }");
    for line in USERS.lines() {
        let user = line.split(':').next().unwrap();
        for password in ["pass", "wrong", ""] {
            entry = entry.ask(format!("/a.txt\n{}", basic(&format!("{user}:{password}"))));
        }
    }
    for credentials in [
        "nobody:pass",
        "plain",
        ":pass",
        "",
        ":",
        "plain:pass:x",
        "comment:pass:a comment: more",
        "colon:pa",
        "colon:pa:ss",
        "twice:first",
        "twice:pass",
        "literal:pass",
        "Plain:pass",
        "plain :pass",
        "plain:PASS",
        "plain:pass\n",
        "indented:pass",
    ] {
        entry = entry.ask(format!("/a.txt\n{}", basic(credentials)));
    }
    let right = basic("plain:pass").replace("Authorization: Basic ", "");
    entry
        .asks(
            [
                format!("Basic  {right}"),
                format!("basic {right}"),
                format!("BASIC {right}"),
                format!("Basic {right} "),
                format!("Basic {right}x"),
                format!("Basic {}", right.replace('=', "")),
                format!("Basic {right}=="),
                "Basic".to_owned(),
                "Basic ".to_owned(),
                "Basic ***".to_owned(),
                format!("Bearer {right}"),
                format!("Digest {right}"),
                right.clone(),
                String::new(),
                "Basic cGxhaW4".to_owned(),
                format!("Basic\t{right}"),
                format!("Basic {right},x"),
            ]
            .map(|value| format!("/a.txt\nAuthorization: {value}")),
        )
        .ask(format!("/a.txt\n{}\n{}", basic("plain:pass"), basic("plain:wrong")))
}

fn auth_requests() -> Entry {
    let mut entry = entry("auth-request")
        .http("server { listen {ADDR}:{PORT2}; location / { add_header X-Sub sub; add_header X-Uri \"$request_uri $request_method $http_content_length\"; add_header WWW-Authenticate 'Basic realm=\"sub\"' always; return $arg_s; } }".replace("return $arg_s;", "if ($arg_s = 401) { return 401; } if ($arg_s = 403) { return 403; } return 204;"))
        .server(
            "root {ROOT}/html; error_page 404 =200 @ok; location @ok { return 200 \"ok [$sub][$subst]\"; } set $sub ''; set $subst '';
             location /off { auth_request off; } location /missing { auth_request /no-such-location; } location /named { auth_request /static.txt; } location = /static.txt { alias {ROOT}/html/a.txt; }
             location /vars { auth_request /sub; auth_request_set $sub $sent_http_x_sub; auth_request_set $subst $upstream_status; } location /sub { internal; add_header X-Sub value; return 200 x; }
             location /proxied { auth_request /px; auth_request_set $sub $upstream_http_x_uri; auth_request_set $subst $upstream_http_x_sub; } location = /px { internal; proxy_pass http://{ADDR}:{PORT2}/?s=$arg_s; proxy_pass_request_body off; proxy_set_header Content-Length ''; }
             location /return { auth_request /s403; return 200 returned; } location /file/ { alias {ROOT}/html/; auth_request /s204; }
             location /err/ { alias {ROOT}/html/; auth_request /s401; error_page 401 =302 /login?from=$request_uri; } location /err403/ { alias {ROOT}/html/; auth_request /s403; error_page 403 /a.txt; }
             location /self { auth_request /self; } location /nested { auth_request /inner; } location /inner { auth_request /s403; return 200; } location /nested2 { auth_request /inner2; } location /inner2 { auth_request /s403; alias {ROOT}/html/a.txt; }
             location /deny { deny all; auth_request /s204; } location /uri { auth_request /show; auth_request_set $sub $sent_http_x_u; } location /show { add_header X-U \"$uri-$request_uri-$args-$request_method\"; return 204; }
             location /query { auth_request /by-query; } location /by-query { if ($arg_t = let-in) { return 204; } if ($is_args) { return 204; } return 403; }
             location /redirecting { auth_request /rw; } location /rw { rewrite ^ /s204 last; } location /errsub { auth_request /errs; } location /errs { error_page 404 =204 /s204; return 404; }",
        );
    for status in [
        200, 201, 204, 206, 299, 301, 302, 304, 400, 401, 402, 403, 404, 405, 429, 444, 499, 500, 502, 503,
        504,
    ] {
        entry = entry.server(format!("location = /s{status} {{ add_header WWW-Authenticate 'Basic realm=\"sub{status}\"' always; return {status}; }} location /a{status} {{ auth_request /s{status}; }}"));
        entry = entry.ask(format!("/a{status}"));
    }
    entry
        .asks([
            "/off",
            "/missing",
            "/named",
            "/vars",
            "/proxied",
            "/proxied?s=401",
            "/proxied?s=403",
            "POST /proxied\n\nbody",
            "/return",
            "/file/a.txt",
            "/file/none",
            "/file/dir",
            "/err/a.txt?q=1",
            "/err403/a.txt",
            "/self",
            "/nested",
            "/nested2",
            "/deny",
            "/uri?x=y",
            "POST /uri\n\nx",
            "HEAD /a204",
            "HEAD /a401",
            "/redirecting",
            "/errsub",
            "/file/a.txt\nRange: bytes=0-1",
            "/file/a.txt\nIf-None-Match: *",
            "POST /file/a.txt\n\nbody",
            "/static.txt",
            "/query",
            "/query?t=let-in",
        ])
        .keep(["/a204", "/a401", "/a403", "/file/a.txt"])
}

fn referers() -> Entry {
    let sets = [
        ("none", "none other.example"),
        ("blocked", "blocked other.example"),
        ("names", "server_names"),
        ("host", "example.com"),
        ("wild", "*.example.com"),
        ("tail", "example.*"),
        ("dot", ".example.com"),
        ("path", "example.com/dir/"),
        ("wild-path", "*.example.com/dir"),
        ("regex", "~example\\.com/dir"),
        ("regex2", "~^EX.*\\.org"),
        ("many", "none blocked server_names example.org *.example.net ~x"),
        ("tail-path", "www.example.*/x"),
    ];
    let mut entry = entry("valid-referers").server("server_name own.example *.wild.example;");
    for (name, words) in sets {
        entry = entry.server(format!("location /{name}/ {{ valid_referers {words}; if ($invalid_referer) {{ return 403 \"invalid [$invalid_referer]\"; }} return 200 \"valid [$invalid_referer]\"; }}"));
        entry = entry.ask(format!("/{name}/"));
        for referer in [
            "",
            "http://example.com",
            "http://example.com/",
            "https://example.com/dir/x",
            "http://EXAMPLE.com/DIR/",
            "http://www.example.com/dir/",
            "http://example.net",
            "http://example.com:8080/dir/",
            "http://example.org/x",
            "ftp://example.com/",
            "example.com",
            "//example.com/",
            "http://own.example/x",
            "http://a.wild.example/",
            "XXXX",
            "http://",
            "http:///dir/",
            "http://www.example.tld/x",
            "http://example.com.evil.org/",
            "http://evil.org/example.com",
            "http://user@example.com/",
            "http://example.com?x",
            "HTTP://example.com/",
        ] {
            entry = entry.ask(format!("/{name}/\nReferer: {referer}"));
        }
    }
    entry
}

fn real_ip() -> Entry {
    let show = "return 200 \"[$remote_addr][$realip_remote_addr][$http_x_forwarded_for]\";";
    let places = [
        ("xri", "set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;"),
        ("default", "set_real_ip_from 127.0.0.1;"),
        ("xff", "set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For;"),
        (
            "rec",
            "set_real_ip_from 127.0.0.0/8; set_real_ip_from 10.0.0.0/8; set_real_ip_from 2001:db8::/32; real_ip_header X-Forwarded-For; real_ip_recursive on;",
        ),
        ("other", "set_real_ip_from 127.0.0.1; real_ip_header X-Odd;"),
        ("untrusted", "set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For;"),
        ("pp", "set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;"),
        (
            "all",
            "set_real_ip_from 0.0.0.0/0; set_real_ip_from ::/0; real_ip_header X-Forwarded-For; real_ip_recursive on;",
        ),
    ];
    let mut entry = entry("real-ip").server("listen unix:{SOCK};");
    for (name, words) in places {
        // `return` is carried out before the address is replaced in the pre-access phase, but after the post-read phase.
        entry = entry.server(format!("location /{name} {{ {words} error_page 404 = @{name}; root {{ROOT}}/none; }} location @{name} {{ {words} {show} }}"));
        for value in [
            "1.2.3.4",
            "1.2.3.4, 10.0.0.1",
            "1.2.3.4, 5.6.7.8",
            "10.0.0.1, 10.0.0.2",
            "1.2.3.4,10.0.0.1",
            "1.2.3.4 , 10.0.0.1 ",
            "junk",
            "1.2.3.4, junk",
            "junk, 10.0.0.1",
            "2001:db8::1",
            "1.2.3.4, 2001:db8::1",
            "[2001:db8::1]:80",
            "1.2.3.4:80",
            "1.2.3.4, 10.0.0.1:99",
            "",
            ",",
            "unix:",
            "::ffff:1.2.3.4",
            "256.1.1.1",
            "127.0.0.1",
        ] {
            entry =
                entry.ask(format!("/{name}\nX-Forwarded-For: {value}\nX-Real-IP: {value}\nX-Odd: {value}"));
        }
        entry = entry.ask(format!("/{name}\nX-Forwarded-For: 1.2.3.4\nX-Forwarded-For: 10.0.0.1\nX-Real-IP: 1.1.1.1\nX-Real-IP: 2.2.2.2"));
    }
    entry.server("location /unix { set_real_ip_from unix:; real_ip_header X-Real-IP; error_page 404 = @unix; root {ROOT}/none; } location @unix { return 200 $remote_addr; }").ask("/unix\nX-Real-IP: 1.2.3.4").on(Listener::Unix).ask("/unix\nX-Real-IP: 1.2.3.4")
}
