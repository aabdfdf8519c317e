//! What a traced process tells its observer: calls, and the borders between stages.
//!
//! A message is a few fields of text. Whose call it is and which stage makes it is told once,
//! at the border; a call names the number of the last border that its process has passed. A
//! process that is cloned goes on from there, with a copy of that number.

use std::convert::Infallible;
use std::fmt::Arguments;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::board::{board, now};

/// Between two fields: the unit separator of ASCII, which no path or name has.
pub const BETWEEN: char = '\u{1f}';

/// The number of the last border of this process.
static BORDER: AtomicU64 = AtomicU64::new(0);

/// Whether this process was cloned behind that border, by one that had passed it.
static BORN: AtomicBool = AtomicBool::new(false);

/// The life of a process that has just been cloned.
pub fn born(child: impl FnOnce() -> Infallible) -> Infallible {
    BORN.store(true, Ordering::Relaxed);
    child()
}

/// A call, and where in the source it is made.
pub fn call(at: &Location, name: &str, args: Arguments, result: Arguments) {
    let (border, born) = (BORDER.load(Ordering::Relaxed), BORN.load(Ordering::Relaxed));
    let (file, line) = (at.file(), at.line());
    let text = format_args!(
        "{border}{BETWEEN}{born}{BETWEEN}{file}{BETWEEN}{line}{BETWEEN}{name}{BETWEEN}{result}\
         {BETWEEN}{args}"
    );
    // Behind a call that does not return there is nobody who could still be heard: the next
    // program may be a jec that writes to the same file.
    if result.as_str() == Some("") {
        ask("c", text);
    } else {
        tell("c", text);
    }
}

/// Something begins. Returns when the observer has looked at all three processes.
pub fn border(name: &str, side: &str) {
    if let Some(number) = ask("b", format_args!("{name}{BETWEEN}{side}")) {
        BORDER.store(number, Ordering::Relaxed);
        BORN.store(false, Ordering::Relaxed);
    }
}

/// The end of the command. Returns when all is in the file; false where nobody writes it any more.
pub fn end(code: u8) -> bool {
    ask("e", format_args!("{code}")).is_some()
}

fn tell(kind: &str, text: Arguments) -> Option<u64> {
    board()?.tell(format_args!("{kind}{BETWEEN}{}{BETWEEN}{text}", now()))
}

/// Tells, and waits for the answer.
fn ask(kind: &str, text: Arguments) -> Option<u64> {
    let number = tell(kind, text)?;
    board()?.await_answer(number).then_some(number)
}
