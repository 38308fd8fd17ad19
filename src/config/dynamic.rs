//! The file of `dynamic_conf`: values that change without a reload.

use std::sync::Arc;

use bstr::BString;
use bytes::Bytes;

use super::names::NameTable;
use crate::directive::ServerName;

/// Values of virtual servers in the file.
#[derive(Debug, Default)]
pub struct Dynamic {
    /// Replaced values of `serverid`, by host.
    serverids: Option<NameTable<Option<BString>>>,
}

impl Dynamic {
    /// Adds a virtual server with its names and its replaced `serverid`, if any.
    pub fn add(&mut self, names: &[ServerName], serverid: Option<BString>) {
        let serverid = Arc::new(serverid);
        let table = self.serverids.get_or_insert_with(|| NameTable::new(serverid.clone()));
        table.add(&serverid, names);
    }

    /// Replaced `serverid` of the virtual server for a host, if any.
    pub fn serverid(&self, host: &[u8]) -> Option<Bytes> {
        let serverid = self.serverids.as_ref()?.find(host).ok()?;
        serverid.as_ref().as_ref().map(|id| Bytes::copy_from_slice(id))
    }
}
