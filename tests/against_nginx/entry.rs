//! An entry of the suite: configuration, files, and what is sent.

/// One entry: a server of its own in the configuration that both programs get, and what clients send to it.
#[derive(Clone)]
pub struct Entry {
    /// Unique within its file.
    pub name: &'static str,
    /// Belongs into `http { }`, before the entry's server.
    pub http: String,
    /// The inside of the entry's `server { }`.
    pub server: String,
    /// Whether the server has a `listen` and an `access_log` by itself.
    pub is_bare: bool,
    /// Files in the entry's own directory `{DIR}`: path and contents.
    pub files: Vec<(String, Vec<u8>)>,
    /// Symbolic links in `{DIR}`: path and target.
    pub links: Vec<(String, String)>,
    /// Paths in `{DIR}` that belong to another user, where root runs the tests. Links are not followed.
    pub foreign: Vec<&'static str>,
    /// What clients do, one connection after the other.
    pub exchanges: Vec<Exchange>,
    /// Patterns whose matches differ from run to run, and what stands for them.
    pub masks: Vec<(&'static str, &'static str)>,
    /// A part of nginx's configure arguments without which the entry is skipped.
    pub needs: Option<&'static str>,
    /// Where the result is not nginx 1.22's: number of the exchange, reason, and what we answer instead.
    pub own: Vec<(usize, &'static str, String)>,
    /// Lines of the error log that are not nginx's, or that only nginx has: reason, and a pattern that finds them.
    pub unlike_errors: Vec<(&'static str, &'static str)>,
    /// nginx 1.22 lacks it: the reason. Every exchange has its result in `own`.
    pub newer: Option<&'static str>,
    /// Whether the requests are sent over HTTP/2.
    pub is_http2: bool,
    /// Whether the server speaks TLS; each exchange then says how.
    pub is_tls: bool,
}

/// One connection.
#[derive(Clone)]
pub struct Exchange {
    pub listener: Listener,
    pub steps: Vec<Step>,
    /// With TLS, as this client speaks it.
    pub tls: Option<TlsClient>,
}

/// A client with TLS.
#[derive(Clone, Debug)]
pub struct TlsClient {
    /// Server name that it asks for.
    pub name: Option<&'static str>,
    /// Its certificate: a name among [`crate::support::certificates::Certificates`].
    pub identity: Option<&'static str>,
    /// Protocols that it speaks: 2 and 3 for TLS 1.2 and 1.3.
    pub versions: &'static [u8],
    /// Protocols that it offers by ALPN.
    pub alpn: &'static [&'static str],
    /// Whether it resumes the session of a connection before.
    pub resumes: bool,
    /// The name that it asked for on that connection, if it was another one.
    pub name_before: Option<&'static str>,
}

impl TlsClient {
    /// Speaks TLS 1.3, without a name or a certificate.
    pub fn new() -> TlsClient {
        TlsClient { name: None, identity: None, versions: &[3], alpn: &[], resumes: false, name_before: None }
    }

    pub fn name(self, name: &'static str) -> TlsClient {
        TlsClient { name: Some(name), ..self }
    }

    pub fn identity(self, identity: &'static str) -> TlsClient {
        TlsClient { identity: Some(identity), ..self }
    }

    pub fn tls12(self) -> TlsClient {
        TlsClient { versions: &[2], ..self }
    }

    pub fn alpn(self, alpn: &'static [&'static str]) -> TlsClient {
        TlsClient { alpn, ..self }
    }

    pub fn resumes(self) -> TlsClient {
        TlsClient { resumes: true, ..self }
    }
}

/// Which of the entry's listeners is connected to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listener {
    /// `{ADDR}:{PORT}`, `{ADDR}:{PORT2}` or `{ADDR}:{PORT3}`
    Port(usize),
    /// `[::1]:{PORT6}`
    V6,
    /// `unix:{SOCK}`
    Unix,
}

/// What a client does.
#[derive(Clone)]
pub enum Step {
    Send(Vec<u8>),
    /// Lets the server read what was sent so far.
    Pause,
    /// Waits for this number of final responses.
    Read(usize),
    /// Waits for a 1xx response.
    Interim,
    /// Sends no more.
    Shut,
    /// Sends this on a second connection, waits for the beginning of the response, and leaves it at that until the exchange is over.
    Beside(Vec<u8>),
}

/// An entry without anything yet.
pub fn entry(name: &'static str) -> Entry {
    Entry {
        name,
        http: String::new(),
        server: String::new(),
        is_bare: false,
        files: Vec::new(),
        links: Vec::new(),
        foreign: Vec::new(),
        exchanges: Vec::new(),
        masks: Vec::new(),
        needs: None,
        own: Vec::new(),
        unlike_errors: Vec::new(),
        newer: None,
        is_http2: false,
        is_tls: false,
    }
}

impl Entry {
    /// The requests are sent over HTTP/2, and the server speaks it.
    pub fn over_http2(mut self) -> Self {
        self.is_http2 = true;
        // How heads are compressed is not compared.
        self.mask(r"sent=[0-9]+", "sent=N").mask(r"length=[0-9]+", "length=N")
    }

