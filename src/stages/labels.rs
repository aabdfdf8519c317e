//! Labels: the name under which a security module of the kernel knows the program.
//!
//! AppArmor and SELinux decide by rules that root cannot argue with: a profile
//! or a label says which files, sockets and capabilities a program may use. A
//! process asks for the label of its *next* program by writing it to a file of
//! its own in /proc; the kernel gives it at execve(2). What was set is read
//! back. Where the kernel has no such module nothing is left out in silence:
//! it is an error. Side: init. Without it: the program has jec's own label,
//! mostly none, and what the profile forbids is allowed. See proc_pid_attr(5),
//! apparmor(7); config.md, "apparmorProfile", "selinuxLabel".

use std::os::fd::AsFd;

use crate::error::{Error, Result, ensure};
use crate::sides::Init;
use crate::sys::file;

/// Sets the label of the program, of each module that one was asked for.
pub fn run(init: &mut Init) -> Result<()> {
    let process = &init.plan.process;
    let wanted = [
        (c"thread-self/attr/apparmor/exec", "exec ", &process.apparmor_profile),
        (c"thread-self/attr/exec", "", &process.selinux_label),
    ];
    for (file, word, label) in wanted {
        let Some(label) = label else { continue };
        file::write_file(init.proc.as_fd(), file, &format!("{word}{label}"))?;
        // The kernel has its own spelling, `NAME (enforce)`: but without a label this is empty.
        let set = file::read_file(init.proc.as_fd(), file, 4096)?;
        let lost = || Error::differs(file.to_string_lossy(), label.as_str(), "nothing");
        ensure(!set.trim_end_matches(['\0', '\n']).is_empty(), lost)?;
    }
    Ok(())
}
