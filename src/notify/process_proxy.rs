//! The HTTP proxy of callbacks about the process.

use super::conf::Current;
use super::proxy::HttpProxy;
use crate::directive::context::{Contexts, RTMP};
use crate::directive::{BlockLevel, Evaluation, Slot};

/// The proxy of callbacks about the process: that of `rtmp { }`.
#[derive(Debug)]
pub struct ProcessProxy(pub HttpProxy);

impl Slot for ProcessProxy {
    const HOLDERS: Contexts = RTMP;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> ProcessProxy {
        let values: Current = level.resolve(evaluation);
        ProcessProxy(values.http_proxy)
    }
}
