//! Directives of the browser module.

use super::browsers::{AncientBrowsers, ModernBrowser};
use crate::directive::Text;
use crate::directive::context::HTTP_ALL;
use crate::directive::table::directives;

directives! {
    /// Classification of browsers by their `User-Agent`. Not part of PingOS; as in nginx.
    module "browser";
    live as Current {
        /// Texts in the `User-Agent` of ancient browsers; `netscape4` stands for `Mozilla/1` to `Mozilla/4`.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `ancient_browser "MSIE 6.0" netscape4;`
        "ancient_browser" => ancient: Vec<AncientBrowsers>, in HTTP_ALL;
        /// Value of `$ancient_browser` for an ancient browser.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `ancient_browser_value old;`
        "ancient_browser_value" => ancient_value: Text = "1", in HTTP_ALL;
        /// Lowest version from which on a browser is modern; `unlisted` makes browsers modern that no line names.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `modern_browser msie 10.0;`
        "modern_browser" => modern: Vec<ModernBrowser>, in HTTP_ALL;
        /// Value of `$modern_browser` for a modern browser.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `modern_browser_value new;`
        "modern_browser_value" => modern_value: Text = "1", in HTTP_ALL;
    }
}
