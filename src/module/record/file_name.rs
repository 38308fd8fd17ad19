//! File names of recordings.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use bstr::ByteSlice;
use jiff::Timestamp;
use jiff::fmt::strtime::{BrokenDownTime, Config};
use jiff::tz::TimeZone;

use super::conf::Current;
use crate::media::files::escape;

/// File of a stream whose recording begins at `unix` seconds: `PATH/NAME[-UNIXTIME]SUFFIX`, as in PingOS.
///
/// The name is escaped, so that any stream name is one file name below `record_path`. Parts of a recording from the
/// second on are `PATH/NAME[-UNIXTIME]+PART SUFFIX` without the space: no stream name yields a plus sign.
pub fn file_path(conf: &Current, name: &[u8], unix: i64, part: u32) -> PathBuf {
    let mut path = conf.path.0.clone().into_os_string().into_vec();
    path.push(b'/');
    path.extend_from_slice(escape(name).as_bytes());
    if conf.unique {
        path.extend_from_slice(format!("-{unix}").as_bytes());
    }
    if part > 1 {
        path.extend_from_slice(format!("+{part}").as_bytes());
    }
    path.extend_from_slice(&suffix(conf.suffix(), unix));
    PathBuf::from(OsString::from_vec(path))
}

impl Current {
    /// `record_suffix`, or the one of the format.
    pub fn suffix(&self) -> &[u8] {
        self.suffix.as_ref().map_or(self.format.suffix().as_bytes(), |suffix| &suffix.0)
    }
}

/// The suffix with its `%` conversions in local time. Unknown conversions are kept.
fn suffix(suffix: &[u8], unix: i64) -> Vec<u8> {
    if !suffix.contains(&b'%') {
        return suffix.to_vec();
    }
    let (Ok(format), Ok(now)) = (suffix.to_str(), Timestamp::from_second(unix)) else {
        return suffix.to_vec();
    };
    let time = BrokenDownTime::from(&now.to_zoned_datetime(TimeZone::system()));
    let text = time.to_string_with_config(&Config::new().lenient(true), format);
    text.map_or_else(|_| suffix.to_vec(), String::into_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_file_name() {
        assert_eq!(escape(b"cam-1_a.b~"), "cam-1_a.b~");
        assert_eq!(escape(b"../../etc/passwd"), "..%2F..%2Fetc%2Fpasswd");
        assert_eq!(escape(b".."), "%2E%2E");
        assert_eq!(escape(b"a b\0\n\xE9%"), "a%20b%00%0A%E9%25");
    }

    #[test]
    fn conversions_are_those_of_strftime_and_unknown_ones_stay() {
        let year = suffix(b"-%Y.flv", 1_750_000_000);
        assert_eq!(year, b"-2025.flv");
        assert_eq!(suffix(b".flv", 0), b".flv");
        assert_eq!(suffix(b"\xFF%Y", 0), b"\xFF%Y");
    }
}
