//! Memory that jec shares with the processes it clones, for `--trace`.
//!
//! Who has made a call writes down what it was, in memory; an observer outside reads it. So the
//! traced process makes no call that it would not have made anyhow: strace(1) shows the same
//! calls with `--trace` and without, and a system call filter has nothing to forbid. All that
//! is relied on is that memory can be written to and the clock be read (vdso(7)).

use std::cell::UnsafeCell;
use std::fmt::{Arguments, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::record::{descriptor, record, record_as, record_fd};
use crate::error::Result;

/// How many messages may wait to be read.
const SLOTS: usize = 256;
/// The longest message, in bytes: what is longer is cut.
const ROOM: usize = 2000;
/// The end of one that was cut.
const CUT: &str = "…";
/// An observer that does not answer in this time is not waited for any more.
const PATIENCE: Duration = Duration::from_secs(10);

/// The memory, once there is one.
static BOARD: OnceLock<&'static Board> = OnceLock::new();

/// Where messages wait to be read, in the order of their numbers.
#[derive(Debug)]
pub struct Board {
    /// The number of the next message.
    next: AtomicU64,
    /// Messages below this number have been read.
    read: AtomicU64,
    /// Messages below this number have been answered.
    answered: AtomicU64,
    /// Nobody reads any more.
    deserted: AtomicBool,
    slots: [Slot; SLOTS],
}

#[derive(Debug)]
struct Slot {
    /// The number of the message that is here, and 1.
    whole: AtomicU64,
    length: AtomicUsize,
    bytes: UnsafeCell<[u8; ROOM]>,
}

// SAFETY: the bytes of a slot are written by the one process that holds the number of the message,
// and read after it has said, by a release store of `whole`, that it will not touch them again.
unsafe impl Sync for Board {}

/// Makes the board. Zeros are what an empty one consists of; all of it is touched now, so that
/// it counts as memory of jec, and not of the container's cgroup.
pub fn make() -> Result<&'static Board> {
    let (size, rights) = (size_of::<Board>(), libc::PROT_READ | libc::PROT_WRITE);
    let how = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
    // SAFETY: a new mapping at a place that the kernel chooses.
    let place = unsafe { libc::mmap(std::ptr::null_mut(), size, rights, how, -1, 0) };
    let result = if place == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(()) };
    record("mmap", format_args!("NULL, {size}, PROT_READ|PROT_WRITE, MAP_SHARED, -1, 0"), result)?;
    // SAFETY: a mapping of this size, page-aligned, never unmapped, all zeros: numbers, and bytes.
    Ok(BOARD.get_or_init(|| unsafe { &*place.cast::<Board>() }))
}

/// The board, if there is one.
pub fn board() -> Option<&'static Board> {
    BOARD.get().copied()
}

impl Board {
    /// Writes a message; its number. None where nobody reads.
    pub fn tell(&self, text: Arguments) -> Option<u64> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let slot = &self.slots[slot_of(number)];
        let has_room = || number < self.read.load(Ordering::Acquire) + SLOTS as u64;
        if !self.wait(has_room) {
            return None;
        }
        // SAFETY: the number is ours alone, and whoever had the slot before has been read.
        let mut paper = Paper { bytes: unsafe { &mut *slot.bytes.get() }, used: 0 };
        if paper.write_fmt(text).is_err() {
            paper.bytes[ROOM - CUT.len()..].copy_from_slice(CUT.as_bytes());
        }
        slot.length.store(paper.used, Ordering::Relaxed);
        slot.whole.store(number + 1, Ordering::Release);
        Some(number)
    }

    /// Waits until the observer has answered this message; false when it never will. No call is made: a filter may be
    /// loaded that would end the process for it. That costs processor time, for some microseconds.
    pub fn await_answer(&self, number: u64) -> bool {
        self.wait(|| self.answered.load(Ordering::Acquire) > number)
    }

    fn wait(&self, is_so: impl Fn() -> bool) -> bool {
        let begin = Instant::now();
        while !is_so() {
            if self.deserted.load(Ordering::Relaxed) || begin.elapsed() > PATIENCE {
                self.deserted.store(true, Ordering::Relaxed);
                return false;
            }
            std::hint::spin_loop();
        }
        true
    }

    /// The next message, if it is whole. To be called by one process.
    pub fn take(&self) -> Option<(u64, String)> {
        let number = self.read.load(Ordering::Relaxed);
        let slot = &self.slots[slot_of(number)];
        if slot.whole.load(Ordering::Acquire) != number + 1 {
            return None;
        }
        let length = slot.length.load(Ordering::Relaxed).min(ROOM);
        // SAFETY: the message is whole: nobody writes into the slot before `read` has passed it.
        let bytes = unsafe { &(&*slot.bytes.get())[..length] };
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.read.store(number + 1, Ordering::Release);
        Some((number, text))
    }

    /// Passes over a message whose writer was killed; false when all have been read.
    pub fn skip(&self) -> bool {
        let number = self.read.load(Ordering::Relaxed);
        let is_left = number < self.next.load(Ordering::Acquire);
        self.read.fetch_add(u64::from(is_left), Ordering::AcqRel);
        is_left
    }

    /// Answers all that was read.
    pub fn answer(&self) {
        self.answered.store(self.read.load(Ordering::Relaxed), Ordering::Release);
    }

    /// Nobody reads any more.
    pub fn desert(&self) {
        self.deserted.store(true, Ordering::Relaxed);
    }
}

