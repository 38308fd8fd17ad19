//! `sticky`: requests of a client go to the same server (nginx 1.29.6, `ngx_http_upstream_sticky_module`).
//!
//! `value.rs` reads the directive, `cookie.rs` writes the cookie, `sessions.rs` is the memory of `learn`, and `bond.rs` is what
//! a request has of it. Other than in nginx, a balancing method behind `sticky` does not undo it (both warn of it), and the
//! variables of `create` have the values that they have when the head of the response is there.

mod bond;
mod cookie;
mod filter;
mod sessions;
mod value;

pub use bond::StickyGroup;
pub use filter::StickyFilter;
pub use value::Sticky;
