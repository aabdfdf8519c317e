//! The three processes, and what has changed of each since somebody looked.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Eye, Facts};
use super::names::Names;

/// The processes that are looked at.
pub struct States {
    pub eye: Eye,
    watched: Vec<Watched>,
    /// What was seen last, by name.
    seen: BTreeMap<String, Facts>,
}

struct Watched {
    pid: i32,
    name: String,
    /// Whose copy it is, until that has been told.
    from: Option<String>,
}

/// What has changed of one process.
pub struct Change {
    pub of: String,
    pub from: Option<String>,
    pub changed: Vec<Difference>,
}

/// A key, what it was, what it is.
pub type Difference = (String, Option<String>, Option<String>);

impl States {
    /// Nobody is looked at yet.
    pub fn new(eye: Eye) -> Self {
        Self { eye, watched: Vec::new(), seen: BTreeMap::new() }
    }

    /// From now on this process, too. It is a copy of the one named `from`.
    pub fn add(&mut self, pid: i32, name: &str, from: Option<&str>) {
        // The work of the middle is done, and when exactly it ends is nobody's choice.
        self.watched.retain(|other| (&*other.name, name) != ("middle", "init"));
        self.watched.push(Watched { pid, name: name.into(), from: from.map(str::to_owned) });
    }

    /// What has changed since the last look. Who has ended is not looked at any more.
    pub fn look(&mut self, names: &mut Names) -> Vec<Change> {
        let (mut changes, mut left) = (Vec::new(), Vec::new());
        for mut watched in std::mem::take(&mut self.watched) {
            let Some(facts) = self.eye.facts(watched.pid, names) else {
                continue;
            };
            // Since execve, it has the name of the program.
            if watched.name == "init" && !facts["name"].starts_with("jec:[") {
                (watched.name, watched.from) = ("program".into(), Some("init".into()));
            }
            let from = watched.from.take();
            let was = self.seen.get(from.as_ref().unwrap_or(&watched.name));
            let changed = differences(was.unwrap_or(&Facts::new()), &facts);
            if !changed.is_empty() || from.is_some() {
                changes.push(Change { of: watched.name.clone(), from, changed });
            }
            self.seen.insert(watched.name.clone(), facts);
            left.push(watched);
        }
        self.watched = left;
        changes
    }
}

/// The keys whose values are not the same.
pub fn differences(was: &Facts, is: &Facts) -> Vec<Difference> {
    let keys: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let both = keys.into_iter().map(|key| (key.clone(), was.get(key), is.get(key)));
    let differ = both.filter(|(_, was, is)| was != is);
    differ.map(|(key, was, is)| (key, was.cloned(), is.cloned())).collect()
}
