//! Console: a terminal of the container's own.
//!
//! A pseudo terminal is a pair: what the program writes into the slave is read
//! from the master. It is made on the container's devpts; what is opened must
//! be devpts' own ptmx, inode 2, device 5:2, and the slave comes from
//! TIOCGPTPEER, by descriptor, since the path /dev/pts/N belongs to the image
//! (CVE-2025-52565). The slave becomes standard input, output and error, the
//! session's terminal, and /dev/console; the master goes to jec. Side: init.
//! Without it: no Ctrl-C, no window size, no job control. See pty(7),
//! ioctl_tty(2); config.md, "process.terminal".

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{OFlag, ResolveFlag};
use nix::sys::stat::makedev;

use super::mounts;
use crate::error::{Error, Result, ensure};
use crate::sides::Init;
use crate::sys::mount::{self, OPEN_TREE_CLONE};
use crate::sys::{file, socket, terminal};
use crate::tree::{self, Kind};

const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1; // <linux/magic.h>

/// Makes the pair and hands its two ends to whom they belong.
pub fn run(init: &mut Init) -> Result<()> {
    let master = open_ptmx(init.root()?)?;
    terminal::unlock(master.as_fd())?;
    let slave = terminal::peer(master.as_fd())?;
    if let Some(size) = init.plan.process.console_size {
        terminal::set_size(slave.as_fd(), size)?;
    }
    let user = &init.plan.process.user;
    file::fchown(slave.as_fd(), user.uid, TTY_GROUP_UNCHANGED)?;
    // The container's console is its first process's; a further one has a terminal without that name.
    if init.plan.joins.is_none() {
        show_console(init.root()?, slave.as_fd())?;
    }
    terminal::make_controlling(slave.as_fd())?;
    terminal::redirect(slave.as_fd(), slave.as_fd())?;
    if let Some(console) = init.handed.console.take() {
        socket::send(console.as_fd(), b"console", &[master.as_fd()])?;
    }
    Ok(())
}

/// Binds the slave over /dev/console.
fn show_console(root: BorrowedFd, slave: BorrowedFd) -> Result<()> {
    let place = tree::place(root, c"/dev/console", Kind::File)?;
    mounts::outside_proc(place.as_fd(), c"/dev/console")?;
    let console = mount::open_tree(slave, c"", OPEN_TREE_CLONE, false)?;
    mount::move_mount(console.as_fd(), place.as_fd())
}

/// chown(2) leaves a group of -1 as it is: devpts has given the slave its tty group.
const TTY_GROUP_UNCHANGED: u32 = u32::MAX;

/// The multiplexer of the container's devpts, and nothing that looks like it.
fn open_ptmx(root: BorrowedFd) -> Result<OwnedFd> {
    let directory = file::open_in_root(root, c"/dev/pts", file::PLACE)?;
    let magic = file::filesystem_magic(directory.as_fd())?;
    // Opening a device can already do harm (a watchdog), so nothing else is opened.
    let other = || Error::differs("/dev/pts", "devpts", format!("magic {magic:#x}"));
    ensure(magic == DEVPTS_SUPER_MAGIC, other)?;
    let how = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NOFOLLOW;
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_XDEV;
    let master = file::openat2(directory.as_fd(), c"ptmx", how, resolve)?;
    let stat = file::fstat(master.as_fd())?;
    ensure((stat.st_ino, stat.st_rdev) == (2, makedev(5, 2)), || {
        let found = format!("inode {}, device {:#x}", stat.st_ino, stat.st_rdev);
        Error::differs("/dev/pts/ptmx", "inode 2, device 5:2", found)
    })?;
    Ok(master)
}
