//! Table of directives: the contents of a row, and the macro that builds a module's table.
//!
//! A directive is declared once. Parsing, every error, default, inheritance, manual and reload behaviour follow from
//! its row.
//!
//! ```text
//! directives! {
//!     /// What the module is for.
//!     module "example";
//!     blocks {
//!         /// A block with an argument of type `Name`, whose statements stand in APPLICATION.
//!         "application" => Name opens APPLICATION, in RTMP_SERVER;
//!     }
//!     held as Conf {
//!         restart { /* rows */ }
//!         session {
//!             /// Keep the session without an answer.
//!             "ignore_silence" | "old_name" => ignore: Flag = "off", in RTMP_ALL;
//!         }
//!     }
//!     live as Current {
//!         /// Answers the requests of its location.
//!         "answer" => answer: NotInherited<Present>, in LOCATION, selects handler;
//!     }
//!     later {
//!         /// Refuses what it guards as long as it does nothing else, but with a word that restricts nothing.
//!         "guard" => Words, in HTTP_ALL, restricts requests unless |words| words == "all";
//!     }
//!     needless { "hash_size" => Num = "64", in HTTP; }
//!     made { Derived; }
//!     checks { is_complete, in APPLICATION; }
//!     concludes { names_are_known; }
//! }
//! ```
//!
//! The innermost blocks in which the rows of `held` and `live` may stand hold their values, see [`super::slot`]. `made`
//! names further types to hold; `checks` names functions that validate the values once they are built, `concludes`
//! functions that validate the whole configuration. A struct declared as `held as Conf completed by FUNCTION` takes
//! defaults from the enclosing block's values.

use std::any::TypeId;

use super::conclusion::Conclusion;
pub use super::evaluation::AnyValue;
pub use super::row::{
    Apply, ReloadClass, Resolve, Restriction, Restricts, Row, StatementShape, UseOutcome, keep,
};
use super::slot::{SlotCheck, SlotEntry};

/// A module's table.
pub struct Module {
    /// The module's name, for the manual.
    pub name: &'static str,
    /// Purpose of the module, in lines.
    pub about: &'static [&'static str],
    /// Its directives, in the order of the manual.
    pub rows: &'static [Row],
    /// Makes an empty scope.
    pub scope: fn() -> AnyValue,
    /// Type of the scope.
    pub scope_type: fn() -> TypeId,
    /// Types of the values that blocks hold for it.
    pub slots: &'static [SlotEntry],
    /// Checks that it runs on them.
    pub checks: &'static [SlotCheck],
    /// Checks of the complete configuration.
    pub conclusions: &'static [Conclusion],
}