    /// The server speaks TLS with the certificate `server`; exchanges are TLS 1.3 unless [`Entry::tls`] says otherwise.
    pub fn over_tls(mut self) -> Self {
        self.is_tls = true;
        self
    }

    /// Whether it needs certificates.
    pub fn uses_tls(&self) -> bool {
        self.is_tls || self.http.contains("{TLS}") || self.server.contains("{TLS}")
    }

    /// The last exchange is with TLS, as this client speaks it.
    pub fn tls(mut self, client: TlsClient) -> Self {
        self.exchanges.last_mut().expect("an exchange stands before").tls = Some(client);
        self
    }

    /// The last exchange is without TLS.
    pub fn without_tls(mut self) -> Self {
        self.exchanges.last_mut().expect("an exchange stands before").tls = None;
        self
    }

    /// The entry once more over HTTP/2, with the exchanges that HTTP/2 can say; `None` if there are none, or what it expects is not
    /// nginx's.
    pub fn again_over_http2(mut self, name: String) -> Option<Self> {
        let is_own = self.is_bare
            || self.is_tls
            || self.newer.is_some()
            || !self.own.is_empty()
            || self.server.contains("listen");
        self.exchanges.retain(|exchange| {
            exchange.listener == Listener::Port(0)
                && exchange.steps.iter().all(|step| match step {
                    Step::Send(bytes) => crate::talk_http2::request(bytes).is_some(),
                    Step::Read(count) => *count == 1,
                    _ => false,
                })
        });
        if is_own || self.exchanges.is_empty() {
            return None;
        }
        self.name = name.leak();
        Some(self.over_http2())
    }

    /// Adds to `http { }`: maps, zones, more servers.
    pub fn http(mut self, text: impl AsRef<str>) -> Self {
        self.http.push_str(text.as_ref());
        self.http.push('\n');
        self
    }

    /// Adds to the entry's server.
    pub fn server(mut self, text: impl AsRef<str>) -> Self {
        self.server.push_str(text.as_ref());
        self.server.push('\n');
        self
    }

    /// The server says itself where it listens and what it logs, or there is none.
    pub fn bare(mut self) -> Self {
        self.is_bare = true;
        self
    }

    /// A file in `{DIR}`.
    pub fn file(mut self, path: impl Into<String>, contents: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.into(), contents.into()));
        self
    }

    /// A symbolic link in `{DIR}`.
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.links.push((path.to_owned(), target.to_owned()));
        self
    }

    /// A path in `{DIR}` belongs to another user, where root runs the tests.
    pub fn foreign(mut self, path: &'static str) -> Self {
        self.foreign.push(path);
        self
    }

    /// A request on a connection of its own; see [`request`] for the short form.
    pub fn ask(self, short: impl AsRef<str>) -> Self {
        let bytes = request(short.as_ref(), true);
        self.raw(bytes)
    }

    /// Several requests, each on a connection of its own.
    pub fn asks<S: AsRef<str>>(self, shorts: impl IntoIterator<Item = S>) -> Self {
        shorts.into_iter().fold(self, Entry::ask)
    }

    /// These very bytes, and one response.
    pub fn raw(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps([Step::Send(bytes.into()), Step::Read(1)])
    }

    /// Several times [`Entry::raw`].
    pub fn raws<B: Into<Vec<u8>>>(self, all: impl IntoIterator<Item = B>) -> Self {
        all.into_iter().fold(self, Entry::raw)
    }

    /// These very bytes, and no more: the client closes its side.
    pub fn cut(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps([Step::Send(bytes.into()), Step::Pause, Step::Shut, Step::Read(1)])
    }

    /// These very bytes, byte for byte in packets of their own.
    pub fn slowly(self, bytes: impl AsRef<[u8]>) -> Self {
        let each = bytes.as_ref().iter().flat_map(|byte| [Step::Send(vec![*byte]), Step::Pause]);
        let steps: Vec<Step> = each.chain([Step::Read(1)]).collect();
        self.steps(steps)
    }

    /// These parts in packets of their own, and one response.
    pub fn parts<B: Into<Vec<u8>>>(self, parts: impl IntoIterator<Item = B>) -> Self {
        let each = parts.into_iter().flat_map(|part| [Step::Send(part.into()), Step::Pause]);
        let steps: Vec<Step> = each.chain([Step::Read(1)]).collect();
        self.steps(steps)
    }

    /// Requests one after the other on one connection that stays open.
    pub fn keep<S: AsRef<str>>(self, shorts: impl IntoIterator<Item = S>) -> Self {
        let steps: Vec<Step> = shorts
            .into_iter()
            .flat_map(|short| [Step::Send(request(short.as_ref(), false)), Step::Read(1)])
            .collect();
        self.steps(steps)
    }

    /// Requests sent at once on one connection that stays open.
    pub fn pipeline<S: AsRef<str>>(self, shorts: impl IntoIterator<Item = S>) -> Self {
        let requests: Vec<Vec<u8>> = shorts.into_iter().map(|short| request(short.as_ref(), false)).collect();
        let count = requests.len();
        self.steps([Step::Send(requests.concat()), Step::Read(count)])
    }

    /// Any steps on a connection.
    pub fn steps(mut self, steps: impl Into<Vec<Step>>) -> Self {
        let tls = self.is_tls.then(TlsClient::new);
        self.exchanges.push(Exchange { listener: Listener::Port(0), steps: steps.into(), tls });
        self
    }

    /// The last exchange uses another listener.
    pub fn on(mut self, listener: Listener) -> Self {
        self.exchanges.last_mut().expect("an exchange stands before").listener = listener;
        self
    }

    /// What matches differs from run to run; `replacement` stands for it (without references to groups).
    pub fn mask(mut self, pattern: &'static str, replacement: &'static str) -> Self {
        self.masks.push((pattern, replacement));
        self
    }

    /// A part of nginx's configure arguments without which the entry is skipped.
    pub fn needs(mut self, argument: &'static str) -> Self {
        self.needs = Some(argument);
        self
    }

    /// The last exchange has a result that is not nginx 1.22's, as [`crate::render`] writes it. Of the access log, lines with what
    /// its requests ask for are then not compared.
    pub fn own(mut self, reason: &'static str, result: impl Into<String>) -> Self {
        self.own.push((self.exchanges.len() - 1, reason, result.into()));
        self
    }

    /// As [`Entry::own`], for the only exchange that sends these bytes first.
    pub fn own_for(mut self, start: &str, reason: &'static str, result: impl Into<String>) -> Self {
        let begins = |exchange: &Exchange| {
            let sent = exchange.steps.iter().filter_map(|step| match step {
                Step::Send(bytes) => Some(bytes.as_slice()),
                _ => None,
            });
            sent.flatten().copied().take(start.len()).eq(start.bytes())
        };
        let found: Vec<usize> = (0..self.exchanges.len()).filter(|at| begins(&self.exchanges[*at])).collect();
        assert_eq!(found.len(), 1, "{} sends {start:?} not once", self.name);
        self.own.push((found[0], reason, result.into()));
        self
    }

    /// Lines of the error log with this pattern are not compared.
    pub fn unlike_errors(mut self, reason: &'static str, pattern: &'static str) -> Self {
        self.unlike_errors.push((reason, pattern));
        self
    }

    /// nginx 1.22 lacks it; every exchange needs [`Entry::own`].
    pub fn newer(mut self, reason: &'static str) -> Self {
        self.newer = Some(reason);
        self
    }
}

