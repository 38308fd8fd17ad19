//! The configuration language: bytes become words, words a tree, the tree typed values.
//!
//! The engine knows nginx's lexer, blocks, includes and messages, but not one directive; those are declared
//! by the modules with the macro of [`directive`].

pub mod address;
pub mod args;
pub mod context;
pub mod diagnostic;
pub mod directive;
pub mod evaluate;
pub mod field;
pub mod include;
pub mod lexer;
pub mod listen;
pub mod manual;
pub mod number;
mod open_text;
pub mod outline;
pub mod parser;
pub mod pattern;
pub mod registry;
pub mod render;
pub mod report;
pub mod scene;
pub mod server_name;
pub mod source;
pub mod suggest;
pub mod text;
pub mod tree;
pub mod value;
pub mod word;

pub use address::{ListenAddr, Network};
pub use args::{Args, Arity, Repeat, sentence};
pub use context::Contexts;
pub use diagnostic::{Diagnostic, Level, Problem};
pub use directive::{Apply, Class, Held, Module, Outcome, Resolve, Restriction, Restricts, Row, Shape};
pub use field::{Field, Inherit, Joined, Own, OwnAll, Sum, Summed, read_default};
pub use listen::{Keepalive, ListenOptions};
pub use pattern::Pattern;
pub use scene::{Bases, Notes, Scene};
pub use server_name::{ServerName, ServerNames};
pub use source::{FileId, Pos, SourceFile, Sources, Span, Spanned};
pub use tree::{Tree, Word};
pub use value::{
    ConfPath, Flag, Msec, MsecFrom, MsecOrOff, Num, NumBetween, Offset, PrefixPath, Present, RawPath, Sec,
    Size, Text, Value, Words,
};
pub use word::{AnyOf, OneOf};
