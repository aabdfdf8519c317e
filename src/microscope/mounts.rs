//! The mounts of a process, from mountinfo (proc_pid_mountinfo(5)).
//!
//! A mount's key is the place where it is mounted, so that the copy of a tree, which a new mount
//! namespace begins with, does not differ from the original; of several on one place, the later
//! ones have a number. Its value: type, source, the directory of the file system that is mounted,
//! options, peer groups, options of the file system. Numbers of devices and mounts are left out.

use super::facts::Facts;
use super::names::Names;

/// Adds one fact for each mount.
pub fn add(mountinfo: &str, names: &mut Names, facts: &mut Facts) {
    for line in mountinfo.lines() {
        let Some((place, value)) = mount(line, names) else {
            continue;
        };
        let place = names.of_text(place);
        let key = |count: usize| match count {
            1 => format!("mount.{place}"),
            _ => format!("mount.{place}#{count}"),
        };
        let free = (1..=facts.len() + 1).map(key).find(|key| !facts.contains_key(key));
        facts.extend(free.map(|key| (key, value)));
    }
}

fn mount<'a>(line: &'a str, names: &mut Names) -> Option<(&'a str, String)> {
    let (here, system) = line.split_once(" - ")?;
    let fields: Vec<_> = here.split(' ').collect();
    let [_, _, _, root, place, options, tags @ ..] = &fields[..] else {
        return None;
    };
    let (mut system, root) = (system.splitn(3, ' '), names.of_link(root));
    let (kind, source, rest) = (system.next()?, system.next()?, system.next()?);
    let tags: String = tags.iter().map(|tag| names.of_peers(tag) + " ").collect();
    Some((place, format!("{kind} {source} {root} {options} {tags}{rest}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_known_by_its_place_and_has_no_number_of_its_own() {
        let (mut names, mut facts) = (Names::default(), Facts::new());
        let text = "\
36 35 98:0 / / rw,noatime shared:812 - ext3 /dev/root rw,errors=continue
37 36 0:5 / /proc rw,nosuid shared:813 master:9 - proc proc rw
38 37 0:6 / /proc ro - tmpfs tmpfs ro
39 36 0:4 net:[4026532211] /run/netns/a rw shared:814 - nsfs nsfs rw
";
        add(text, &mut names, &mut facts);
        let facts: Vec<_> =
            facts.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
        assert_eq!(
            facts,
            [
                "mount./: ext3 /dev/root / rw,noatime shared:1 rw,errors=continue",
                "mount./proc: proc proc / rw,nosuid shared:2 master:3 rw",
                "mount./proc#2: tmpfs tmpfs / ro ro",
                "mount./run/netns/a: nsfs nsfs net:1 rw shared:4 rw",
            ]
        );
    }
}
