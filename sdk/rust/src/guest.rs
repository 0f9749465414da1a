//! The boundary: what the host calls, and the one thing that it gives.
//!
//! The host calls an instance from one thread at a time and never from inside
//! `railhead.log`, so plain statics do.

use crate::log::Level;
use crate::step::{step, Connector};
use std::ptr::{addr_of, addr_of_mut};

#[link(wasm_import_module = "railhead")]
extern "C" {
    #[link_name = "log"]
    fn host_log(level: i32, text: *const u8, length: usize);
}

pub(crate) fn log(level: i32, line: &str) {
    // SAFETY: the host reads the line before it returns.
    unsafe { host_log(level, line.as_ptr(), line.len()) }
}

const FIRST_INPUT_BYTES: usize = 16 << 10;

static mut INPUT: Vec<u8> = Vec::new();
static mut OUTPUT: Vec<u8> = Vec::new();

/// The input buffer: the same address until a larger one is asked for.
pub fn buffer(bytes: usize) -> *mut u8 {
    // SAFETY: see the top of this file.
    let input = unsafe { &mut *addr_of_mut!(INPUT) };
    if bytes > input.len() || input.is_empty() {
        report_panics();
        *input = vec![0; bytes.max(FIRST_INPUT_BYTES)];
    }
    input.as_mut_ptr()
}

/// One step. The reply lies in the output buffer until the next one.
///
/// # Safety
///
/// `request` and `length` are what the host has written to the input buffer.
pub unsafe fn run<C: Connector>(request: *const u8, length: usize) -> u64 {
    let request = std::slice::from_raw_parts(request, length);
    let room = std::mem::take(&mut *addr_of_mut!(OUTPUT));
    OUTPUT = step::<C>(request, room);
    let reply = &*addr_of!(OUTPUT);
    (reply.as_ptr() as u64) << 32 | reply.len() as u64
}

/// A panic ends the instance, so it cannot be a StepReply any more: it is said
/// in an error line, which the host puts into its own error.
fn report_panics() {
    std::panic::set_hook(Box::new(|info| log(Level::Error as i32, &info.to_string())));
}
