//! Values of variables in a request: its own, those of the process, and those of its session.

use std::cell::RefCell;

use super::id::RequestId;
use super::subject::Subject;
use super::variable::{Variable, Variables};
use crate::task::clock::LocalSecond;

/// Variables of a request.
pub(super) struct CallbackVariables<'a> {
    pub(super) id: &'a RequestId,
    pub(super) groupid: &'a [u8],
    /// The session; `None` for a request about the process.
    pub(super) subject: Option<&'a dyn Subject>,
}

impl Variables for CallbackVariables<'_> {
    fn value(&self, variable: &Variable, out: &mut Vec<u8>) {
        match variable {
            Variable::NotifyId => out.extend_from_slice(self.id.as_str().as_bytes()),
            Variable::Groupid => out.extend_from_slice(self.groupid),
            Variable::NginxVersion
            | Variable::Pid
            | Variable::Msec
            | Variable::TimeIso8601
            | Variable::TimeLocal
            | Variable::NgxWorker => ProcessVariables.value(variable, out),
            other => {
                if let Some(subject) = self.subject {
                    subject.value(other, out);
                }
            }
        }
    }
}

/// Variables that need no session; all others are empty.
#[derive(Clone, Copy, Debug)]
pub struct ProcessVariables;

impl Variables for ProcessVariables {
    fn value(&self, variable: &Variable, out: &mut Vec<u8>) {
        match variable {
            Variable::NginxVersion => out.extend_from_slice(crate::NGINX_VERSION.as_bytes()),
            Variable::Pid => out.extend_from_slice(std::process::id().to_string().as_bytes()),
            Variable::Msec => {
                let millis = jiff::Timestamp::now().as_millisecond();
                out.extend_from_slice(format!("{}.{:03}", millis / 1000, millis % 1000).as_bytes());
            }
            Variable::TimeIso8601 => local_time(|[iso8601, _]| out.extend_from_slice(iso8601.as_bytes())),
            Variable::TimeLocal => local_time(|[_, common]| out.extend_from_slice(common.as_bytes())),
            // There is one process, so this is the value of PingOS's first worker.
            Variable::NgxWorker => out.push(b'0'),
            _ => {}
        }
    }
}

/// ISO 8601, and the common log format.
const LOCAL_TIME: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%:z", "%d/%b/%Y:%H:%M:%S %z"];

/// Passes on the present second in the forms of [`LOCAL_TIME`].
fn local_time(work: impl FnOnce(&[String; 2])) {
    thread_local! {
        static TIME: RefCell<LocalSecond<2>> = const { RefCell::new(LocalSecond::new(LOCAL_TIME)) };
    }
    TIME.with_borrow_mut(|time| work(time.now()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::request::QueryEscape;
    use crate::notify::variable::Template;

    fn expanded(text: &[u8], id: &RequestId) -> Vec<u8> {
        let mut out = Vec::new();
        let template = Template::compile(text).expect("a template");
        template.expand(
            &CallbackVariables { id, groupid: b"g", subject: None },
            QueryEscape::Minimal,
            &mut out,
        );
        out
    }

    #[test]
    fn the_local_time_is_written_as_in_nginx_and_goes_on() {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(-5));
        let time = jiff::civil::date(2026, 11, 5).at(4, 3, 2, 1).to_zoned_datetime(zone).expect("a time");
        let mut clock = LocalSecond::new(LOCAL_TIME);
        let shown = clock.at(time.timestamp(), || time.time_zone().clone());
        assert_eq!(shown, &["2026-11-05T04:03:02-05:00", "05/Nov/2026:04:03:02 -0500"]);
        let present = || {
            let mut present = String::new();
            local_time(|[iso8601, _]| present.clone_from(iso8601));
            present
        };
        let first = present();
        assert!(*first >= *"2026-11-05");
        while present() == first {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_number_is_drawn_where_it_is_sent_and_stays_over_retries() {
        let id = RequestId::new();
        assert_eq!(expanded(b"a=$name&b=$pargs&c=$groupid", &id), b"a=&b=&c=g");
        assert!(!id.is_drawn(), "drawn for a request that does not send it");
        let again = id.clone();
        let first = expanded(b"$notify_id", &id);
        assert_eq!(first.len(), 32);
        assert_eq!(expanded(b"$notify_id", &again), first);
        assert_ne!(RequestId::new().as_str().as_bytes(), first);
    }
}
