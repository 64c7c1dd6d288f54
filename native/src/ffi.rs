//! The C interface: pointers become slices here, and nowhere else.
//!
//! Every call is stateless: bytes in, bytes out, whatever was checked before. A panic ends in a
//! code, never in the caller's frames. Whoever receives a buffer gives it back by [`sy_free`].

#![allow(unsafe_code)]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::archive::open;
use crate::failure::{Failure, Kind, Outcome};
use crate::transit;
use crate::value::LAYOUT;

const ABI: u32 = 1;
const PANICKED: i32 = -100;
const MESSAGE: usize = 240;

/// Bytes that belong to this library.
#[repr(C)]
pub struct SyBuf {
    /// The first byte.
    pub ptr: *mut u8,
    /// How many there are.
    pub len: usize,
    /// How many were reserved.
    pub cap: usize,
}

/// Why a call failed; it belongs to the caller.
#[repr(C)]
pub struct SyErr {
    /// The code that was returned too.
    pub code: i32,
    /// How many bytes of the message count.
    pub msg_len: u32,
    /// UTF-8, cut off at the end. A literal, because cffi reads no constants: [`MESSAGE`].
    pub msg: [u8; 240],
}

/// Return the version of this interface.
#[unsafe(no_mangle)]
pub extern "C" fn sy_abi_version() -> u32 {
    ABI
}

/// Write the table of sizes and places, at most `n` numbers, and return how many there are.
///
/// # Safety
/// `out` has room for `n` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sy_layout(out: *mut u32, n: usize) -> usize {
    if !out.is_null() {
        for (place, number) in LAYOUT.iter().take(n).enumerate() {
            // SAFETY: `place` is below `n`.
            unsafe { out.add(place).write(*number) };
        }
    }
    LAYOUT.len()
}

/// Turn packed bytes into a body.
///
/// # Safety
/// `packed` has `n` bytes; `out` and `err` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sy_encode(
    packed: *const u8,
    n: usize,
    out: *mut SyBuf,
    err: *mut SyErr,
) -> i32 {
    // SAFETY: as the caller promises.
    unsafe { give(out, err, || transit::encode(slice(packed, n, 0)?)) }
}

/// Check the body that begins at `start`.
///
/// # Safety
/// `buf` has `n` bytes; `err` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sy_validate(
    buf: *const u8,
    n: usize,
    start: usize,
    err: *mut SyErr,
) -> i32 {
    // SAFETY: as the caller promises.
    unsafe { report(err, || open(slice(buf, n, start)?).map(|_| ())) }
}

/// Pack what the path leads to in the body that begins at `start`.
///
/// # Safety
/// `buf` has `n` bytes and `path` has `pn`; `out` and `err` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sy_dump(
    buf: *const u8,
    n: usize,
    start: usize,
    path: *const u8,
    pn: usize,
    out: *mut SyBuf,
    err: *mut SyErr,
) -> i32 {
    // SAFETY: as the caller promises.
    unsafe {
        give(out, err, || {
            let steps = transit::read_steps(slice(path, pn, 0)?)?;
            transit::decode(open(slice(buf, n, start)?)?, &steps)
        })
    }
}

/// Pack, as one array, what `keys` leads to in each item of the list that `path` leads to.
///
/// # Safety
/// `buf` has `n` bytes, `path` has `pn` and `keys` has `kn`; `out` and `err` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sy_pluck(
    buf: *const u8,
    n: usize,
    start: usize,
    path: *const u8,
    pn: usize,
    keys: *const u8,
    kn: usize,
    out: *mut SyBuf,
    err: *mut SyErr,
) -> i32 {
    // SAFETY: as the caller promises.
    unsafe {
        give(out, err, || {
            let steps = transit::read_steps(slice(path, pn, 0)?)?;
            let inner = transit::read_steps(slice(keys, kn, 0)?)?;
            transit::pluck(open(slice(buf, n, start)?)?, &steps, &inner)
        })
    }
}

/// Make a body of what the path leads to.
///
/// # Safety
/// `buf` has `n` bytes and `path` has `pn`; `out` and `err` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sy_extract(
    buf: *const u8,
    n: usize,
    start: usize,
    path: *const u8,
    pn: usize,
    out: *mut SyBuf,
    err: *mut SyErr,
) -> i32 {
    // SAFETY: as the caller promises.
    unsafe {
        give(out, err, || {
            let steps = transit::read_steps(slice(path, pn, 0)?)?;
            transit::extract(open(slice(buf, n, start)?)?, &steps)
        })
    }
}