fn slot_of(number: u64) -> usize {
    usize::try_from(number % SLOTS as u64).unwrap_or(0)
}

/// Text that goes to memory which is there already: no room has to be found for it.
struct Paper<'a> {
    bytes: &'a mut [u8; ROOM],
    used: usize,
}

impl Write for Paper<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let count = text.len().min(ROOM - self.used);
        self.bytes[self.used..self.used + count].copy_from_slice(&text.as_bytes()[..count]);
        self.used += count;
        if count == text.len() { Ok(()) } else { Err(std::fmt::Error) }
    }
}

/// Nanoseconds of CLOCK_MONOTONIC. It is read in memory (vdso(7)), without a call.
pub fn now() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a whole timespec. This clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// A copy of a descriptor, close-on-exec, so far up that those which follow have the numbers that
/// they would have without it; as far up as is allowed.
pub fn copy_far(fd: BorrowedFd) -> Result<OwnedFd> {
    let fd = fd.as_raw_fd();
    // SAFETY: only numbers are passed; the copy is ours alone.
    let copy = |least: i32| unsafe { descriptor(libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, least)) };
    let result = copy(500).or_else(|_| copy(100)).or_else(|_| copy(10));
    record_fd("fcntl", format_args!("{fd}, F_DUPFD_CLOEXEC, 500"), result)
}

/// close_range(2): closes all descriptors from 3 on but these.
pub fn close_others(kept: &mut [i32]) -> Result<()> {
    kept.sort_unstable();
    let mut first = 3;
    for last in kept.iter().map(|fd| fd - 1).chain([i32::MAX]) {
        if first <= last {
            // SAFETY: only numbers are passed. What is closed belongs to the process that we are
            // a copy of, and nothing of it is used or dropped here any more.
            let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
            record("close_range", format_args!("{first}, {last}, 0"), Errno::result(result))?;
        }
        first = last.saturating_add(2);
    }
    Ok(())
}

/// Host name and domain name of the uts namespace that we are in (uname(2)).
pub fn uname() -> Result<(String, String)> {
    let found = nix::sys::utsname::uname();
    let names = found.map(|name| {
        let [host, domain] = [name.nodename(), name.domainname()];
        (host.to_string_lossy().into_owned(), domain.to_string_lossy().into_owned())
    });
    record_as("uname", format_args!(""), names, |_| 0)
}

/// The user id that made the user namespace to which this namespace belongs (ioctl_nsfs(2)).
pub fn namespace_owner(namespace: BorrowedFd) -> Result<u32> {
    // linux/nsfs.h: _IO(0xb7, 1), _IO(0xb7, 4)
    const NS_GET_USERNS: libc::Ioctl = 0xb701;
    const NS_GET_OWNER_UID: libc::Ioctl = 0xb704;
    let fd = namespace.as_raw_fd();
    // SAFETY: only numbers are passed; the descriptor that comes back is ours alone.
    let user = unsafe { descriptor(libc::ioctl(fd, NS_GET_USERNS)) };
    let user = record_fd("ioctl", format_args!("{fd}, NS_GET_USERNS"), user)?;
    let mut uid = 0_u32;
    // SAFETY: the kernel writes one number of this size.
    let result = unsafe { libc::ioctl(user.as_raw_fd(), NS_GET_OWNER_UID, &raw mut uid) };
    record("ioctl", format_args!("{fd}, NS_GET_OWNER_UID"), Errno::result(result))?;
    Ok(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As mmap(2) makes it.
    fn empty() -> Box<Board> {
        // SAFETY: numbers and bytes, for which zeros are valid.
        unsafe { Box::new_zeroed().assume_init() }
    }

    #[test]
    fn messages_are_read_in_order_and_whole_ones_only() {
        let board = empty();
        for number in 0..600 {
            assert_eq!(board.tell(format_args!("message {number}")), Some(number));
            assert_eq!(board.take(), Some((number, format!("message {number}"))));
        }
        assert_eq!(board.take(), None);
        assert!(!board.skip());
    }

    #[test]
    fn what_is_too_long_is_cut_and_what_nobody_finished_is_skipped() {
        let board = empty();
        board.tell(format_args!("{}", "x".repeat(ROOM + 1)));
        assert_eq!(board.take().unwrap().1.len(), ROOM);
        // Killed between taking a number and having written.
        board.next.fetch_add(1, Ordering::Relaxed);
        board.tell(format_args!("after"));
        assert_eq!(board.take(), None);
        assert!(board.skip());
        assert_eq!(board.take().unwrap().1, "after");
    }

    #[test]
    fn many_writers_and_one_reader_lose_nothing() {
        let board = empty();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let board = &board;
                scope.spawn(move || {
                    for n in 0..500 {
                        board.tell(format_args!("{writer} {n}"));
                    }
                });
            }
            let mut found = Vec::new();
            while found.len() < 2000 {
                found.extend(board.take().map(|message| message.1));
            }
            for writer in 0..4 {
                let own = format!("{writer} ");
                let own: Vec<_> = found.iter().filter_map(|text| text.strip_prefix(&own)).collect();
                assert!(own.iter().enumerate().all(|(n, text)| **text == n.to_string()));
            }
        });
    }

    #[test]
    fn nobody_waits_for_an_observer_that_has_gone() {
        let board = empty();
        let number = board.tell(format_args!("x")).unwrap();
        board.take();
        board.answer();
        assert!(board.await_answer(number));
        board.desert();
        assert!(!board.await_answer(number + 1));
    }
}
