//! Root of a user namespace with the map that `jec run` gives, for one piece of work.
//!
//! The files of a container belong to as many users as the container has, and an ordinary user
//! may give them only to herself. Where /etc/subuid lends her ids, she is their master in a user
//! namespace that maps them, so the work is done there, by a child, and its result is handed back.

use std::os::fd::{AsFd, OwnedFd};

use nix::sched::CloneFlags;
use nix::sys::signalfd::SignalFd;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Ids;
use crate::commands::open_proc;
use crate::error::{Error, Result, ensure};
use crate::log;
use crate::plan::flags::{Machine, environment, ids};
use crate::plan::{IdMaps, MapWriter};
use crate::stages::{capabilities, id_map};
use crate::sys::{attributes, credentials, file, interrupt, process, signal};

/// The longest answer that is read, in bytes.
const LIMIT: usize = 16 << 20;

/// Does `work` as somebody who may give files to every id that a container of this user has:
/// root as it is, others as root of a user namespace. Without ids to lend, it is told that
/// files can only be the user's own. To be called while this process has one thread.
pub fn as_mapped_root<T>(work: impl FnOnce(Ids) -> Result<T>) -> Result<T>
where
    T: Serialize + DeserializeOwned,
{
    match maps()? {
        Some(maps) => in_child(Some(&maps), None, || work(Ids::Keep)),
        None if credentials::geteuid() == 0 => work(Ids::Keep),
        None => work(Ids::OwnOnly),
    }
}

/// The same, always by a child. A signal that asks jec to end ends it, and then `clean_up` removes
/// what it has begun.
pub fn until_a_signal<T>(
    work: impl FnOnce(Ids) -> Result<T>,
    clean_up: impl FnOnce() -> Result<()>,
) -> Result<T>
where
    T: Serialize + DeserializeOwned,
{
    let status = file::read_file(open_proc()?.as_fd(), c"self/status", 1 << 16)?;
    let signals = interrupt::hold(capabilities::mask(&status, "SigIgn:")?)?;
    let maps = maps()?;
    let is_master = maps.is_some() || credentials::geteuid() == 0;
    let ids = if is_master { Ids::Keep } else { Ids::OwnOnly };
    let result = in_child(maps.as_ref(), Some(&signals), || work(ids));
    if let Err(Error::Died { signal: Some(_), .. }) = result
        && let Err(error) = clean_up()
    {
        log::warn(&error.to_string());
    }
    signal::reset(0).and(result)
}

/// What `jec run` of an ordinary user maps without flags; none without ranges of ids, or newuidmap.
pub fn maps() -> Result<Option<IdMaps>> {
    let (uid, gid) = (credentials::geteuid(), credentials::getegid());
    if uid == 0 {
        return Ok(None);
    }
    let mut machine = Machine { uid, gid, environment: environment(), ..Machine::default() };
    machine.look_at_ids(false)?;
    ids::user_ranges(&machine)
}

/// In a user namespace with these maps, if there are any; until one of these signals comes.
fn in_child<T>(
    maps: Option<&IdMaps>,
    signals: Option<&SignalFd>,
    work: impl FnOnce() -> Result<T>,
) -> Result<T>
where
    T: Serialize + DeserializeOwned,
{
    let proc = open_proc()?;
    let (answer, tell) = file::pipe()?;
    let (begin, go) = file::pipe()?;
    let mut ends = Some((answer, go));
    let child = process::fork(|| {
        // The parent's ends: while they were open here, nobody would see that it has ended.
        drop(ends.take());
        let result = prepare(&tell, &begin, maps.is_some()).and_then(|()| work());
        send(&tell, &result);
        process::exit_now(0)
    })?;
    drop((tell, begin));
    let (answer, go) = ends.ok_or_else(died)?;
    let result = begun(&answer, || {
        let maps = maps.map_or(Ok(()), |maps| {
            id_map::write_maps(proc.as_fd(), child.pid, maps, MapWriter::Helpers)
        });
        maps.and_then(|()| file::write(go.as_fd(), b"!"))
    });
    drop(go);
    let result = result.and_then(|()| signals.map_or(Ok(()), |signals| listen(&answer, signals)));
    if result.is_err() {
        process::send(&child, signal::KILL)?;
    }
    let said = result.and_then(|()| file::read_all(&answer, c"the answer", LIMIT));
    process::wait(&child)?;
    serde_json::from_str::<Result<T>>(said?.trim_start_matches('=')).map_err(|_| died())?
}

