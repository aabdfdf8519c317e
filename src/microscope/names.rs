//! Names that do not change from run to run.
//!
//! A process, a namespace, a socket has a number that is another one the next time. In a trace
//! each has a name instead: a process what it is (`runtime`, `middle`, `init`), all others their
//! kind and a count, in the order in which they come up. So two traces can be compared.

use std::collections::HashMap;

/// The names that were given so far.
#[derive(Debug, Default)]
pub struct Names {
    processes: Vec<(i32, String)>,
    numbered: HashMap<(String, String), usize>,
    counts: HashMap<String, usize>,
    /// Numbers stay as they are.
    raw: bool,
}

impl Names {
    /// For a look at one moment, in which a number tells more than a count.
    pub fn raw() -> Self {
        Self { raw: true, ..Self::default() }
    }

    /// This process is called so.
    pub fn process(&mut self, pid: i32, name: &str) {
        self.processes.push((pid, name.into()));
    }

    /// One that has no part of its own: `fork 1`.
    pub fn further(&mut self, pid: i32, kind: &str) -> String {
        let name = format!("{kind} {}", self.count(kind, &pid.to_string()));
        self.process(pid, &name);
        name
    }

    /// What this number is called, if it is a process's. The last one that had it.
    pub fn of_process(&self, pid: &str) -> Option<&str> {
        let number = pid.parse::<i32>().ok()?;
        self.processes.iter().rev().find(|known| known.0 == number).map(|known| &*known.1)
    }

    fn count(&mut self, kind: &str, number: &str) -> usize {
        if self.raw {
            return number.parse().unwrap_or_default();
        }
        let last = self.counts.entry(kind.into()).or_default();
        *self.numbered.entry((kind.into(), number.into())).or_insert_with(|| {
            *last += 1;
            *last
        })
    }

    /// `mnt:[4026531841]`, as links of /proc have it, becomes `mnt:1`.
    pub fn of_link(&mut self, link: &str) -> String {
        let parts = link.strip_suffix(']').and_then(|link| link.split_once(":["));
        match parts {
            Some((kind, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                format!("{kind}:{}", self.count(kind, number))
            }
            _ => self.of_text(link),
        }
    }

    /// A peer group of mountinfo, `shared:12`.
    pub fn of_peers(&mut self, tag: &str) -> String {
        match tag.split_once(':') {
            Some((word, number)) => format!("{word}:{}", self.count("peers", number)),
            None => tag.into(),
        }
    }

    /// Text with the numbers of processes in it, where it is certain that they are: at the
    /// beginning of a path, behind `"pid":`, and in the name of a container that has no other.
    pub fn of_text(&self, text: &str) -> String {
        let mut out = text.to_owned();
        if let Some((number, rest)) = text.split_once('/')
            && let Some(name) = self.of_process(number)
        {
            out = format!("{name}/{rest}");
        }
        for (pid, name) in &self.processes {
            out = replaced(&out, &format!("\"pid\":{pid}"), &format!("\"pid\":{name}"));
            if name == "runtime" {
                out = replaced(&out, &format!("jec-{pid}"), "jec-runtime");
            }
        }
        out
    }
}

/// Every `from` that no digit follows.
fn replaced(text: &str, from: &str, to: &str) -> String {
    let mut pieces = text.split(from);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let goes_on = piece.starts_with(|c: char| c.is_ascii_digit());
        out.push_str(if goes_on { from } else { to });
        out.push_str(piece);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_names_where_they_are_numbers_of_processes() {
        let mut names = Names::default();
        names.process(7, "runtime");
        names.process(12, "init");
        for (text, expected) in [
            ("12/stat", "init/stat"),
            ("12", "12"),
            ("/12/stat", "/12/stat"),
            ("{\"pid\":12,\"a\":12}", "{\"pid\":init,\"a\":12}"),
            ("{\"pid\":123}", "{\"pid\":123}"),
            ("/run/jec/jec-7/x jec-77", "/run/jec/jec-runtime/x jec-77"),
        ] {
            assert_eq!(names.of_text(text), expected);
        }
        assert_eq!(names.of_process("12"), Some("init"));
        assert_eq!(names.further(30, "fork"), "fork 1");
    }

    #[test]
    fn links_are_counted_by_kind() {
        let mut names = Names::default();
        for (link, expected) in [
            ("mnt:[40]", "mnt:1"),
            ("net:[40]", "net:1"),
            ("mnt:[41]", "mnt:2"),
            ("mnt:[40]", "mnt:1"),
            ("anon_inode:[pidfd]", "anon_inode:[pidfd]"),
            ("/dev/null", "/dev/null"),
        ] {
            assert_eq!(names.of_link(link), expected);
        }
        assert_eq!(names.of_peers("shared:9"), "shared:1");
        assert_eq!(names.of_peers("master:9"), "master:1");
    }
}
