//! What a traced process tells its observer: calls, and the borders between stages.
//!
//! A message is a few fields of text. Whose call it is and which stage makes it is told once,
//! at the border; a call names the number of the last border that its process has passed. A
//! process that is cloned goes on from there, with a copy of that number.

use std::fmt::Arguments;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};

use super::board::{board, now};

/// Between two fields: the unit separator of ASCII, which no path or name has.
pub const BETWEEN: char = '\u{1f}';

/// The number of the last border of this process.
static BORDER: AtomicU64 = AtomicU64::new(0);

/// A call, and where in the source it is made.
pub fn call(at: &Location, name: &str, args: Arguments, result: Arguments) {
    if let Some(board) = board() {
        let (border, time, file, line) =
            (BORDER.load(Ordering::Relaxed), now(), at.file(), at.line());
        board.tell(format_args!(
            "c{BETWEEN}{time}{BETWEEN}{border}{BETWEEN}{file}{BETWEEN}{line}{BETWEEN}{name}\
             {BETWEEN}{result}{BETWEEN}{args}"
        ));
    }
}

/// Something begins. Returns when the observer has looked at all three processes.
pub fn border(name: &str, side: &str) {
    if let Some(number) = tell("b", format_args!("{name}{BETWEEN}{side}")) {
        BORDER.store(number, Ordering::Relaxed);
    }
}

/// The end of the command. Returns when all is in the file.
pub fn end(code: u8) {
    tell("e", format_args!("{code}"));
}

/// Tells, and waits for the answer.
fn tell(kind: &str, text: Arguments) -> Option<u64> {
    let board = board()?;
    let number = board.tell(format_args!("{kind}{BETWEEN}{}{BETWEEN}{text}", now()))?;
    board.await_answer(number);
    Some(number)
}
