//! Lines for the node's log.

use std::fmt::{Display, Write};

/// The weight of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Level {
    Debug = -4,
    Info = 0,
    Warn = 4,
    Error = 8,
}

pub(crate) fn line(level: Level, message: &str, values: &[(&str, &dyn Display)]) {
    let mut line = message.to_string();
    for (name, value) in values {
        let value = value.to_string();
        let plain = !value.is_empty() && value.bytes().all(|b| b > b' ' && b < 0x7f && b != b'"' && b != b'=');
        // Writing to a String does not fail.
        let _ = if plain { write!(line, " {name}={value}") } else { write!(line, " {name}={value:?}") };
    }
    write(level, &line);
}

#[cfg(target_arch = "wasm32")]
pub(crate) fn write(level: Level, line: &str) {
    crate::guest::log(level as i32, line);
}

/// Natively, lines go where `cargo test` shows them.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn write(level: Level, line: &str) {
    eprintln!("{level:?} {line}");
}
