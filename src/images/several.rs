//! The same work for many things, several at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::error::Result;

/// Does `work` for each number below `count`, `at_once` at a time, and returns what came of it in
/// this order; or the first error, after which none is begun. `work` can ask whether to go on.
pub fn several<T: Send>(
    count: usize,
    at_once: usize,
    work: impl Fn(usize, &dyn Fn() -> bool) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Ok(Vec::new()));
    let lock = || done.lock().unwrap_or_else(PoisonError::into_inner);
    let go_on = || lock().is_ok();
    let some = || loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= count || !go_on() {
            return;
        }
        let result = work(at, &go_on);
        let mut done = lock();
        match (&mut *done, result) {
            (Ok(all), Ok(one)) => all.push((at, one)),
            (Ok(_), Err(error)) => *done = Err(error),
            (Err(_), _) => {}
        }
    };
    thread::scope(|scope| {
        for _ in 1..at_once.min(count) {
            // A thread that cannot be made costs time only.
            drop(thread::Builder::new().name("jec:layer".into()).spawn_scoped(scope, some));
        }
        some();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}
