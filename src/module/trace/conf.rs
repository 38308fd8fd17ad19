//! Directives of the trace module.

use crate::directive::Present;
use crate::directive::context::HTTP;
use crate::directive::table::directives;

directives! {
    /// Trace ids of requests.
    module "trace";
    later {
        /// Enables the X-NTM-* trace ids of http requests and defines the $ntm_* variables.
        "http_trace" => Present, in HTTP;
    }
}
