//! The process object, of config.json as of `exec --process`.

use std::ffi::CString;

use oci_spec::runtime::{Process as Given, User as GivenUser};

use super::{MapWriter, Namespaces, Process, User};
use super::{capabilities, id_maps, rlimits, scheduling, strings, unsupported};
use crate::error::{Error, Result};

/// Reads it; ids have to be mapped where `namespaces` has maps.
pub(super) fn process(
    given: &Given,
    namespaces: &Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Process> {
    unsupported::refuse_in_process(given)?;
    if given.user().username().as_ref().is_some_and(|name| !name.is_empty()) {
        warnings.push("process.user.username: is for Windows; uid and gid decide".into());
    }
    Ok(Process {
        terminal: given.terminal().unwrap_or(false),
        console_size: console_size(given)?,
        args: args(given)?,
        env: env(given)?,
        cwd: strings::absolute("process.cwd", given.cwd())?,
        user: user(given.user(), namespaces)?,
        capabilities: capabilities::capabilities(given.capabilities().as_ref(), warnings),
        rlimits: rlimits::rlimits(given.rlimits().as_ref())?,
        no_new_privileges: given.no_new_privileges().unwrap_or(false),
        oom_score_adj: oom_score_adj(given)?,
        io_priority: given.io_priority().map(scheduling::io_priority).transpose()?,
        scheduler: given.scheduler().as_ref().map(scheduling::scheduler).transpose()?,
        personality: None,
    })
}

/// Rows and columns; ignored without a terminal, says the specification.
fn console_size(given: &Given) -> Result<Option<(u16, u16)>> {
    let Some(size) = given.console_size().filter(|_| given.terminal() == Some(true)) else {
        return Ok(None);
    };
    let number = |name: &str, value: u64| {
        u16::try_from(value).map_err(|_| {
            Error::config(format!("process.consoleSize.{name}"), format!("{value} is above 65535"))
        })
    };
    Ok(Some((number("height", size.height())?, number("width", size.width())?)))
}

fn args(given: &Given) -> Result<Vec<CString>> {
    let args = given.args().as_ref().map_or(&[][..], Vec::as_slice);
    if args.is_empty() {
        return Err(Error::config("process.args", "names no program"));
    }
    let args = args.iter().enumerate();
    args.map(|(at, text)| strings::c_string(&format!("process.args[{at}]"), text.as_str()))
        .collect()
}

fn env(given: &Given) -> Result<Vec<CString>> {
    let mut env = Vec::new();
    for (at, text) in given.env().iter().flatten().enumerate() {
        let property = format!("process.env[{at}]");
        if text.find('=').is_none_or(|at| at == 0) {
            return Err(Error::config(property, format!("{text:?} is not NAME=value")));
        }
        env.push(strings::c_string(&property, text.as_str())?);
    }
    Ok(env)
}

fn user(given: &GivenUser, namespaces: &Namespaces) -> Result<User> {
    let maps = &namespaces.ids;
    let groups = given.additional_gids().as_ref().map_or(&[][..], Vec::as_slice);
    if namespaces.map_writer == MapWriter::SingleId && !groups.is_empty() {
        let problem = "a user who maps only her own id has to give up setgroups(2)";
        return Err(Error::config("process.user.additionalGids", problem));
    }
    let group = |(at, gid): (usize, &u32)| {
        id_maps::mapped(&format!("process.user.additionalGids[{at}]"), *gid, &maps.gids)
    };
    let umask = given.umask().unwrap_or(0o022);
    if umask > 0o777 {
        return Err(Error::config("process.user.umask", format!("{umask:#o} is above 0o777")));
    }
    Ok(User {
        uid: id_maps::mapped("process.user.uid", given.uid(), &maps.uids)?,
        gid: id_maps::mapped("process.user.gid", given.gid(), &maps.gids)?,
        groups: groups.iter().enumerate().map(group).collect::<Result<_>>()?,
        umask,
    })
}

fn oom_score_adj(given: &Given) -> Result<Option<i32>> {
    match given.oom_score_adj() {
        Some(value) if !(-1000..=1000).contains(&value) => {
            Err(Error::config("process.oomScoreAdj", format!("{value} is not -1000 to 1000")))
        }
        value => Ok(value),
    }
}
