//! Files: `root`, `alias`, `index`, `try_files`, listings, types, links.

use crate::entry::{Entry, entry, page};

pub fn entries() -> Vec<Entry> {
    let mut entries = vec![
        entry("plain")
            .server("")
            .asks([
                "/", "/a.txt", "HEAD /a.txt", "/none", "HEAD /none", "/dir", "HEAD /dir", "/dir?x=y", "/dir/", "/noindex", "/noindex/",
                "/a.txt/", "/a.txt/x", "/dir/sub", "/empty.txt", "HEAD /empty.txt", "/.hidden", "/link.txt", "/dangling", "/linkdir", "/linkdir/",
                "POST /a.txt\n\nx", "PUT /a.txt\n\nx", "DELETE /a.txt", "OPTIONS /a.txt", "TRACE /a.txt", "PATCH /a.txt", "FOO /a.txt",
                "PROPFIND /", "POST /dir\n\nx", "POST /none\n\nx", "POST /\n\nx", "/with%20space.txt", "/with+plus.txt", "/with%25percent.txt",
                "/with%3fmark.txt", "/with%23hash.txt", "/with;semi.txt", "/%c3%bcmlaut.txt", "/\u{fc}mlaut.txt", "/noext", "/odd.unknown",
                "/UPPER.TXT", "/upper.txt", "/style.css", "/data.json", "/script.js", "/page.xml", "/image.gif", "/big.txt", "HEAD /big.txt",
                "/a.txt%00", "/a%00.txt", "/dir%00/",
            ])
            .raws([
                "GET /a.txt HTTP/1.0\r\n\r\n",
                "GET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                "GET /none HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                "GET /a.txt\r\n",
                "GET /none\r\n",
                "GET /dir HTTP/1.0\r\n\r\n",
                "HEAD /a.txt HTTP/1.0\r\n\r\n",
            ]),
        entry("root-and-alias")
            .server(
                "location /dir { root {ROOT}/html; }
                 location /al/ { alias {ROOT}/html/dir/; }
                 location /al2 { alias {ROOT}/html/dir; }
                 location = /one { alias {ROOT}/html/a.txt; }
                 location = /slash { alias {ROOT}/html/dir/; }
                 location ~ ^/re/(.+)$ { alias {ROOT}/html/$1; }
                 location ~ ^/rd/(.+)/$ { alias {ROOT}/html/$1/; index index.html; }
                 location ~ ^/rr/(.+)$ { root {ROOT}/html/$1; }
                 location /var/ { set $d dir; root {ROOT}/html/$d; rewrite ^/var(/.*)$ $1 break; }
                 location /va/ { set $d dir; alias {ROOT}/html/$d/; }
                 location /rel/ { root html; rewrite ^/rel(/.*) $1 break; }
                 location /in/ { alias {ROOT}/html/; location ~ \\.txt$ { } location /in/dir/ { alias {ROOT}/html/noindex/; } }
                 location /args/ { root {ROOT}/html/$arg_d; rewrite ^/args(/.*) $1 break; }
                 location /name { return 200 \"$request_filename $document_root $realpath_root\"; root {ROOT}/html/linkdir; }
                 location /name2 { alias {ROOT}/html/linkdir; return 200 \"$request_filename $document_root $realpath_root\"; }",
            )
            .asks([
                "/dir", "/dir/", "/dir/file.txt", "/al", "/al/", "/al/file.txt", "/al/sub", "/al/sub/deep.txt", "/al2", "/al2/", "/al2/file.txt", "/al2x",
                "/al2/sub", "/one", "/one/", "/slash", "/re/a.txt", "/re/dir/file.txt", "/re/dir", "/re/dir/", "/rd/dir/", "/rd/noindex/", "/rr/x",
                "/rr/dir", "/var/file.txt", "/var/sub", "/va/file.txt", "/va/", "/va/sub", "/rel/a.txt", "/rel/dir", "/in/a.txt", "/in/dir/file.txt",
                "/in/dir/sub/deep.txt", "/args/file.txt?d=dir", "/args/file.txt?d=none", "/args/file.txt", "/args/a.txt?d=../html", "/name/x", "/name2/x",
                "/name2",
            ]),
        entry("index")
            .server(
                "root {DIR};
                 location /one/ { index first.html second.html; }
                 location /two/ { index missing.html second.html; }
                 location /none/ { index missing.html; }
                 location /abs/ { index missing.html /other.html; }
                 location /abs2/ { index missing.html /other.html second.html; }
                 location /var/ { index $arg_i.html second.html; }
                 location /sub/ { index in/second.html; }
                 location /isdir/ { index in; }
                 location /redirected/ { index second.html; }
                 location = /redirected/second.html { return 200 \"inner $uri $args\"; }
                 location /empty/ { index $arg_i; }
                 location /default/ { }
                 location = /other.html { return 200 other; }
                 location /files/ { index none.html; autoindex on; }
                 location ~ \\.php$ { return 200 \"php $uri\"; }
                 location /php/ { index index.php; }",
            )
            .file("one/first.html", "first\n")
            .file("one/second.html", "second\n")
            .file("two/second.html", "second\n")
            .file("abs/x", "x")
            .file("none/x", "x")
            .file("var/a.html", "var a\n")
            .file("var/second.html", "var second\n")
            .file("sub/in/second.html", "in second\n")
            .file("isdir/in/x", "x")
            .file("redirected/second.html", "not this\n")
            .file("empty/x", "x")
            .file("default/index.html", "default\n")
            .file("files/a", "a")
            .file("php/index.php", "<?php")
            .asks([
                "/one/", "/one", "/two/", "/none/", "/abs/", "/abs2/", "/var/?i=a", "/var/?i=b", "/var/", "/sub/", "/isdir/", "/redirected/?q=1", "/empty/",
                "/empty/?i=x", "/default/", "/files/", "/php/", "HEAD /one/", "POST /one/\n\nx", "/missing/", "/one//",
            ]),
        entry("random-index")
            .server("location / { root {DIR}; random_index on; } location /off/ { alias {DIR}/; random_index off; } location /idx/ { root {ROOT}/html; rewrite ^/idx(.*) /dir$1 break; random_index on; }")
            .file("only/x.html", "the only one\n")
            .file("hidden/.x", "hidden\n")
            .file("dirs/a/x", "x")
            .asks(["/only/", "/hidden/", "/dirs/", "/none/", "/off/only/", "/only", "POST /only/\n\nx", "/dirs/a/"]),
        entry("index-above").unlike_errors("a variable must not lead out of the directory", r#"GET /(root|line)/"#)
            .server(
                "location /line/ { alias {ROOT}/html/dir/; index ../a.txt; }
                 location /var/ { alias {ROOT}/html/dir/; index $arg_i file.txt; }
                 location /root/ { root {ROOT}/html; index ../a.txt ../dir/file.txt; }
                 location /real { return 200 \"$realpath_root\"; root {ROOT}/html/dir/../dir; }
                 location /real-none { return 200 \"$realpath_root\"; root {ROOT}/none; }
                 location /real-link { return 200 \"$realpath_root\"; root {DIR}/link; }
                 location /real-var { return 200 \"$realpath_root $realpath_root\"; root {ROOT}/$arg_d; }
                 location /real-set { set $r $realpath_root; add_header X-Real $realpath_root; root {DIR}/link; return 200 $r; }",
            )
            .file("target/x", "x")
            .link("link", "target")
            .asks([
                "/line/", "/var/?i=a.html", "/var/?i=../a.txt", "/var/?i=none", "/var/?i=/a.txt", "/var/?i=..", "/var/?i=sub/../file.txt", "/var/?i=../none", "/root/", "/real", "/real-none", "/real-link", "/real-var?d=html",
                "/real-var?d=none", "/real-var?d=html/../html", "/real-set",
            ])
            .mask("uri=\"/var/sub/[.][.]/file.txt\"", "uri=\"/var/file.txt\"")
            .own_for("GET /line/ ", ABOVE, format!("{}=== closed\n", page("403 Forbidden", &["Connection: close"])))
            .own_for("GET /var/?i=../a.txt ", ABOVE, file_txt())
            .own_for("GET /var/?i=.. ", ABOVE, file_txt()),
        entry("try-files")
            .server(
                "root {ROOT}/html;
                 location /files/ { try_files /none /a.txt /b.txt =404; }
                 location /code/ { try_files /none =410; }
                 location /code2/ { try_files $uri $uri/ =204; }
                 location /code3/ { try_files /none =400; }
                 location /code5/ { try_files /none =503; }
                 location /named/ { try_files /none @named; }
                 location /uri/ { try_files /none /dir/file.txt; }
                 location /args/ { try_files /none /show?q=$uri&$args; }
                 location /args2/ { try_files /none /show; }
                 location /args3/ { try_files /none /show?; }
                 location /dir/ { try_files $uri $uri/ /a.txt; }
                 location /noindex/ { try_files $uri $uri/ =404; }
                 location /only-dir/ { try_files /dir/ =404; }
                 location /dir-as-file/ { try_files /dir =404; }
                 location /file-as-dir/ { try_files /a.txt/ =404; }
                 location /var/ { try_files $arg_f =404; }
                 location /alias/ { alias {ROOT}/html/dir/; try_files $uri $uri/ =404; }
                 location /alias2/ { alias {ROOT}/html/dir/; try_files file.txt =404; }
                 location ~ ^/re/(.*)$ { try_files /$1 /dir/$1 @named; }
                 location ~ ^/rea/(.*)$ { alias {ROOT}/html/$1; try_files \"\" =404; }
                 location ~ ^/dir/?x { alias {ROOT}/html; try_files /dir/file.txt =404; }
                 location ~ /file.txt$ { alias {ROOT}/html/dir; try_files $uri /a.txt =404; }
                 location ~ /file.txt/$ { alias {ROOT}/html/dir; try_files /sub/ =404; }
                 location /self/ { try_files /none /self/; }
                 location /type/ { try_files /style.css =404; }
                 location /cond/ { if ($arg_x) { set $y 1; } try_files /b.txt =404; }
                 location @named { return 200 \"named $uri $args\"; }
                 location /show { return 200 \"show $uri [$args] $request_uri\"; }",
            )
            .asks([
                "/files/", "/code/", "/code2/", "/code2/x", "/code3/", "/code5/", "/named/x?y=z", "/uri/", "/args/x?a=b", "/args2/x?a=b", "/args3/x?a=b", "/dir/",
                "/dir/file.txt", "/dir/none", "/dir/sub", "/dir/sub/", "/noindex/", "/noindex/file.txt", "/only-dir/", "/dir-as-file/", "/file-as-dir/",
                "/var/?f=/a.txt", "/var/?f=a.txt", "/var/", "/var/?f=/../html/a.txt", "/var/?f=/%61.txt", "/alias/file.txt", "/alias/", "/alias/sub",
                "/alias/none", "/alias2/x", "/re/a.txt", "/re/file.txt", "/re/none", "/rea/a.txt", "/rea/none", "/self/x", "/type/", "/cond/", "/cond/?x=1",
                "/file.txt", "/dir/x", "/dirx", "/none/file.txt", "/file.txt/",
                "HEAD /files/", "POST /files/\n\nx", "POST /named/\n\nx", "/files/\nRange: bytes=0-2",
            ])
            .own_for(
                "GET /var/?f=/../html/a.txt ",
                "nginx lets a client leave the root by a variable",
                format!("{}=== closed\n", page("404 Not Found", &["Connection: close"])),
            ),
        entry("try-files-status-and-methods")
            .server(
                "root {ROOT}/html; location /404/ { try_files /none =404; } location /403/ { try_files /none =403; } location /200/ { try_files /none =200; } location /204/ { try_files /none =204; } location /301/ { try_files /none =301; } location /405/ { try_files /none =405; } location /444/ { try_files /none =444; }
                 location /a/ { try_files /a.txt =404; } location /page/ { try_files /none =404; error_page 404 /a.txt; } location /cors/ { try_files /none =404; add_header X-A b always; }",
            )
            .asks(
                ["404", "403", "200", "204", "301", "405", "444", "a", "page", "cors"]
                    .iter()
                    .flat_map(|place| ["OPTIONS", "PUT", "DELETE", "POST", "HEAD", "PATCH", "PROPFIND"].map(|method| format!("{method} /{place}/x")))
                    .collect::<Vec<_>>(),
            ),
        entry("types-of-several-blocks")
            .http("types { a/one px1; a/two px2; }")
            .server(
                "location / { alias {DIR}/; } location /own/ { alias {DIR}/; types { b/one px1; } types { b/two px2; c/one px1; } types { } } location /own/none/ { types { } }",
            )
            .file("f.px1", "1").file("f.px2", "2").file("f.css", "3")
            .asks(["/f.px1", "/f.px2", "/f.css", "/own/f.px1", "/own/f.px2", "/own/f.css", "/own/none/f.px1"]),
        entry("types")
            .server(
                "root {DIR};
                 location /own/ { types { text/x-own own; text/x-two two TWO3; } default_type application/x-default; alias {DIR}/; }
                 location /none/ { types { } default_type \"\"; alias {DIR}/; }
                 location /only-default/ { types { } default_type text/x-all; alias {DIR}/; }
                 location /bin/ { default_type application/octet-stream; alias {DIR}/; }
                 location /return { default_type text/html; return 200 x; }
                 location /return-var { default_type \"text/plain; charset=x\"; return 200 x; }
                 location ~ ^/uri(.*)$ { return 200 x; }",
            )
            .file("a.own", "a")
            .file("a.two", "a")
            .file("a.two3", "a")
            .file("a.TWO", "a")
            .file("a.html", "a")
            .file("a.HTML", "a")
            .file("a.tar.gz", "a")
            .file("a.", "a")
            .file(".html", "a")
            .file("noext", "a")
            .file("dir.html/noext", "a")
            .file("a.svgz", "a")
            .file("a.mp4", "a")
            .file("a.m3u8", "a")
            .file("a.ts", "a")
            .asks(
                ["/", "/own/", "/none/", "/only-default/", "/bin/"]
                    .iter()
                    .flat_map(|start| {
                        ["a.own", "a.two", "a.two3", "a.TWO", "a.html", "a.HTML", "a.tar.gz", "a.", ".html", "noext", "dir.html/noext", "a.svgz", "a.mp4", "a.m3u8", "a.ts"]
                            .map(|name| format!("{start}{name}"))
                    })
                    .collect::<Vec<_>>(),
            )
            .asks(["/return", "/return-var", "/uri/x.html", "/uri/x.css", "/uri.css", "/own/none"]),
        entry("disable-symlinks")
            .server(
                "location /on/ { alias {DIR}/; disable_symlinks on; }
                 location /off/ { alias {DIR}/; disable_symlinks off; }
                 location /owner/ { alias {DIR}/; disable_symlinks if_not_owner; }
                 location /from/ { alias {DIR}/dirlink/; disable_symlinks on from={DIR}/dirlink; }
                 location /from2/ { alias {DIR}/dirlink/; disable_symlinks on; }
                 location /from3/ { alias {DIR}/; disable_symlinks on from=$document_root; }
                 location /from4/ { alias {DIR}/; disable_symlinks on from=/nowhere; }
                 location /index/ { alias {DIR}/ix/; disable_symlinks on; }
                 location /list/ { alias {DIR}/; disable_symlinks on; autoindex on; }
                 location /try/ { alias {DIR}/; disable_symlinks on; try_files $uri /on/real.txt; }
                 open_file_cache off;",
            )
            .file("real.txt", "real\n")
            .file("d/f.txt", "f\n")
            .file("ix/real.html", "x\n")
            .link("link.txt", "real.txt")
            .link("dirlink", "d")
            .link("d/up.txt", "../real.txt")
            .link("dangling", "none")
            .link("abs.txt", "{DIR}/real.txt")
            .link("ix/index.html", "real.html")
            .link("loop", "loop")
            .link("foreign-link", "real.txt")
            .foreign("foreign-link")
            .link("foreign-target", "theirs.txt")
            .file("theirs.txt", "theirs\n")
            .foreign("theirs.txt")
            .link("both-foreign", "theirs.txt")
            .foreign("both-foreign")
            .link("foreign-dir", "d")
            .foreign("foreign-dir")
            .asks(
                ["on", "off", "owner", "from3", "from4", "try"]
                    .iter()
                    .flat_map(|start| {
                        ["real.txt", "link.txt", "dirlink/f.txt", "d/up.txt", "d/f.txt", "dangling", "abs.txt", "dirlink", "dirlink/", "loop", "foreign-link", "foreign-target", "theirs.txt", "both-foreign", "foreign-dir/f.txt"]
                            .map(|name| format!("/{start}/{name}"))
                    })
                    .collect::<Vec<_>>(),
            )
            .asks(["/from/f.txt", "/from/up.txt", "/from2/f.txt", "/index/", "/list/", "/list/dirlink/"]),
        entry("open-file-cache")
            .server(
                "open_file_cache max=10 inactive=10s; open_file_cache_valid 10s; open_file_cache_min_uses 1; open_file_cache_errors on;
                 location /err-off/ { alias {ROOT}/html/; open_file_cache_errors off; }
                 location /off/ { alias {ROOT}/html/; open_file_cache off; }
                 location / { autoindex on; }",
            )
            .asks([
                "/a.txt", "/a.txt", "/none", "/none", "/dir", "/dir", "/dir/", "/dir/", "/err-off/none", "/err-off/none", "/off/a.txt", "/big.txt", "/big.txt",
                "/link.txt", "/a.txt\nRange: bytes=1-2", "HEAD /a.txt", "/noindex/", "/a.txt/", "/dangling",
            ])
            .keep(["/a.txt", "/a.txt", "/none"]),
        entry("sendfile-and-aio")
            .server(
                "location /sendfile/ { alias {ROOT}/html/; sendfile on; tcp_nopush on; sendfile_max_chunk 16k; }
                 location /threads/ { alias {ROOT}/html/; aio threads; }
                 location /buffers/ { alias {ROOT}/html/; sendfile off; output_buffers 1 512; }
                 location /directio/ { alias {ROOT}/html/; directio 4k; output_buffers 1 64k; }
                 location /postpone/ { alias {ROOT}/html/; postpone_output 0; }",
            )
            .asks(
                ["sendfile", "threads", "buffers", "directio", "postpone"]
                    .iter()
                    .flat_map(|start| {
                        ["a.txt", "big.txt", "empty.txt", "big.txt\nRange: bytes=1000-150000", "big.txt\nRange: bytes=0-9,90000-90009"]
                            .map(|name| format!("/{start}/{name}"))
                    })
                    .collect::<Vec<_>>(),
            ),
        entry("log-not-found")
            .server("log_not_found off; location /on { log_not_found on; } location = /favicon.ico { log_not_found off; access_log off; }")
            .asks(["/none", "/on/none", "/favicon.ico"]),
        entry("empty-gif")
            .server("location / { empty_gif; } location /types { types { } empty_gif; } location /h { empty_gif; add_header X y; expires 1h; }")
            .asks([
                "/", "/x.html", "HEAD /", "POST /\n\nx", "PUT /\n\nx", "/types", "/h", "/\nRange: bytes=0-5", "/\nIf-Modified-Since: Mon, 28 Sep 1970 06:00:00 GMT",
                "/\nIf-Modified-Since: Mon, 28 Sep 1970 06:00:01 GMT", "DELETE /", "OPTIONS /",
            ])
            .raw("GET / HTTP/1.0\r\n\r\n"),
        entry("long-paths")
            .server("location /d/ { alias {ROOT}/html/; } location /try/ { try_files $uri =404; }")
            .ask(format!("/{}", "a".repeat(255)))
            .ask(format!("/{}", "a".repeat(256)))
            .ask(format!("/{}", "a/".repeat(1000)))
            .ask(format!("/d/{}", "a/".repeat(2000)))
            .ask(format!("/try/{}", "a".repeat(300)))
            .ask(format!("/{}", "%61".repeat(1000)))
            .ask(format!("/{}x", "dir/../".repeat(500)))
            .ask(format!("/?{}", "a".repeat(4000))),
    ];
    entries.extend(listings());
    entries
}

/// Listings in all formats of a directory with odd names.
fn listings() -> Vec<Entry> {
    let mut odd = entry("listing-names")
        .server(
            "root {DIR};
             location / { autoindex on; }
             location /l/html/ { alias {DIR}/odd/; autoindex on; autoindex_format html; autoindex_exact_size off; }
             location /l/json/ { alias {DIR}/odd/; autoindex on; autoindex_format json; }
             location /l/jsonp/ { alias {DIR}/odd/; autoindex on; autoindex_format jsonp; }
             location /l/xml/ { alias {DIR}/odd/; autoindex on; autoindex_format xml; }
             location /l/local/ { alias {DIR}/odd/; autoindex on; autoindex_localtime on; }
             location /l/utf8/ { alias {DIR}/odd/; autoindex on; charset utf-8; }
             location /l/latin/ { alias {DIR}/odd/; autoindex on; charset iso-8859-1; }
             location /l/off/ { alias {DIR}/odd/; autoindex off; }",
        )
        .file("one/f", "f")
        .file("sub/d/x", "x")
        .file("hidden/.x", "x");
    for name in [
        "plain.txt",
        "UPPER.txt",
        "a&b.txt",
        "a<b>.txt",
        "a\"quote\".txt",
        "a'apostrophe.txt",
        "a b.txt",
        "a%20b.txt",
        "a?b.txt",
        "a#b.txt",
        "a:b.txt",
        "a;b.txt",
        "a+b.txt",
        "a=b.txt",
        "a@b,c$d!e*f(g)h~i[j]k{l}m|n^o`p",
        "back\\slash.txt",
        "new\nline.txt",
        "tab\tchar.txt",
        "bell\u{7}.txt",
        "del\u{7f}.txt",
        "\u{e4}\u{f6}\u{fc}.txt",
        "\u{65e5}\u{672c}\u{8a9e}.txt",
        "\u{1f600}.txt",
        "subdir/file",
        "sub & dir/file",
        "\u{e4}dir/file",
        "Zdir/file",
        "..x",
        "...",
        "-dash",
        "0",
    ] {
        odd = odd.file(format!("odd/{name}"), "x".repeat(name.len()));
    }
    for length in [49, 50, 51, 52, 80, 200] {
        odd = odd.file(format!("odd/{}", "n".repeat(length)), "long");
        odd = odd.file(format!("odd/{}", "\u{e4}".repeat(length / 2)), "long");
    }
    let odd = odd
        .link("odd/link-to-dir", "subdir")
        .link("odd/link-to-file", "plain.txt")
        .link("odd/dangling", "nothing")
        .asks([
            "/",
            "/odd/",
            "/one/",
            "/sub/",
            "/hidden/",
            "/none/",
            "/one",
            "/one/f",
            "HEAD /odd/",
            "POST /odd/\n\nx",
            "/l/html/",
            "/l/json/",
            "/l/jsonp/",
            "/l/jsonp/?callback=cb",
            "/l/jsonp/?callback=",
            "/l/jsonp/?callback=%61b",
            "/l/jsonp/?callback=a(b)<c>",
            "/l/jsonp/?x=y&callback=z.w",
            "HEAD /l/json/",
            "/l/xml/",
            "/l/local/",
            "/l/utf8/",
            "/l/latin/",
            "/l/off/",
            "/l/html/?x=y",
            "/odd//",
        ])
        .raw("GET /one/ HTTP/1.0\r\n\r\n")
        .raw("GET /odd/ HTTP/1.0\r\n\r\n")
        .raw("GET /one/\r\n")
        .keep(["/one/", "/one/"]);

    let mut sizes = entry("listing-sizes").server(
        "root {DIR};
         location /exact/ { alias {DIR}/s/; autoindex on; }
         location /round/ { alias {DIR}/s/; autoindex on; autoindex_exact_size off; }
         location /json/ { alias {DIR}/s/; autoindex on; autoindex_format json; autoindex_exact_size off; }",
    );
    for size in [
        0, 1, 999, 1000, 1023, 1024, 1025, 1535, 1536, 9999, 10_000, 10_239, 10_240, 1_000_000, 1_048_575,
        1_048_576, 1_572_864,
    ] {
        sizes = sizes.file(format!("s/size-{size}"), vec![b'x'; size]);
    }
    let sizes = sizes.asks(["/exact/", "/round/", "/json/"]);

    let mut bytes = entry("listing-json-filters")
        .server("location / { alias {DIR}/; autoindex on; autoindex_format json; gzip on; gzip_types *; gzip_min_length 1; add_header X-Y z; expires 1h; }");
    for number in 0..300 {
        bytes = bytes.file(format!("file-{number:03}.txt"), "x");
    }
    let bytes = bytes.asks(["/", "/\nAccept-Encoding: gzip", "HEAD /", "/\nRange: bytes=0-5"]);
    vec![odd, sizes, bytes]
}

const ABOVE: &str =
    "nginx serves what is above the directory where an index names it, which a client may do by a variable";

/// The response with `dir/file.txt`.
fn file_txt() -> String {
    "HTTP/1.1 200 OK\nAccept-Ranges: bytes\nConnection: close\nContent-Length: 9\nContent-Type: text/plain\nDate: DATE\n\
     ETag: \"603f0af2-9\"\nLast-Modified: Wed, 03 Mar 2021 04:05:06 GMT\nServer: PRODUCT\n\ndir/file\n=== closed\n"
        .to_owned()
}
