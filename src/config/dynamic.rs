//! The file of `dynamic_conf`: values that change without a reload.

use std::path::Path;
use std::sync::Arc;

use bstr::BString;
use bytes::Bytes;

use super::names::NameTable;
use crate::directive::context::{RTMP, RTMP_SERVER};
use crate::module::dynamic::table;
use crate::module::relay::static_pull::StaticPull;

/// Contents of the file.
#[derive(Debug, Default)]
pub struct Dynamic {
    /// Streams that are always pulled.
    pub static_pulls: Vec<StaticPull>,
    /// Replaced values of `serverid`, by host.
    serverids: Option<NameTable<Option<BString>>>,
}

impl Dynamic {
    /// Parses the file. Includes are not followed, as in PingOS.
    ///
    /// # Errors
    ///
    /// Errors in the file, as lines for the log.
    pub fn parse(path: &Path, bytes: Bytes) -> Result<Dynamic, Vec<String>> {
        let evaluated = table::read(path, bytes);
        if evaluated.reports.has_errors() {
            return Err(table::errors(evaluated));
        }
        let mut dynamic = Dynamic::default();
        for rtmp in evaluated.main.inner(RTMP) {
            let pulls = rtmp.scope::<table::Scope>().map(|scope| &scope.static_pull[..]).unwrap_or_default();
            dynamic.static_pulls.extend(pulls.iter().map(|pull| pull.value.clone()));
            for server in rtmp.inner(RTMP_SERVER) {
                let scope = server.scope::<table::Scope>();
                let said = scope.and_then(|scope| scope.serverid.as_ref());
                let serverid = Arc::new(said.map(|said| said.value.0.clone()));
                let names = scope.map(|scope| &scope.server_name[..]).unwrap_or_default();
                let names: Vec<_> = names.iter().flat_map(|names| names.value.0.iter().cloned()).collect();
                let table = dynamic.serverids.get_or_insert_with(|| NameTable::new(serverid.clone()));
                table.add(&serverid, &names);
            }
        }
        Ok(dynamic)
    }

    /// Replaced `serverid` of the virtual server for a host, if any.
    pub fn serverid(&self, host: &[u8]) -> Option<Bytes> {
        let serverid = self.serverids.as_ref()?.find(host).ok()?;
        serverid.as_ref().as_ref().map(|id| Bytes::copy_from_slice(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<Dynamic, Vec<String>> {
        Dynamic::parse(Path::new("dyn.conf"), Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn servers_are_found_by_name() {
        let dynamic = parse(
            "rtmp { server { serverid first; } server { server_name a.example *.b.example; serverid second;
               application live { } } server { server_name c; } }
             http { server { server_name x; location = / { } } }",
        )
        .unwrap();
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
            let lines = parse(text).unwrap_err();
            assert!(lines[0].contains(want) && lines[0].contains("dyn.conf:1"), "{lines:?}");
        }
    }
}
