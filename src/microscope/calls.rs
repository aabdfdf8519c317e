//! The arguments of each call by name: those of its man page.
//!
//! A wrapper of [`crate::sys`] writes its arguments down as strace(1) does, one after the other.
//! Here they are cut apart again and get their names. A test holds every wrapper to this table.

use serde_json::Value;

/// A call and its parameters; those behind `?` may be missing, `…` stands for all the rest.
const CALLS: &[(&str, &str)] = &[
    ("accept4", "sockfd flags"),
    ("bind", "sockfd addr"),
    ("bpf", "cmd attr"),
    ("capset", "permitted effective inheritable"),
    ("chroot", "path"),
    ("clone3", "flags"),
    ("close_range", "first last flags"),
    ("connect", "sa_family sun_path"),
    ("dup2", "oldfd newfd"),
    ("dup3", "oldfd newfd flags"),
    ("execve", "pathname argv ? envp"),
    ("execveat", "dirfd pathname argv flags"),
    ("faccessat2", "dirfd pathname mode flags"),
    ("fchdir", "fd"),
    ("fchmod", "fd mode"),
    ("fchmodat", "dirfd pathname mode"),
    ("fchownat", "dirfd pathname owner group"),
    ("fcntl", "fd cmd ? arg"),
    ("flock", "fd operation"),
    ("fork", ""),
    ("fsconfig", "fd cmd ? key value"),
    ("fsetxattr", "fd name value size"),
    ("fsmount", "fsfd attr_flags"),
    ("fsopen", "fsname"),
    ("fstat", "fd"),
    ("fstatfs", "fd"),
    ("fsync", "fd"),
    ("ftruncate", "fd length"),
    ("getdents64", "fd"),
    ("getxattr", "path name value size"),
    ("ioctl", "fd request ? argument value"),
    ("ioprio_set", "which who ioprio"),
    ("keyctl", "operation arg2"),
    ("kill", "pid sig"),
    ("linkat", "olddirfd oldpath newdirfd newpath flags"),
    ("listen", "sockfd backlog"),
    ("listxattr", "path list size"),
    ("memfd_create", "name flags"),
    ("mkdirat", "dirfd pathname mode"),
    ("mknodat", "dirfd pathname mode dev"),
    ("mmap", "addr length prot flags fd offset"),
    ("mount", "source target filesystemtype mountflags data"),
    ("mount_setattr", "dirfd pathname flags attr_set attr_clr propagation"),
    ("move_mount", "from_dirfd from_pathname to_dirfd to_pathname"),
    ("newgidmap", "pid …"),
    ("newuidmap", "pid …"),
    ("open_tree", "dirfd pathname flags"),
    ("openat", "dirfd pathname flags"),
    ("openat2", "dirfd pathname flags resolve"),
    ("personality", "persona"),
    ("pidfd_open", "pid"),
    ("pidfd_send_signal", "pidfd sig"),
    ("pipe2", "flags"),
    ("pivot_root", "new_root put_old"),
    ("poll", "fds ? timeout"),
    ("prctl", "option ? arg2 arg3"),
    ("prlimit64", "pid resource soft hard"),
    ("pwrite64", "fd buf count offset"),
    ("read", "fd buf count"),
    ("readlinkat", "dirfd pathname"),
    ("recvmsg", "sockfd msg length"),
    ("renameat", "olddirfd oldpath newdirfd newpath"),
    ("rt_sigaction", "signum act"),
    ("rt_sigprocmask", "how set"),
    ("rtnetlink", "sockfd type …"),
    ("sched_setaffinity", "pid mask"),
    ("sched_setattr", "pid attr"),
    ("seccomp", "operation flags args"),
    ("sendfile", "out_fd in_fd"),
    ("sendmsg", "sockfd msg descriptors"),
    ("set_mempolicy", "mode nodemask"),
    ("setdomainname", "name"),
    ("setgroups", "list"),
    ("sethostname", "name"),
    ("setns", "fd nstype"),
    ("setresgid", "rgid egid sgid"),
    ("setresuid", "ruid euid suid"),
    ("setsid", ""),
    ("setsockopt", "sockfd level optname optval"),
    ("setxattr", "path name value size flags"),
    ("signalfd4", "fd mask flags"),
    ("socket", "domain type protocol"),
    ("socketpair", "domain type"),
    ("symlinkat", "target newdirfd linkpath"),
    ("syncfs", "fd"),
    ("umask", "mask"),
    ("umount2", "target flags"),
    ("uname", ""),
    ("unlinkat", "dirfd pathname flags"),
    ("unshare", "flags"),
    ("utimensat", "dirfd pathname times flags"),
    ("waitid", "idtype id options"),
    ("write", "fd buf count"),
];

/// The arguments with their names. What the table does not know is one argument, named `?`.
pub fn named(call: &str, text: &str) -> Vec<(&'static str, Value)> {
    let pieces = split(text);
    let row = CALLS.iter().find(|row| row.0 == call);
    let names: Vec<_> = row.map_or("?", |row| row.1).split_whitespace().collect();
    if let Some(("…", fixed)) = names.split_last().map(|(last, fixed)| (*last, fixed)) {
        let (own, rest) = pieces.split_at(fixed.len().min(pieces.len()));
        let own = fixed.iter().copied().zip(own.iter().map(|piece| value(piece)));
        return own.chain([("arguments", Value::from(rest.join(" ")))]).collect();
    }
    let least = names.iter().position(|name| *name == "?").unwrap_or(names.len());
    let names: Vec<_> = names.into_iter().filter(|name| *name != "?").collect();
    if !(least..=names.len()).contains(&pieces.len()) {
        return vec![("?", text.into())];
    }
    names.into_iter().zip(pieces.iter().map(|piece| value(piece))).collect()
}

/// The names of a call's parameters, in their order.
pub fn names(call: &str) -> impl Iterator<Item = &'static str> {
    let row = CALLS.iter().find(|row| row.0 == call);
    let names = row.map_or("?", |row| row.1).split_whitespace();
    names.filter(|name| *name != "?").map(|name| if name == "…" { "arguments" } else { name })
}

/// Cuts at the commas that stand in no brackets and no quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut pieces, mut begin, mut depth) = (Vec::new(), 0, 0_u32);
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                pieces.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    if !text.is_empty() {
        pieces.push(text[begin..].trim());
    }
    pieces
}

/// A number, or text: without the quotes, and without the name that it brings itself.
pub fn value(piece: &str) -> Value {
    if let Some(inside) = piece.strip_prefix('"') {
        return unescaped(inside.strip_suffix('"').unwrap_or(inside)).into();
    }
    let is_name = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    let own = piece.split_once('=').filter(|(word, _)| is_name(word));
    let piece = own.map_or(piece, |(_, rest)| rest);
    piece.parse::<i64>().map_or_else(|_| piece.into(), Value::from)
}

/// What Rust's `{:?}` has escaped.
fn unescaped(text: &str) -> String {
    let (mut out, mut characters) = (String::new(), text.chars());
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, false) => out.push(character),
            (_, true) => match characters.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other @ ('"' | '\\' | '\'')) => out.push(other),
                Some(other) => out.extend(['\\', other]),
                None => {}
            },
        }
    }
    out
}

#[cfg(test)]
mod tests;
