//! Directives of FLV files.

use crate::directive::context::LOCATION;
use crate::directive::table::directives;
use crate::directive::{NotInherited, Selected};

directives! {
    /// Parts of FLV files.
    module "flv file";
    live as Current {
        /// Serves FLV files from the byte that the query argument `start` names, behind a header of their own. Players
        /// know such positions from the file's metadata.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `flv;`
        "flv" => flv: NotInherited<Selected>, in LOCATION, selects handler;
    }
}
