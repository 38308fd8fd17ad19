//! Configuration files of tests.

use std::path::Path;

/// The parts of a configuration that tests differ in.
///
/// In every part `{NAME}` stands for a value given by [`Conf::var`]; `{rtmp_port}`, `{http_port}` and `{dir}`
/// (the prefix) are always there.
#[derive(Clone, Debug, Default)]
pub struct Conf {
    user: Option<String>,
    workers: Option<usize>,
    main: String,
    events: String,
    rtmp: String,
    server: String,
    http: String,
    http_server: String,
    vars: Vec<(String, String)>,
}

impl Conf {
    /// `server` is what stands in the `server` block of `rtmp` beside `listen`.
    pub fn new(server: &str) -> Self {
        Conf { server: server.into(), ..Conf::default() }
    }

    /// One application `live` with these directives beside `live on`.
    pub fn live(directives: &str) -> Self {
        Conf::new(&format!("application live {{ live on; {directives} }}"))
    }

    /// User and group of a server that is started as root; `root` by default.
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Number of workers; two by default.
    pub fn workers(mut self, number: usize) -> Self {
        self.workers = Some(number);
        self
    }

    /// Directives outside of every block.
    pub fn main(mut self, text: &str) -> Self {
        self.main = text.into();
        self
    }

    /// Further directives outside of every block.
    pub fn then_main(mut self, text: &str) -> Self {
        self.main.push('\n');
        self.main.push_str(text);
        self
    }

    /// Directives in `events`.
    pub fn events(mut self, text: &str) -> Self {
        self.events = text.into();
        self
    }

    /// Directives in `rtmp`, outside of the server.
    pub fn rtmp(mut self, text: &str) -> Self {
        self.rtmp = text.into();
        self
    }

    /// Directives in `http`, outside of the server.
    pub fn http(mut self, text: &str) -> Self {
        self.http = text.into();
        self
    }

    /// What stands in the `server` block of `http` beside `listen`.
    pub fn http_server(mut self, text: &str) -> Self {
        self.http_server = text.into();
        self
    }

    /// A location `/flv` that serves the application `live`.
    pub fn with_flv(self) -> Self {
        self.http_server("location /flv { flv_live {rtmp_port} app=live; }")
    }

    /// What `{name}` stands for.
    pub fn var(mut self, name: &str, value: impl ToString) -> Self {
        self.vars.push((name.into(), value.to_string()));
        self
    }

    /// The whole file.
    pub fn text(&self, rtmp_port: u16, http_port: u16, dir: &Path) -> String {
        let Conf { main, events, rtmp, server, http, http_server, .. } = self;
        // Started as root, the server would otherwise switch to a user without access to the test's files.
        let user = self.user.as_deref().unwrap_or("root");
        let user = if nix::unistd::geteuid().is_root() { format!("user {user};") } else { String::new() };
        let workers = self.workers.unwrap_or(2);
        let mut text = format!(
            "{user}\ndaemon off;\nworker_processes {workers};\nerror_log logs/error.log info;\npid logs/pingosd.pid;\n\
             {main}\n\
             events {{ {events} }}\n\
             rtmp {{\n{rtmp}\nserver {{ listen {{rtmp_port}};\n{server}\n}}\n}}\n\
             http {{\n{http}\nserver {{ listen {{http_port}};\n{http_server}\n}}\n}}\n"
        );
        let own = [
            ("rtmp_port", rtmp_port.to_string()),
            ("http_port", http_port.to_string()),
            ("dir", dir.display().to_string()),
        ];
        let own = own.iter().map(|(name, value)| (*name, value));
        for (name, value) in own.chain(self.vars.iter().map(|(name, value)| (name.as_str(), value))) {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }
}
