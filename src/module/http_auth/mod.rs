//! Password authentication.

mod check;
pub mod conf;
mod des_crypt;
mod log;
mod md5_crypt;
pub mod password;
mod sha_crypt;
pub mod user_file;

pub use check::AuthBasicCheck;
