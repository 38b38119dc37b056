//! Hexadecimal digits.

use std::fmt::Write;

/// Lower-case hexadecimal digits, two for each byte.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
