//! `proxy_cache`: responses kept in files, as nginx keeps them.
//!
//! A cached response is one file, whose name is the MD5 of its key and whose directories are the last digits of that name
//! (`levels`), so that what operators use to look at and to purge nginx's caches works here: files may be removed at any time, and
//! `KEY: ...` stands in a line of its own. The format of what is in front of the body is our own, see `format`.
//!
//! Own files and no storage crate (foyer, cacache): a response is sent while it is still being written, its body is sent by the
//! kernel from the file, and the names are nginx's. Those crates hand out whole entries from memory, or name files by their contents.
//!
//! - `values`: what the directives say.
//! - `freshness`, `key`, `format`, `index`: rules without I/O.
//! - `zone`: the files of a zone and the requests that replace them; all workers share it.
//! - `keeper`: the zones of a process; reads in what is there at the start, and removes what is too much or not used.
//! - `lookup`: what the cache has for a request.
//! - `status`: how a response was found, for variables.
//! - `fill`: writes a response while it is sent. Each is written as fast as its backend sends it, whatever its client does.

pub(super) mod fill;
pub(super) mod format;
pub(super) mod freshness;
pub(super) mod index;
pub mod keeper;
pub(super) mod key;
pub(super) mod lookup;
pub(super) mod status;
pub mod values;
pub(super) mod zone;
