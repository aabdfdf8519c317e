//! Its author believed: chmod, fchmod and fchmodat may not set the set-user-ID bit, so no file has it.
//!
//! Linux 6.6 brought a fourth call for the same deed, fchmodat2(2); the filter was written before.
//! A list of what is allowed refuses calls that are not born yet; a list of what is forbidden lets
//! them pass. See chmod(2), and the defaults of Docker's profile.
#![allow(unsafe_code)]

use std::env::consts::ARCH;
use std::error::Error;
use std::ffi::CString;
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, exit};

use nix::errno::Errno;
use nix::libc::{self, c_long};
use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};
use seccompiler::{SeccompFilter, SeccompRule, apply_filter};

const SET_USER_ID: u64 = 0o4000;

fn main() -> Result<(), Box<dyn Error>> {
    if fchmodat2(Path::new(""), 0) == Err(Errno::ENOSYS) {
        println!("skipped: this kernel is older than fchmodat2(2), Linux 6.6");
        exit(77);
    }
    let file = tempfile::NamedTempFile::new()?;
    let (file, look) = (file.path(), format!("stat -c %A {}", file.path().display()));
    mistake()?;
    println!("believed: no file gets the set-user-ID bit");
    let refused = set_permissions(file, Permissions::from_mode(0o4755)).is_err();
    shows("seen", "chmod(2) is refused", refused)?;
    fchmodat2(file, 0o4755)?;
    let mode = shell(&look)?;
    shows("seen", &format!("{mode}, by fchmodat2(2)"), mode == "-rwsr-xr-x")?;
    fchmodat2(file, 0o755)?;
    mend()?;
    let result = fchmodat2(file, 0o4755);
    let mode = shell(&look)?;
    let text = format!("{mode}, fchmodat2(2) = {result:?}");
    shows("mended", &text, mode == "-rwxr-xr-x" && result == Err(Errno::EPERM))
}

/// One of each kind of call, and where its mode stands among the arguments.
fn mistake() -> Result<(), Box<dyn Error>> {
    #[cfg(target_arch = "x86_64")]
    refuse(libc::SYS_chmod, 1)?;
    refuse(libc::SYS_fchmod, 1)?;
    refuse(libc::SYS_fchmodat, 2)
}

fn mend() -> Result<(), Box<dyn Error>> {
    refuse(libc::SYS_fchmodat2, 2)
}

fn refuse(call: c_long, argument: u8) -> Result<(), Box<dyn Error>> {
    let operator = SeccompCmpOp::MaskedEq(SET_USER_ID);
    let bit = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, SET_USER_ID)?;
    let rules = [(call, vec![SeccompRule::new(vec![bit])?])].into();
    let errno = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, errno, ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    Ok(apply_filter(&program)?)
}

fn fchmodat2(path: &Path, mode: u32) -> nix::Result<()> {
    let path = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| Errno::EINVAL)?;
    let (here, call) = (libc::AT_FDCWD, libc::SYS_fchmodat2);
    // SAFETY: the path is a C string that lives; the rest are numbers.
    Errno::result(unsafe { libc::syscall(call, here, path.as_ptr(), mode, 0) }).map(drop)
}

/// Prints a command, runs it, and returns what it printed.
fn shell(command: &str) -> Result<String, Box<dyn Error>> {
    println!("          $ {command}");
    let output = Command::new("sh").args(["-c", command]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().replace('\t', " "))
}

/// Prints a line that is so; one that is not ends the visit with status 1.
fn shows(label: &str, text: &str, so: bool) -> Result<(), Box<dyn Error>> {
    if !so {
        return Err(format!("this is not so: {label}: {text}").into());
    }
    println!("{:10}{text}", format!("{label}:"));
    Ok(())
}
