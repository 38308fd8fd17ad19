//! What a client of HTTP/2 may not do, so that its connection ends.

use std::borrow::Cow;
use std::fmt;

use h2::Reason;

/// What a client has done that it may not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The reason that the client is told.
    pub reason: Reason,
    /// nginx's words for it.
    pub text: Cow<'static, str>,
}

impl Violation {
    /// A frame that may not come, or not now.
    pub(super) fn protocol(text: impl Into<Cow<'static, str>>) -> Violation {
        Violation { reason: Reason::PROTOCOL_ERROR, text: text.into() }
    }

    /// A frame of a wrong length.
    pub(super) fn size(text: impl Into<Cow<'static, str>>) -> Violation {
        Violation { reason: Reason::FRAME_SIZE_ERROR, text: text.into() }
    }

    /// A window that becomes too large.
    pub(super) fn window(text: impl Into<Cow<'static, str>>) -> Violation {
        Violation { reason: Reason::FLOW_CONTROL_ERROR, text: text.into() }
    }

    /// A head that is too large, or cannot be decoded.
    pub(super) fn head(reason: Reason) -> Violation {
        let text = match reason {
            Reason::ENHANCE_YOUR_CALM => "client sent too large header",
            Reason::FRAME_SIZE_ERROR => "client sent header field with incorrect length",
            _ => "client sent invalid header block",
        };
        Violation { reason, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
