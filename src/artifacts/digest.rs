//! The digests that dbt makes of texts: SHA-256 of files, MD5 of what is only to be told apart.

use std::fmt::Write;

use md5::Md5;
use sha2::{Digest, Sha256};

/// MD5 in 32 hexadecimal digits.
pub(super) fn md5(text: &str) -> String {
    hexadecimal(&Md5::digest(text.as_bytes()))
}

/// SHA-256 in 64 hexadecimal digits.
pub(super) fn sha256(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a text takes everything");
    }
    text
}