/// The child, up to its work.
fn prepare(tell: &OwnedFd, begin: &OwnedFd, is_mapped: bool) -> Result<()> {
    if is_mapped {
        process::unshare(CloneFlags::CLONE_NEWUSER)?;
    }
    file::write(tell.as_fd(), b"?")?;
    ensure(file::read(begin.as_fd(), &mut [0])? == 1, died)?;
    if is_mapped {
        credentials::setgroups(&[])?;
        credentials::setresgid(0)?;
        credentials::setresuid(0)?;
    }
    // Last: the kernel forgets it when ids change.
    attributes::die_with_parent()
}

/// The parent, when the child is in its namespace. One that could not make it has told why.
fn begun(answer: &OwnedFd, map: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut word = [0];
    file::read(answer.as_fd(), &mut word)?;
    if word == *b"?" { map() } else { Ok(()) }
}

/// Until the answer begins; a signal that comes first is an error.
fn listen(answer: &OwnedFd, signals: &SignalFd) -> Result<()> {
    let watched = [(answer.as_fd(), signal::READ), (signals.as_fd(), signal::READ)];
    let ready = signal::watch(&watched, None)?;
    let number = if ready[0].is_empty() { signal::next(signals) } else { None };
    number.map_or(Ok(()), |number| {
        let how = format!(": signal {number}");
        Err(Error::Died { who: "jec".into(), how, signal: Some(number) })
    })
}

/// What does not fit, or has no reader any more, is an answer that the parent misses.
fn send<T: Serialize>(tell: &OwnedFd, result: &Result<T>) {
    let text = format!("={}", serde_json::to_string(result).unwrap_or_default());
    let mut rest = text.as_bytes();
    while let Ok(count @ 1..) = file::write_once(tell.as_fd(), rest) {
        rest = &rest[count..];
    }
}

fn died() -> Error {
    let who = "the process that did the work";
    Error::Died { who: who.into(), how: String::new(), signal: None }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn files_get_the_ids_that_the_container_of_this_user_has() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("file");
        let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        let ids = as_mapped_root(|ids| {
            let how = nix::fcntl::OFlag::O_CREAT | nix::fcntl::OFlag::O_WRONLY;
            let made = file::openat(file::HERE, &name, how, 0o600)?;
            if ids == Ids::Keep {
                file::fchown(made.as_fd(), 7, 9)?;
            }
            Ok(ids)
        });
        let found = std::fs::metadata(&path).unwrap();
        let maps = maps().unwrap();
        let outside = |ranges: &[crate::plan::IdRange], id| {
            let range = ranges.iter().find(|range| range.container == 1).unwrap();
            range.host + id - 1
        };
        match ids.unwrap() {
            Ids::Keep if credentials::geteuid() == 0 => {
                assert_eq!((found.uid(), found.gid()), (7, 9));
            }
            Ids::Keep => {
                let maps = maps.unwrap();
                let expected = (outside(&maps.uids, 7), outside(&maps.gids, 9));
                assert_eq!((found.uid(), found.gid()), expected);
                let removed = as_mapped_root(|_| file::unlinkat(file::HERE, &name, false));
                assert_eq!(removed, Ok(()));
            }
            Ids::OwnOnly => assert_eq!(maps, None),
        }
    }

    #[test]
    fn errors_come_back_as_they_were_and_a_child_that_dies_is_one() {
        let error = || Error::config("a", "b");
        assert_eq!(as_mapped_root(|_| Err::<(), _>(error())), Err(error()));
        if credentials::geteuid() != 0 && maps().unwrap().is_some() {
            assert_eq!(as_mapped_root::<()>(|_| process::exit_now(3)), Err(died()));
            assert_eq!(as_mapped_root(|_| Ok("x".repeat(1 << 20))), Ok("x".repeat(1 << 20)));
        }
    }
}
