//! Values of directives about the process.

use bstr::{BString, ByteSlice};
use nix::unistd::{Gid, Uid, geteuid};

use crate::directive::word::one_of;
use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::syntax::{Problem, sentence};
use crate::task::rights;
use crate::task::user::{UnknownName, UserGroup};

/// Number of worker threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerProcesses {
    /// One per processor.
    Auto,
    /// This number; zero counts as one.
    Count(u64),
}

/// Nice value; negative is a higher priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority(pub i64);

/// An environment variable that is kept, or set if a value is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvVar {
    /// Name.
    pub name: BString,
    /// New value.
    pub value: Option<BString>,
}

impl Value for UserGroup {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "user [group]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<UserGroup, Problem> {
        let (user, group) = (args.first(), args.words.get(1));
        if !geteuid().is_root() && rights::helper().is_none() {
            let text = "the \"user\" directive makes sense only if the master process runs with super-user \
                        privileges, ignored";
            evaluation.report(Problem::warning(text).at(args.span()));
            let (uid, gid) = (Uid::effective(), Gid::effective());
            return Ok(UserGroup { name: user.text().to_string(), uid, gid });
        }
        let found = UserGroup::named(user.bytes.as_bstr(), group.map(|group| group.bytes.as_bstr()));
        found.map_err(|unknown| {
            let (call, word, help) = match unknown {
                UnknownName::User => ("getpwnam", user, "no such user on this machine"),
                UnknownName::Group => (
                    "getgrnam",
                    group.unwrap_or(user),
                    "no such group on this machine; name one after the user",
                ),
            };
            Problem::new(sentence(&[call.as_bytes(), b"(\"", &word.bytes, b"\") failed"]))
                .at(word.span)
                .help(help)
        })
    }
}

impl Value for WorkerProcesses {
    fn syntax() -> String {
        "number | auto".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<WorkerProcesses, Problem> {
        let word = args.first();
        if &word.bytes[..] == b"auto" {
            return Ok(WorkerProcesses::Auto);
        }
        let count = number::digits(&word.bytes).map(WorkerProcesses::Count);
        count.ok_or_else(|| args.refuse("invalid value").caption("a number or `auto`"))
    }
}

impl WorkerProcesses {
    /// Number of threads on this machine.
    pub fn count(self) -> usize {
        match self {
            WorkerProcesses::Auto => std::thread::available_parallelism().map_or(1, usize::from),
            WorkerProcesses::Count(count) => usize::try_from(count).unwrap_or(usize::MAX).max(1),
        }
    }
}

impl Value for Priority {
    fn syntax() -> String {
        "[-]number".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Priority, Problem> {
        let (sign, digits) = match args.first().bytes.strip_prefix(b"-") {
            Some(digits) => (-1, digits),
            None => (1, &args.first().bytes[..]),
        };
        let number = number::digits(digits).and_then(|n| i64::try_from(n).ok());
        number.map(|n| Priority(n * sign)).ok_or_else(|| args.refuse("invalid number"))
    }
}

impl Value for EnvVar {
    fn syntax() -> String {
        "name[=value]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<EnvVar, Problem> {
        Ok(match args.first().bytes.split_once_str("=") {
            Some((name, value)) => EnvVar { name: name.into(), value: Some(value.into()) },
            None => EnvVar { name: args.first().text().to_owned(), value: None },
        })
    }
}

one_of! {
    /// Reaction to the death of a worker thread.
    pub enum WorkerFailure {
        /// Another thread replaces it.
        "replace" => Replace,
        /// The process ends.
        "exit" => Exit,
    }
}