/// Free a buffer of this library and empty it, so that freeing it again does nothing.
///
/// # Safety
/// `buf` is null, or holds what a call here wrote or nulls.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sy_free(buf: *mut SyBuf) {
    // SAFETY: as the caller promises.
    if let Some(buf) = unsafe { buf.as_mut() }
        && !buf.ptr.is_null()
    {
        // SAFETY: the three came apart in `give`, and are emptied below.
        drop(unsafe { Vec::from_raw_parts(buf.ptr, buf.len, buf.cap) });
        *buf = SyBuf {
            ptr: std::ptr::null_mut(),
            len: 0,
            cap: 0,
        };
    }
}

/// # Safety
/// `ptr` is null or has `n` bytes that nobody writes during the call.
unsafe fn slice<'a>(ptr: *const u8, n: usize, start: usize) -> Outcome<&'a [u8]> {
    if ptr.is_null() || n > isize::MAX as usize {
        return Err(Failure::input("no bytes"));
    }
    // SAFETY: not null, and `n` bytes as the caller promises.
    let bytes = unsafe { std::slice::from_raw_parts(ptr, n) };
    bytes
        .get(start..)
        .ok_or_else(|| Failure::new(Kind::Truncated, "the body begins behind the payload's end"))
}

/// # Safety
/// `out` and `err` are null or can be written.
unsafe fn give(out: *mut SyBuf, err: *mut SyErr, run: impl FnOnce() -> Outcome<Vec<u8>>) -> i32 {
    // SAFETY: as the caller promises.
    unsafe {
        report(err, || {
            let out = out.as_mut().ok_or_else(|| Failure::input("no buffer"))?;
            let mut bytes = std::mem::ManuallyDrop::new(run()?);
            *out = SyBuf {
                ptr: bytes.as_mut_ptr(),
                len: bytes.len(),
                cap: bytes.capacity(),
            };
            Ok(())
        })
    }
}

/// # Safety
/// `err` is null or can be written.
unsafe fn report(err: *mut SyErr, run: impl FnOnce() -> Outcome<()>) -> i32 {
    let (code, message) = match quietly(run) {
        None => (PANICKED, String::from("the native codec panicked")),
        Some(Ok(())) => return 0,
        Some(Err(failure)) => (failure.kind as i32, failure.message),
    };
    // SAFETY: as the caller promises.
    if let Some(err) = unsafe { err.as_mut() } {
        let mut size = message.len().min(MESSAGE);
        while !message.is_char_boundary(size) {
            size -= 1;
        }
        err.code = code;
        err.msg_len = size as u32;
        err.msg[..size].copy_from_slice(&message.as_bytes()[..size]);
    }
    code
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Run something, and return nothing if it panicked; the panic prints nothing.
fn quietly<T>(run: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                others(panic);
            }
        }));
    });
    GUARDED.set(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    GUARDED.set(false);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_code_and_a_message() {
        let mut err = SyErr {
            code: 0,
            msg_len: 0,
            msg: [0; MESSAGE],
        };

        // SAFETY: `err` is ours.
        let code = unsafe { report(&mut err, || panic!("on purpose")) };

        assert_eq!(PANICKED, code);
        assert_eq!(
            b"the native codec panicked",
            &err.msg[..err.msg_len as usize]
        );
    }

    #[test]
    fn null_pointers_and_places_behind_the_end_are_refused() {
        let null = std::ptr::null();
        let nobody = std::ptr::null_mut();

        // SAFETY: null is allowed everywhere.
        unsafe {
            assert_eq!(Kind::BadInput as i32, sy_validate(null, 7, 0, nobody));
            assert_eq!(
                Kind::Truncated as i32,
                sy_validate(b"1".as_ptr(), 1, 2, nobody)
            );
            assert_eq!(
                Kind::BadInput as i32,
                sy_encode(b"\xc0".as_ptr(), 1, std::ptr::null_mut(), nobody)
            );
            sy_free(std::ptr::null_mut());
        }
    }

    #[test]
    fn a_buffer_is_freed_once_however_often_that_is_asked() {
        let mut out = SyBuf {
            ptr: std::ptr::null_mut(),
            len: 0,
            cap: 0,
        };

        // SAFETY: `out` is ours, and one byte is there.
        let code = unsafe { sy_encode(b"\xc0".as_ptr(), 1, &mut out, std::ptr::null_mut()) };
        let size = out.len;
        // SAFETY: as above.
        unsafe {
            sy_free(&mut out);
            sy_free(&mut out);
        }

        assert_eq!((0, 25), (code, size));
        assert!(out.ptr.is_null());
    }
}
