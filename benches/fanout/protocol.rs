//! The protocols that players speak.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Rtmp,
    Flv,
}

impl Protocol {
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Rtmp => "rtmp",
            Protocol::Flv => "flv",
        }
    }
}
