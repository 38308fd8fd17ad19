//! Contents of the file of `dynamic_conf`.

use std::path::Path;

use bytes::Bytes;

use super::table::{self, Scope};
use crate::config::dynamic::Dynamic;
use crate::directive::context::{RTMP, RTMP_SERVER};
use crate::media::static_pull::StaticPull;

/// Contents of the file.
#[derive(Debug, Default)]
pub struct Contents {
    /// Values of virtual servers.
    pub dynamic: Dynamic,
    /// Streams that are always pulled.
    pub static_pulls: Vec<StaticPull>,
}

/// Errors in the file: lines for the log, with their places.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ContentsError(pub Vec<String>);

impl Contents {
    /// Parses the file. Includes are not followed, as in PingOS.
    ///
    /// # Errors
    ///
    /// There are errors in the file.
    pub fn parse(path: &Path, bytes: Bytes) -> Result<Contents, ContentsError> {
        let evaluated = table::read(path, bytes);
        if evaluated.reports.has_errors() {
            return Err(ContentsError(table::errors(evaluated)));
        }
        let mut contents = Contents::default();
        for rtmp in evaluated.main.inner(RTMP) {
            let pulls = rtmp.scope::<Scope>().map(|scope| &scope.static_pull[..]).unwrap_or_default();
            contents.static_pulls.extend(pulls.iter().map(|pull| pull.value.clone()));
            for server in rtmp.inner(RTMP_SERVER) {
                let scope = server.scope::<Scope>();
                let serverid = scope.and_then(|scope| scope.serverid.as_ref());
                let names = scope.map(|scope| &scope.server_name[..]).unwrap_or_default();
                let names: Vec<_> = names.iter().flat_map(|names| names.value.0.iter().cloned()).collect();
                contents.dynamic.add(&names, serverid.map(|said| said.value.0.clone()));
            }
        }
        Ok(contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<Contents, ContentsError> {
        Contents::parse(Path::new("dyn.conf"), Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn servers_are_found_by_name() {
        let dynamic = parse(
            "rtmp { server { serverid first; } server { server_name a.example *.b.example; serverid second;
               application live { } } server { server_name c; } }
             http { server { server_name x; location = / { } } }",
        )
        .unwrap()
        .dynamic;
        let find = |host: &str| dynamic.serverid(host.as_bytes());
        assert_eq!(find("other").unwrap(), "first");
        assert_eq!(find("a.example").unwrap(), "second");
        assert_eq!(find("x.b.example").unwrap(), "second");
        assert_eq!(find("c"), None);
        assert_eq!(Dynamic::default().serverid(b"a"), None);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, want) in [
            ("rtmp { static_pull rtmp://h/a/b domain=d app=a; }", "needs domain=, app= and name="),
            ("rtmp { static_pull domain=d app=a name=n; }", "needs an address"),
            (
                "rtmp { static_pull rtmp://h domain=d app=a name=n; static_pull rtmp://i domain=d app=a name=n; }",
                "is duplicate",
            ),
            ("include other.conf;", "unknown directive \"include\""),
            ("rtmp { server { live on; } }", "unknown directive \"live\""),
            ("rtmp {", "unexpected end of file"),
        ] {
            let ContentsError(lines) = parse(text).unwrap_err();
            assert!(lines[0].contains(want) && lines[0].contains("dyn.conf:1"), "{lines:?}");
        }
    }
}