/// A server's own page with these headers beside those that each has, as a result shows it.
pub fn page(title: &str, headers: &[&str]) -> String {
    let body = [
        "<html>",
        &format!("<head><title>{title}</title></head>"),
        "<body>",
        &format!("<center><h1>{title}</h1></center>"),
        "<hr><center>PRODUCT</center>",
        "</body>",
        "</html>",
    ];
    let body: String = body.iter().map(|line| format!("{line}\\r\n")).collect();
    // A carriage return is shown by two characters.
    let length = format!("Content-Length: {}", body.len() - body.lines().count());
    let mut all = [headers, &[&length, "Content-Type: text/html", "Date: DATE", "Server: PRODUCT"]].concat();
    all.sort_by_key(|line| line.split(':').next().map(str::to_ascii_lowercase));
    format!("HTTP/1.1 {title}\n{}\n\n{body}", all.join("\n"))
}

/// A request from its short form: a request line, of which method and version may be missing, then header lines
/// and, after an empty line, a body. `Host: localhost` comes first, unless a line says another one;
/// then `Connection: close`, if `close`, unless a line says another one; then `Content-Length`, if there is a body, unless a line says it or
/// `Transfer-Encoding`. `Host: -` leaves the header out.
pub fn request(short: &str, close: bool) -> Vec<u8> {
    let (head, body) = short.split_once("\n\n").map_or((short, None), |(head, body)| (head, Some(body)));
    let mut lines = head.split('\n');
    let line = lines.next().expect("a split has a first part");
    let lines: Vec<&str> = lines.collect();
    let has = |name: &str| {
        lines.iter().any(|line| line.split(':').next().is_some_and(|own| own.eq_ignore_ascii_case(name)))
    };
    let line = if line.starts_with('/') { format!("GET {line}") } else { line.to_owned() };
    let mut out = if line.contains(" HTTP/") { line } else { format!("{line} HTTP/1.1") };
    out.push_str("\r\n");
    if !has("host") {
        out.push_str("Host: localhost\r\n");
    }
    if close && !has("connection") {
        out.push_str("Connection: close\r\n");
    }
    for line in lines.iter().filter(|line| **line != "Host: -") {
        out.push_str(line);
        out.push_str("\r\n");
    }
    if let Some(body) = body
        && !has("content-length")
        && !has("transfer-encoding")
    {
        out.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    out.push_str("\r\n");
    out.push_str(body.unwrap_or_default());
    out.into_bytes()
}
