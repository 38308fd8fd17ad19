//! Table of directives: rows, contexts, typed values, evaluation, defaults, inheritance, manual.
//!
//! No directive is defined in this room; modules declare theirs with the macro of [`table`].

pub mod address;
pub mod args;
mod block;
pub mod conclusion;
pub mod context;
pub mod evaluate;
pub mod evaluation;
pub mod field;
pub mod language;
mod layers;
pub mod listen;
pub mod manual;
pub mod number;
pub mod outline;
pub mod pattern;
pub mod registry;
mod row;
#[cfg(test)]
pub mod sample;
pub mod server_name;
pub mod slot;
pub mod table;
pub mod template;
pub mod uses_modules;
pub mod value;
pub mod values;
pub mod word;

pub use address::{ListenAddr, Network};
pub use args::{Args, Arity, RepeatRule};
pub use context::Contexts;
pub use evaluation::{BaseDirectories, Evaluation, SharedFacts};
pub use field::{Field, Inherit, Joined, NotInherited, NotInheritedList, Sum, Summed, read_default};
pub use listen::{Keepalive, ListenOptions};
pub use pattern::{Match, Pattern, Undecided};
pub use server_name::{ServerName, ServerNames};
pub use slot::{BlockLevel, Slot};
pub use table::{
    AnyValue, Apply, Module, ReloadClass, Resolve, Restriction, Restricts, Row, StatementShape, UseOutcome,
};
pub use value::{
    ConfPath, Count, Flag, Msec, MsecFrom, MsecOrOff, Num, NumBetween, Offset, PrefixPath, Present, RawPath,
    Sec, Selected, Size, Text, Value, Words,
};
pub use values::Values;
pub use word::{AnyOf, OneOf};