/// Declares a module's directives; see the module's documentation for the form.
macro_rules! directives {
    (
        $(#[doc = $about:literal])+
        module $module:literal;
        $(blocks {
            $(
                $(#[doc = $block_doc:literal])+
                $($block_name:literal)|+ => $Head:ty $(as $block_repeat:ident)? , opens $opens:expr, in $block_in:expr
                $(, no $block_effect:ident yet)? $(, restricts $block_restricts:ident)?;
            )+
        })?
        $(held as $Conf:ident $(completed by $complete:path)? {
            $(restart {
                $(
                    $(#[doc = $restart_doc:literal])+
                    $($restart_name:literal)|+ => $restart_field:ident: $Restart:ty $(= $restart_default:literal)?,
                    in $restart_in:expr $(, args $restart_args:expr)? $(, once $restart_once:ident)? $(, no $restart_effect:ident yet)?
                    $(, restricts $restart_restricts:ident $(unless $restart_unless:expr)?)?;
                )+
            })?
            $(session {
                $(
                    $(#[doc = $session_doc:literal])+
                    $($session_name:literal)|+ => $session_field:ident: $Session:ty $(= $session_default:literal)?,
                    in $session_in:expr $(, args $session_args:expr)? $(, once $session_once:ident)? $(, no $session_effect:ident yet)?
                    $(, restricts $session_restricts:ident $(unless $session_unless:expr)?)?;
                )+
            })?
        })?
        $(live as $Current:ident {
            $(
                $(#[doc = $live_doc:literal])+
                $($live_name:literal)|+ => $live_field:ident: $Live:ty $(= $live_default:literal)?,
                in $live_in:expr $(, args $live_args:expr)? $(, once $live_once:ident)? $(, no $live_effect:ident yet)?
                $(, selects $live_handler:ident)? $(, restricts $live_restricts:ident $(unless $live_unless:expr)?)?;
            )+
        })?
        $(later {
            $(
                $(#[doc = $later_doc:literal])+
                $($later_name:literal)|+ => $Later:ty $(= $later_default:literal)?,
                in $later_in:expr $(, args $later_args:expr)? $(, once $later_once:ident)?
                $(, restricts $later_restricts:ident $(unless $later_unless:expr)?)?;
            )+
        })?
        $(needless {
            $(
                $(#[doc = $needless_doc:literal])+
                $($needless_name:literal)|+ => $Needless:ty $(= $needless_default:literal)?,
                in $needless_in:expr $(, args $needless_args:expr)? $(, once $needless_once:ident)?;
            )+
        })?
        $(made { $($Made:ty;)+ })?
        $(checks { $($check:path, in $check_in:expr;)+ })?
        $(concludes { $($conclude:path;)+ })?
    ) => {
        /// What one block sets for this module's directives.
        // Rows are documented for the manual, where `[` opens no link.
        #[allow(rustdoc::broken_intra_doc_links)]
        #[derive(Default)]
        pub struct Scope {
            $(
                $($( $(#[doc = $restart_doc])+ pub $restart_field: <$Restart as $crate::directive::Field>::Uses, )+)?
                $($( $(#[doc = $session_doc])+ pub $session_field: <$Session as $crate::directive::Field>::Uses, )+)?
            )?
            $($( $(#[doc = $live_doc])+ pub $live_field: <$Live as $crate::directive::Field>::Uses, )+)?
        }

        $(
            /// Values of this module that a session keeps from its start.
            // Rows are documented for the manual, where `[` opens no link.
            #[allow(rustdoc::broken_intra_doc_links)]
            #[derive(Clone, Debug)]
            pub struct $Conf {
                $($( $(#[doc = $restart_doc])+ pub $restart_field: $Restart, )+)?
                $($( $(#[doc = $session_doc])+ pub $session_field: $Session, )+)?
            }

            impl $crate::directive::Resolve for $Conf {
                type Scope = Scope;

                fn resolve(scopes: &[Option<&Scope>], evaluation: &mut $crate::directive::Evaluation<'_>) -> $Conf {
                    $Conf {
                        $($( $restart_field: <$Restart as $crate::directive::Field>::resolve(
                            scopes.iter().map(|s| s.map(|s| &s.$restart_field)),
                            $crate::directive::table::optional!($($restart_default)?),
                            evaluation,
                        ), )+)?
                        $($( $session_field: <$Session as $crate::directive::Field>::resolve(
                            scopes.iter().map(|s| s.map(|s| &s.$session_field)),
                            $crate::directive::table::optional!($($session_default)?),
                            evaluation,
                        ), )+)?
                    }
                }
            }

            impl $crate::directive::Slot for $Conf {
                const HOLDERS: $crate::directive::Contexts = $crate::directive::slot::holders(
                    0 $($( | $restart_in )+)? $($( | $session_in )+)?
                );
                const INHERITED: bool = (&[$(stringify!($complete))?] as &[&str]).is_empty()
                    $($( && $crate::directive::slot::is_inherited::<$Restart>() )+)?
                    $($( && $crate::directive::slot::is_inherited::<$Session>() )+)?;
                const RESTART: bool =
                    false $($( || !$crate::directive::table::present!($($restart_effect)?) )+)?;

                fn is_set_by(block: &$crate::directive::evaluate::Block) -> bool {
                    block.scope::<Scope>().is_some()
                }

                fn make(
                    level: &$crate::directive::BlockLevel<'_>,
                    evaluation: &mut $crate::directive::Evaluation<'_>,
                ) -> $Conf {
                    let values: $Conf = level.resolve(evaluation);
                    $(
                        if let Some(outer) = level.outer::<$Conf>() {
                            return $complete(values, outer);
                        }
                    )?
                    values
                }

                $crate::directive::slot::keeps_last_places!();
            }
        )?

        $(
            /// Values of this module that are read at each use, so that a reload affects running sessions.
            // Rows are documented for the manual, where `[` opens no link.
            #[allow(rustdoc::broken_intra_doc_links)]
            #[derive(Clone, Debug)]
            pub struct $Current {
                $( $(#[doc = $live_doc])+ pub $live_field: $Live, )+
            }

            impl $crate::directive::Resolve for $Current {
                type Scope = Scope;

                fn resolve(scopes: &[Option<&Scope>], evaluation: &mut $crate::directive::Evaluation<'_>) -> $Current {
                    $Current {
                        $( $live_field: <$Live as $crate::directive::Field>::resolve(
                            scopes.iter().map(|s| s.map(|s| &s.$live_field)),
                            $crate::directive::table::optional!($($live_default)?),
                            evaluation,
                        ), )+
                    }
                }
            }

            impl $crate::directive::Slot for $Current {
                const HOLDERS: $crate::directive::Contexts =
                    $crate::directive::slot::holders(0 $( | $live_in )+);
                const INHERITED: bool = true $( && $crate::directive::slot::is_inherited::<$Live>() )+;

                fn is_set_by(block: &$crate::directive::evaluate::Block) -> bool {
                    block.scope::<Scope>().is_some()
                }

                fn make(
                    level: &$crate::directive::BlockLevel<'_>,
                    evaluation: &mut $crate::directive::Evaluation<'_>,
                ) -> $Current {
                    level.resolve(evaluation)
                }

                $crate::directive::slot::keeps_last_places!();
            }
        )?

        /// This module's directives.
        pub static MODULE: $crate::directive::Module = $crate::directive::Module {
            name: $module,
            about: &[$($about),+],
            rows: &[
                $($(
                    $crate::directive::Row {
                        names: &[$($block_name),+],
                        contexts: $block_in,
                        class: $crate::directive::ReloadClass::Block,
                        default: None,
                        doc: &[$($block_doc),+],
                        arity: <$Head as $crate::directive::Value>::ARITY,
                        syntax: <$Head as $crate::directive::Value>::syntax,
                        shape: $crate::directive::StatementShape::Opens($opens),
                        repeat: $crate::directive::table::block_repeat!($($block_repeat)?),
                        inherit: $crate::directive::Inherit::Never,
                        once: false,
                        inert: $crate::directive::table::present!($($block_effect)?),
                        selects_handler: false,
                        restricts: $crate::directive::table::restriction!($($block_restricts)?),
                        duplicate: <$Head as $crate::directive::Value>::duplicate,
                        check_default: |_, _| Ok(()),
                        apply: $crate::directive::Apply::Head(|args, evaluation| {
                            Ok(Box::new(<$Head as $crate::directive::Value>::parse(args, evaluation)?))
                        }),
                    },
                )+)?
                $($($(
                    $crate::directive::table::kept!(Restart, [$($restart_name),+], $restart_field: $Restart,
                        [$($restart_default)?], $restart_in, [$($restart_args)?], [$($restart_once)?], [$($restart_effect)?],
                        [$($restart_restricts $(unless $restart_unless)?)?],
                        [$($restart_doc),+]),
                )+)?)?
                $($($(
                    $crate::directive::table::kept!(Session, [$($session_name),+], $session_field: $Session,
                        [$($session_default)?], $session_in, [$($session_args)?], [$($session_once)?], [$($session_effect)?],
                        [$($session_restricts $(unless $session_unless)?)?],
                        [$($session_doc),+]),
                )+)?)?
                $($(
                    $crate::directive::Row {
                        selects_handler: $crate::directive::table::present!($($live_handler)?),
                        ..$crate::directive::table::kept!(Live, [$($live_name),+], $live_field: $Live,
                            [$($live_default)?], $live_in, [$($live_args)?], [$($live_once)?], [$($live_effect)?],
                            [$($live_restricts $(unless $live_unless)?)?], [$($live_doc),+])
                    },
                )+)?
                $($(
                    $crate::directive::table::checked!(Later, [$($later_name),+], $Later,
                        [$($later_default)?], $later_in, [$($later_args)?], [$($later_once)?], [],
                        [$($later_restricts $(unless $later_unless)?)?], [$($later_doc),+]),
                )+)?
                $($(
                    $crate::directive::table::checked!(Needless, [$($needless_name),+], $Needless,
                        [$($needless_default)?], $needless_in, [$($needless_args)?], [$($needless_once)?], [], [],
                        [$($needless_doc),+]),
                )+)?
            ],
            scope: || Box::<Scope>::default(),
            scope_type: std::any::TypeId::of::<Scope>,
            slots: &[
                $($crate::directive::slot::SlotEntry::of::<$Conf>(),)?
                $($crate::directive::slot::SlotEntry::of::<$Current>(),)?
                $($($crate::directive::slot::SlotEntry::of::<$Made>(),)+)?
            ],
            checks: &[$($($crate::directive::slot::SlotCheck { holder: $check_in, check: $check },)+)?],
            conclusions: &[$($($conclude,)+)?],
        };
    };
}

/// Row whose value is stored in the scope.
macro_rules! kept {
    (
        $class:ident, [$($name:literal),+], $field:ident: $T:ty, [$($default:literal)?], $in:expr,
        [$($args:expr)?], [$($once:ident)?], [$($effect:ident)?],
        [$($restricts:ident $(unless $unless:expr)?)?], [$($doc:literal),+]
    ) => {
        $crate::directive::Row {
            apply: $crate::directive::Apply::Keep(|scope, args, span, evaluation| {
                let scope = scope.downcast_mut::<Scope>().expect("a row is applied to its own module's scope");
                $crate::directive::table::keep::<$T>(&mut scope.$field, args, span, evaluation)
            }),
            ..$crate::directive::table::checked!(
                $class, [$($name),+], $T, [$($default)?], $in, [$($args)?], [$($once)?], [$($effect)?],
                [$($restricts $(unless $unless)?)?], [$($doc),+]
            )
        }
    };
}

/// Row whose value is only validated.
macro_rules! checked {
    (
        $class:ident, [$($name:literal),+], $T:ty, [$($default:literal)?], $in:expr,
        [$($args:expr)?], [$($once:ident)?], [$($effect:ident)?],
        [$($restricts:ident $(unless $unless:expr)?)?], [$($doc:literal),+]
    ) => {
        $crate::directive::Row {
            names: &[$($name),+],
            contexts: $in,
            class: $crate::directive::ReloadClass::$class,
            default: $crate::directive::table::optional!($($default)?),
            doc: &[$($doc),+],
            arity: $crate::directive::table::arity!(
                <<$T as $crate::directive::Field>::Value as $crate::directive::Value>::ARITY, $($args)?
            ),
            syntax: <<$T as $crate::directive::Field>::Value as $crate::directive::Value>::syntax,
            shape: if <<$T as $crate::directive::Field>::Value as $crate::directive::Value>::BLOCK {
                $crate::directive::StatementShape::Free
            } else {
                $crate::directive::StatementShape::Simple
            },
            repeat: <$T as $crate::directive::Field>::REPEAT,
            inherit: <$T as $crate::directive::Field>::INHERIT,
            once: $crate::directive::table::present!($($once)?),
            inert: $crate::directive::table::present!($($effect)?)
                || matches!($crate::directive::ReloadClass::$class, $crate::directive::ReloadClass::Later),
            selects_handler: false,
            restricts: $crate::directive::table::restriction!($($restricts $(unless $unless)?)?),
            duplicate: <<$T as $crate::directive::Field>::Value as $crate::directive::Value>::duplicate,
            check_default: |text, evaluation| {
                $crate::directive::read_default::<<$T as $crate::directive::Field>::Value>(text, evaluation).map(drop)
            },
            apply: $crate::directive::Apply::Check(|args, evaluation| {
                let value = <<$T as $crate::directive::Field>::Value as $crate::directive::Value>::parse(args, evaluation)?;
                Ok($crate::directive::Value::may_repeat(&value))
            }),
        }
    };
}

/// `Some` of the literal, if there is one.
macro_rules! optional {
    () => {
        None
    };
    ($some:expr) => {
        Some($some)
    };
}

/// Whether a token is present.
macro_rules! present {
    () => {
        false
    };
    ($token:ident) => {
        true
    };
}

/// A row's restriction, if declared.
macro_rules! restriction {
    () => {
        None
    };
    (answers $($unless:tt)*) => {
        $crate::directive::table::restriction!(@Answers $($unless)*)
    };
    (connections $($unless:tt)*) => {
        $crate::directive::table::restriction!(@Connections $($unless)*)
    };
    (paths $($unless:tt)*) => {
        $crate::directive::table::restriction!(@Paths $($unless)*)
    };
    (requests $($unless:tt)*) => {
        $crate::directive::table::restriction!(@Requests $($unless)*)
    };
    (sessions $($unless:tt)*) => {
        $crate::directive::table::restriction!(@Sessions $($unless)*)
    };
    (@$what:ident) => {
        $crate::directive::table::restriction!(@$what unless |_| false)
    };
    (@$what:ident unless $unless:expr) => {
        Some($crate::directive::Restriction { what: $crate::directive::Restricts::$what, unless: $unless })
    };
}

/// The row's own arity, else the type's.
macro_rules! arity {
    ($of_type:expr,) => {
        $of_type
    };
    ($of_type:expr, $own:expr) => {
        $own
    };
}

/// Blocks may repeat unless declared `as single`.
macro_rules! block_repeat {
    () => {
        $crate::directive::RepeatRule::Free
    };
    (single) => {
        $crate::directive::RepeatRule::Never
    };
}

pub(crate) use {arity, block_repeat, checked, directives, kept, optional, present, restriction};
