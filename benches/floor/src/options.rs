//! The command line, taken apart.

use std::ffi::CString;

use crate::call::{c, fail};

pub const USAGE: &str = "\
usage: floor [SWITCH...] ROOT PROGRAM [ARGUMENT...]
       floor --repeat N [SWITCH...] ROOT PROGRAM [ARGUMENT...]
       floor --time N COMMAND [ARGUMENT...]

Starts PROGRAM in the directory ROOT, isolated as jec does by default, and ends
with its exit status. Needs root, and cgroup2 on /sys/fs/cgroup.

  --repeat N        start N times, each as a process of its own, and print the
                    median, the least, the 10th and 90th percentile in microseconds
  --time N          the same clock around any other command
  --filter FILE     load the seccomp program in FILE (an array of struct sock_filter)
  --cgroup DIR      make the cgroup below DIR; otherwise /sys/fs/cgroup
  --limit FILE=TEXT write a limit into the cgroup, e.g. pids.max=2048
  --bind FROM=TO    bind FROM of the host, nosuid, nodev, noexec, onto the file TO of the root
  --middle          with a process between this one and the container's first
  --seal            run from a read-only detached mount of this binary

Left out, each with what depends on it:
  --no-cgroup (also no device rules, limits)  --no-device-rules
  --no-uts  --no-ipc  --no-net  --no-cgroupns  --no-loopback
  --no-mounts (also no devices, masks)  --no-devices  --no-masks
  --no-bounding  --no-capset  --no-nnp  --no-session  --no-keyring";

#[derive(Default)]
pub struct Options {
    left_out: Vec<String>,
    pub filter: Option<Vec<u8>>,
    pub cgroup: Option<String>,
    /// A file of the cgroup, and what is written into it.
    pub limits: Vec<(String, String)>,
    /// A file of the host, and a path in the root, without a slash at the beginning.
    pub binds: Vec<(CString, CString)>,
    pub middle: bool,
    pub seal: bool,
    pub root: CString,
    pub program: Vec<CString>,
}

impl Options {
    pub fn has(&self, part: &str) -> bool {
        !self.left_out.iter().any(|left_out| left_out == part)
    }
}

/// Switches up to the root; what follows it is the program's.
pub fn parse(mut args: impl Iterator<Item = String>) -> Options {
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // Read now: after the pivot the host's files are gone.
            "--filter" => {
                let file = std::fs::read(args.next().unwrap_or_default());
                options.filter =
                    Some(file.unwrap_or_else(|error| fail(&format!("--filter: {error}"))));
            }
            "--cgroup" => options.cgroup = args.next(),
            "--limit" => {
                let (file, text) = pair(&arg, args.next());
                options.limits.push((file, text));
            }
            "--bind" => {
                let (from, to) = pair(&arg, args.next());
                options.binds.push((c(&from), c(to.trim_start_matches('/'))));
            }
            "--middle" => options.middle = true,
            "--seal" => options.seal = true,
            _ if arg.starts_with("--no-") && USAGE.split_whitespace().any(|word| word == arg) => {
                options.left_out.push(arg[5..].into());
            }
            _ if arg.starts_with('-') => fail(&format!("{arg}: no such switch; -h shows them")),
            _ => {
                options.root = c(&arg);
                break;
            }
        }
    }
    options.program = args.map(|arg| c(&arg)).collect();
    if options.program.is_empty() {
        fail("a root and a program are needed; -h shows the usage");
    }
    options
}

fn pair(switch: &str, value: Option<String>) -> (String, String) {
    let value = value.unwrap_or_default();
    match value.split_once('=') {
        Some((left, right)) => (left.into(), right.into()),
        None => fail(&format!("{switch} {value:?}: two words with = between them")),
    }
}
