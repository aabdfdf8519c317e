//! A progress bar, where standard error is a terminal.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Columns between the brackets.
const WIDTH: u64 = 30;

/// How often it is drawn.
const PACE: Duration = Duration::from_millis(100);

/// Whether nothing is to be drawn.
static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on no bar is drawn.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether there is somebody to see a bar.
pub fn is_shown() -> bool {
    !QUIET.load(Ordering::Relaxed) && stderr().is_terminal()
}

/// Tells how far something is.
pub struct Bar {
    what: String,
    whole: Option<u64>,
    drawn: Option<Mutex<Instant>>,
}

impl Bar {
    /// For `what`, which has `whole` bytes, if that is known. In a pipe nothing is drawn.
    pub fn new(what: String, whole: Option<u64>) -> Self {
        let drawn = is_shown().then(|| Mutex::new(Instant::now()));
        Self { what, whole: whole.filter(|whole| *whole > 0), drawn }
    }

    /// So many bytes are done.
    pub fn at(&self, bytes: u64) {
        if self.is_due() {
            show(&format!("\r{}", self.line(bytes)));
        }
    }

    /// Whether it is drawn, and now: not too often.
    pub fn is_due(&self) -> bool {
        let Some(Ok(mut drawn)) = self.drawn.as_ref().map(Mutex::try_lock) else { return false };
        let is_due = drawn.elapsed() >= PACE;
        if is_due {
            *drawn = Instant::now();
        }
        is_due
    }

    /// What it looks like.
    pub fn line(&self, bytes: u64) -> String {
        let (what, done) = (&self.what, bytes >> 20);
        let Some(whole) = self.whole else {
            return format!("{what}  {done} MiB");
        };
        let part =
            |of: u64| (u128::from(bytes.min(whole)) * u128::from(of) / u128::from(whole)) as usize;
        let full = "█".repeat(part(WIDTH));
        format!("{what}  [{full:30}] {:3} %  {done} MiB", part(100))
    }
}

impl Drop for Bar {
    /// Nothing of it remains.
    fn drop(&mut self) {
        if self.drawn.is_some() {
            show("\r\x1b[K");
        }
    }
}

/// A terminal that went away costs the bar.
pub fn show(text: &str) {
    drop(stderr().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_work_is_done() {
        let line = |whole, bytes| Bar { what: "x".into(), whole, drawn: None }.line(bytes);
        assert_eq!(line(None, 3 << 20), "x  3 MiB");
        assert_eq!(
            line(Some(4 << 20), 2 << 20),
            format!("x  [{:30}]  50 %  2 MiB", "█".repeat(15))
        );
        assert_eq!(line(Some(1), u64::MAX >> 1).matches('█').count(), 30);
    }
}
