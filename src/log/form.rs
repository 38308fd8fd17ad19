//! Forms of the lines of error logs.

/// Form of the lines of an error log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineForm {
    /// nginx's.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}
