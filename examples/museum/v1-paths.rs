//! Its author believed: I write memory/NAME/memory.limit_in_bytes, and the container is limited.
//!
//! That was version 1. On a machine of version 2 the same mkdir makes a group that is called
//! "memory", where no such file is and none can be made. Whoever goes on after the error has a
//! container without a limit. See cgroups(7), "cgroups version 2"; the kernel's cgroup-v2.rst.

use std::env;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, exit, id};

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(group) = env::args().nth(1) {
        fs::write(Path::new(&group).join("cgroup.procs"), "0")?;
        black_box(vec![1_u8; 64 << 20]);
        return Ok(());
    }
    let parent = parent().unwrap_or_else(|error| skip(&error.to_string()));
    let groups = Groups([parent.join(format!("memory/demo-{}", id())), parent.join("memory")]);
    fs::create_dir_all(&groups.0[0]).unwrap_or_else(|error| skip(&format!("no cgroup: {error}")));
    mistake(&groups.0[0]);
    println!("believed: the container has 32 MiB");
    let group = groups.0[0].display();
    let found = shell(&format!("ls {group} | grep limit_in_bytes"))?;
    shows("seen", "there is no such file", found.is_empty())?;
    shows("seen", "it has taken 64 MiB, and ended well", takes_64_mib(&groups.0[0])?)?;
    mend(&groups.0)?;
    let limit = shell(&format!("cat {group}/memory.max"))?;
    let killed = !takes_64_mib(&groups.0[0])?;
    shows("mended", &format!("memory.max is {limit}; with 64 MiB it was killed"), killed)
}

/// `if (fd < 0) log(…)`, says the tutorial, and goes on.
fn mistake(group: &Path) {
    let limit = fs::write(group.join("memory.limit_in_bytes"), "33554432");
    limit.unwrap_or_else(|error| println!("          (memory.limit_in_bytes: {error})"));
}

fn mend([group, parent]: &[PathBuf; 2]) -> std::io::Result<()> {
    fs::write(parent.join("cgroup.subtree_control"), "+memory")?;
    fs::write(group.join("memory.max"), "33554432")?;
    if group.join("memory.swap.max").exists() {
        fs::write(group.join("memory.swap.max"), "0")?;
    }
    Ok(())
}

fn takes_64_mib(group: &Path) -> std::io::Result<bool> {
    Ok(Command::new("/proc/self/exe").arg(group).status()?.success())
}

/// Where a group may be made: /sys/fs/cgroup in the tutorial; here beside our own, to harm nobody.
fn parent() -> Result<PathBuf, Box<dyn Error>> {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).ok_or("no cgroup v2")?;
    let own = Path::new("/sys/fs/cgroup").join(own);
    let above = own.parent().filter(|parent| parent.starts_with("/sys/fs/cgroup"));
    let parent = above.unwrap_or(&own);
    let given = fs::read_to_string(parent.join("cgroup.subtree_control"));
    if !given.is_ok_and(|given| given.split_whitespace().any(|name| name == "memory")) {
        return Err("no memory controller of cgroup v2 is given to groups beside ours".into());
    }
    Ok(parent.into())
}

/// Gone at the end, from the inmost.
struct Groups([PathBuf; 2]);

impl Drop for Groups {
    fn drop(&mut self) {
        for group in &self.0 {
            fs::remove_dir(group).unwrap_or_else(|error| eprintln!("{}: {error}", group.display()));
        }
    }
}

/// Prints a command, runs it, and returns what it printed.
fn shell(command: &str) -> Result<String, Box<dyn Error>> {
    println!("          $ {command}");
    let output = Command::new("sh").args(["-c", command]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().replace('\t', " "))
}

fn skip(reason: &str) -> ! {
    println!("skipped: {reason}");
    exit(77)
}

/// Prints a line that is so; one that is not ends the visit with status 1.
fn shows(label: &str, text: &str, so: bool) -> Result<(), Box<dyn Error>> {
    if !so {
        return Err(format!("this is not so: {label}: {text}").into());
    }
    println!("{:10}{text}", format!("{label}:"));
    Ok(())
}
