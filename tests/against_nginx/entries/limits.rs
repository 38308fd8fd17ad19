//! `limit_rate`, `limit_req`, `limit_conn`.

use crate::entry::{Entry, Step, entry, request};

/// A request that is being answered while another one comes.
fn held(path: &str, then: &str) -> Vec<Step> {
    vec![Step::Beside(request(path, true)), Step::Send(request(then, true)), Step::Read(1)]
}

pub fn entries() -> Vec<Entry> {
    vec![
        entry("limit-rate")
            .server(
                "location /after/ { alias {ROOT}/html/; limit_rate 1; limit_rate_after 1m; }
                 location /fast/ { alias {ROOT}/html/; limit_rate 10m; }
                 location /var/ { alias {ROOT}/html/; limit_rate $arg_r; limit_rate_after $arg_a; }
                 location /set/ { alias {ROOT}/html/; set $limit_rate 10m; }
                 location /return { limit_rate 100k; return 200 \"text $limit_rate\"; }
                 location /if/ { alias {ROOT}/html/; if ($arg_x) { limit_rate 20m; } }",
            )
            .asks([
                "/after/big.txt", "/fast/big.txt", "/var/big.txt?r=10m&a=1k", "/var/a.txt?r=junk", "/var/a.txt", "/set/big.txt", "/return", "/if/big.txt?x=1", "HEAD /fast/big.txt", "/fast/big.txt\nRange: bytes=0-50000",
                "/fast/big.txt\nRange: bytes=0-9,1000-50000",
            ])
            .keep(["/fast/big.txt", "/after/a.txt"]),
        entry("left-while-delayed")
            .http("limit_req_zone $uri zone=left:1m rate=20r/m; limit_req_zone $uri zone=soon:1m rate=5r/s;")
            .server(
                "location /left { limit_req zone=left burst=5; root {ROOT}/none; error_page 404 = @ok; }
                 location /soon { limit_req zone=soon burst=5; root {ROOT}/none; error_page 404 = @ok; }
                 location @ok { return 200 x; }",
            )
            // The second request waits for three seconds; a client that has left by then gets nothing.
            .asks(["/left"])
            .cut(request("/left", true))
            // A delay that is shorter than the time that a half-closed connection is given.
            .asks(["/soon"])
            .cut(request("/soon", true)),
        entry("limit-req").unlike_errors("the pace decides whether a request is delayed", r#"zone "lr5""#)
            .http(
                "limit_req_zone $arg_k zone=lr1:1m rate=1r/m; limit_req_zone $arg_k zone=lr2:1m rate=1r/m; limit_req_zone $arg_k zone=lr3:1m rate=1r/m; limit_req_zone $arg_k zone=lr4:1m rate=1r/m;
                 limit_req_zone $binary_remote_addr$uri zone=lr5:1m rate=100r/s; limit_req_zone $arg_k$arg_j zone=lr6:1m rate=1r/m; limit_req_zone $server_name zone=lr7:1m rate=1r/m;",
            )
            .server(
                "root {ROOT}/html; error_page 404 = @ok; location @ok { return 200 \"ok $limit_req_status\"; }
                 add_header X-Status $limit_req_status always;
                 location /one { limit_req zone=lr1; }
                 location /burst { limit_req zone=lr2 burst=2 nodelay; }
                 location /status { limit_req zone=lr3; limit_req_status 429; }
                 location /dry { limit_req zone=lr4 burst=1 nodelay; limit_req_dry_run on; }
                 location @quiet { add_header X-Y z; return 200 quiet; }
                 location /fast { limit_req zone=lr5 burst=50; error_page 404 = @quiet; add_header X-Y z; }
                 location /delay { limit_req zone=lr5 burst=20 delay=10; error_page 404 = @quiet; add_header X-Y z; }
                 location /two { limit_req zone=lr2 burst=5 nodelay; limit_req zone=lr6; limit_req_status 444; }
                 location /page { limit_req zone=lr7; limit_req_status 599; error_page 599 =200 /a.txt; }
                 location /return { limit_req zone=lr1; return 200 unlimited; }
                 location /level { limit_req zone=lr3; limit_req_log_level info; limit_req_status 403; }",
            )
            .asks([
                "/one", "/one?k=a", "/one?k=a", "/one?k=b", "/one?k=b", "/burst?k=a", "/burst?k=a", "/burst?k=a", "/burst?k=a", "/burst?k=b", "/status?k=a", "/status?k=a", "/status?k=", "/status", "/dry?k=a", "/dry?k=a", "/dry?k=a", "/dry?k=a", "/fast", "/fast", "/fast",
                "/delay", "/delay", "/two?k=x&j=1", "/two?k=x&j=1", "/two?k=x&j=2", "/page", "/page", "/return?k=a", "/return?k=a", "/level?k=lv", "/level?k=lv", "HEAD /one?k=a", "POST /one?k=a\n\nbody",
            ])
            .keep(["/one?k=keep", "/one?k=keep", "/one?k=keep2"])
            .keep(["/two?k=y&j=9", "/two?k=y&j=9"])
            .pipeline(["/burst?k=p", "/burst?k=p", "/burst?k=p", "/burst?k=p", "/burst?k=q"]),
        entry("limit-conn")
            .http("limit_conn_zone $arg_k zone=lc1:1m; limit_conn_zone $arg_j zone=lc2:1m;")
            .server(
                "access_log off; root {ROOT}/html; add_header X-Status $limit_conn_status always;
                 location /one/ { alias {ROOT}/html/; limit_conn lc1 1; limit_rate 1k; }
                 location /two/ { alias {ROOT}/html/; limit_conn lc1 2; limit_rate 1k; }
                 location /status/ { alias {ROOT}/html/; limit_conn lc1 1; limit_conn_status 429; limit_rate 1k; }
                 location /dry/ { alias {ROOT}/html/; limit_conn lc1 1; limit_conn_dry_run on; limit_rate 1k; }
                 location /both/ { alias {ROOT}/html/; limit_conn lc1 1; limit_conn lc2 1; limit_rate 1k; }
                 location /level/ { alias {ROOT}/html/; limit_conn lc1 1; limit_conn_log_level notice; limit_rate 1k; }",
            )
            .asks(["/one/a.txt", "/one/a.txt?k=z", "/one/a.txt?k=z", "/status/a.txt?k=", "/both/a.txt?k=y"])
            .steps(held("/one/big.txt?k=1", "/one/a.txt?k=1"))
            .steps(held("/one/big.txt?k=2", "/one/a.txt?k=3"))
            .steps(held("/two/big.txt?k=4", "/two/a.txt?k=4"))
            .steps(held("/status/big.txt?k=5", "/status/a.txt?k=5"))
            .steps(held("/dry/big.txt?k=6", "/dry/a.txt?k=6"))
            .steps(held("/both/big.txt?k=7&j=8", "/both/a.txt?k=9&j=8"))
            .steps(held("/both/big.txt?k=10&j=11", "/both/a.txt?k=10&j=12"))
            .steps(held("/one/big.txt", "/one/a.txt"))
            .steps(held("/level/big.txt?k=13", "/one/a.txt?k=13"))
            .steps([Step::Beside(request("/two/big.txt?k=20", true)), Step::Beside(request("/two/big.txt?k=20", true)), Step::Send(request("/two/a.txt?k=20", true)), Step::Read(1)]),
        entry("limit-inheritance")
            .http("limit_req_zone $arg_k zone=li1:1m rate=1r/m; limit_req_zone $arg_k zone=li2:1m rate=1r/m;")
            .server(
                "limit_req zone=li1; root {ROOT}/html;
                 location /in/ { alias {ROOT}/html/; }
                 location /own/ { alias {ROOT}/html/; limit_req zone=li2 burst=1 nodelay; }
                 location /err/ { alias {ROOT}/html/; error_page 503 /a.txt; }
                 location /auth/ { alias {ROOT}/html/; auth_request /check; } location /check { internal; return 204; }",
            )
            .asks(["/in/a.txt?k=1", "/in/a.txt?k=1", "/own/a.txt?k=1", "/own/a.txt?k=1", "/own/a.txt?k=1", "/err/a.txt?k=2", "/err/a.txt?k=2", "/auth/a.txt?k=3", "/auth/a.txt?k=3"]),
    ]
}
