//! Password authentication.

pub mod conf;
pub mod credentials;
mod des_crypt;
mod md5_crypt;
pub mod password;
mod sha_crypt;
pub mod user_file;
