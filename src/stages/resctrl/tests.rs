//! The groups, on a plain directory with files of ours in the place of resctrl.
//!
//! What is tested is jec's part alone: which files it writes, in which order and with which text,
//! what it compares, makes and removes. Which lines the kernel takes, what it says of others, and
//! that a process is in a group then, only a machine with resctrl shows: tests/stage_resctrl.rs
//! asks it where there is one.

use std::fs;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::rc::Rc;

use tempfile::TempDir;

use super::*;
use crate::state::States;

/// What the kernel writes: padded names, masks with zeros, all domains.
const KERNEL: &str = "    MB:0=100;1= 30\n    L3:0=00ff;1=7ff\n";

struct Plain {
    temporary: TempDir,
    root: OwnedFd,
}

impl Plain {
    /// A directory with a group, `group`, and the step of the bandwidth.
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let at = temporary.path();
        for directory in ["info/MB", "info/L3", "group/mon_groups", "mon_groups"] {
            fs::create_dir_all(at.join(directory)).unwrap();
        }
        for (file, text) in [
            ("info/MB/bandwidth_gran", "10\n"),
            ("info/last_cmd_status", "mask f0f has non-consecutive 1-bits\n"),
            ("group/schemata", KERNEL),
            ("schemata", KERNEL),
        ] {
            fs::write(at.join(file), text).unwrap();
        }
        let root = fs::File::open(at).unwrap().into();
        Self { temporary, root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temporary.path().join(name)
    }

    /// A pipe in the place of a file: it keeps each write, in their order.
    fn pipe(&self, name: &str) -> fs::File {
        let path = self.path(name);
        fs::remove_file(&path).ok();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let how = nix::fcntl::OFlag::O_NONBLOCK.bits();
        fs::OpenOptions::new().read(true).write(true).custom_flags(how).open(path).unwrap()
    }
}

fn written(pipe: &mut fs::File) -> String {
    let mut page = [0; 4096];
    let count = pipe.read(&mut page).unwrap_or(0);
    String::from_utf8(page[..count].to_vec()).unwrap()
}

fn wanted(name: Option<&str>, schema: &str, schemata: &str) -> IntelRdt {
    let [schema, schemata] = [schema, schemata].map(str::to_owned);
    IntelRdt { name: name.map(str::to_owned), schema, schemata, monitored: false }
}

#[test]
fn the_names_of_the_groups_are_those_of_the_configuration_or_the_id() {
    let plain = wanted(None, "", "");
    assert_eq!(groups(&plain, "id"), ["id"]);
    assert_eq!(groups(&wanted(Some("gold"), "", ""), "id"), ["gold"]);
    let counted = |name| IntelRdt { monitored: true, ..wanted(name, "", "") };
    assert_eq!(groups(&counted(None), "id"), ["id", "id/mon_groups/id"]);
    assert_eq!(groups(&counted(Some("gold")), "id"), ["gold", "gold/mon_groups/id"]);
    assert_eq!(groups(&counted(Some("/")), "id"), [".", "./mon_groups/id"]);
}

#[test]
fn the_mount_is_found_in_mountinfo_by_its_type_and_not_by_its_name() {
    let line = |root: &str, place: &str, kind: &str| {
        place_of(&format!("36 35 0:40 {root} {place} rw,nosuid shared:8 - {kind} none rw"))
    };
    assert_eq!(line("/", "/sys/fs/resctrl", "resctrl").as_deref(), Some("/sys/fs/resctrl"));
    assert_eq!(line("/", "/a\\040b", "resctrl").as_deref(), Some("/a b"));
    assert_eq!(line("/", "/sys/fs/resctrl", "tmpfs"), None);
    // A group of it, mounted elsewhere, is not the root.
    assert_eq!(line("/gold", "/mnt", "resctrl"), None);
    assert_eq!(place_of(""), None);
}

fn place_of(line: &str) -> Option<String> {
    place(line)
}

#[test]
fn lines_are_compared_by_resource_and_domain_in_a_plain_directory() {
    let plain = Plain::new();
    for line in [
        "",
        "L3:0=ff",
        "L3:1=7ff;0=ff",
        "L3: 0 = 0xFF ;",
        "MB:0=100",
        // 21 to 30 are 30 to the kernel.
        "MB:1=30",
        "MB:1=21",
        "MB:0=95;1=30\nL3:0=ff",
    ] {
        assert_eq!(check(&plain.root, "group", line), Ok(()), "{line}");
        assert_eq!(check(&plain.root, ".", line), Ok(()), "{line}");
    }
    for line in
        ["L3:0=fe", "L3:2=ff", "L3:0", "L3:0=x", "MB:1=20", "MB:1=31", "L2:0=f", "L3:0=ff\nL3:1=f"]
    {
        let error = check(&plain.root, "group", line).unwrap_err().to_string();
        assert!(error.starts_with("linux.intelRdt: the group \"group\" has \""), "{line}: {error}");
        let last = line.lines().last().unwrap();
        assert!(error.ends_with(&format!("and not {last:?}")), "{line}: {error}");
    }
}

#[test]
fn a_group_is_missing_refused_or_as_described_in_a_plain_directory() {
    let plain = Plain::new();
    let missing = |name, schema, schemata, control| {
        is_missing(&plain.root, &wanted(name, schema, schemata), control)
            .map_err(|error| error.to_string())
    };
    // Without closID it is the container's own, whatever it may use.
    assert_eq!(missing(None, "", "", "id"), Ok(true));
    assert!(missing(None, "L3:0=ff\n", "", "group").unwrap_err().contains("not this container's"));
    // With it, it is made where it is described, and has to be there where it is not.
    assert_eq!(missing(Some("new"), "L3:0=ff\n", "", "new"), Ok(true));
    assert_eq!(missing(Some("new"), "", "L3:0=ff\n", "new"), Ok(true));
    assert!(missing(Some("new"), "", "", "new").unwrap_err().contains("does not exist"));
    assert_eq!(missing(Some("group"), "", "", "group"), Ok(false));
    // l3CacheSchema and memBwSchema have to be as they are; schemata are written.
    assert_eq!(missing(Some("group"), "L3:0=ff\nMB:1=30\n", "", "group"), Ok(false));
    assert!(missing(Some("group"), "L3:0=f\n", "", "group").unwrap_err().contains("and not"));
    assert_eq!(missing(Some("group"), "", "L3:0=f\n", "group"), Ok(false));
    assert_eq!(missing(Some("/"), "", "", "."), Ok(false));
}

#[test]
fn schemata_are_written_last_and_by_themselves_into_a_plain_directory() {
    let plain = Plain::new();
    let path = plain.path("group/schemata");
    // A plain file has what was written last on top of what was there: so the first line counts.
    limit(&plain.root, "group", ["L3:0=ff\nMB:0=100\n", ""]).unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with("L3:0=ff\nMB:0=100\n"));
    limit(&plain.root, "group", ["L3:0=ff\n", "L3:0=0f\n"]).unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with("L3:0=0f\n"));
    // Nothing is written where nothing is asked for.
    fs::remove_file(&path).unwrap();
    limit(&plain.root, "group", ["", ""]).unwrap();
    assert!(!path.exists());
    // A file that says something else than what was written into it: /dev/full's brother.
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    let error = limit(&plain.root, "group", ["L3:0=ff\n", ""]).unwrap_err().to_string();
    assert!(error.contains("has \"\", and not \"L3:0=ff\""), "{error}");
}

#[test]
fn the_number_of_the_process_goes_to_both_groups_of_a_plain_directory_the_outer_one_first() {
    let plain = Plain::new();
    fs::create_dir(plain.path("group/mon_groups/id")).unwrap();
    let mut tasks = plain.pipe("group/tasks");
    let both = ["group".to_owned(), "group/mon_groups/id".to_owned()];
    // The inner one has no such file yet: by then the outer one has the number.
    let error = join(&plain.root, &both, 4711).unwrap_err().to_string();
    assert_eq!(written(&mut tasks), "4711");
    assert!(error.contains("group/mon_groups/id/tasks") && error.contains("ENOENT"), "{error}");
    let mut inner = plain.pipe("group/mon_groups/id/tasks");
    join(&plain.root, &both, 4712).unwrap();
    assert_eq!((written(&mut tasks), written(&mut inner)), ("4712".into(), "4712".into()));
}

#[test]
fn an_error_has_the_last_words_of_a_plain_directory_as_it_would_have_the_kernels() {
    let plain = Plain::new();
    let error = make(&plain.root, "group").unwrap_err().to_string();
    assert!(error.contains("EEXIST") && error.contains("[mask f0f has non-"), "{error}");
    fs::remove_file(plain.path("info/last_cmd_status")).unwrap();
    let error = make(&plain.root, "group").unwrap_err().to_string();
    assert!(error.contains("EEXIST") && !error.contains('['), "{error}");
}

#[test]
fn what_was_made_in_a_plain_directory_is_removed_and_the_rest_stays() {
    let plain = Plain::new();
    let made = ["new".to_owned(), "new/mon_groups/id".to_owned()];
    make(&plain.root, "new").unwrap();
    // The kernel makes this one along with the group, and removes it so.
    fs::create_dir(plain.path("new/mon_groups")).unwrap();
    make(&plain.root, "new/mon_groups/id").unwrap();
    remove_all(&plain.root, &made[1..]).unwrap();
    assert!(!plain.path("new/mon_groups/id").exists() && plain.path("new").exists());
    fs::remove_dir(plain.path("new/mon_groups")).unwrap();
    // Once more, and with what is gone already.
    remove_all(&plain.root, &made).unwrap();
    assert!(!plain.path("new").exists() && plain.path("group/schemata").exists());
    remove_all(&plain.root, &made).unwrap();
}

#[test]
fn a_group_is_written_down_before_it_is_made() {
    let temporary = tempfile::tempdir().unwrap();
    let proc = Rc::new(OwnedFd::from(fs::File::open("/proc").unwrap()));
    let states = States::open(Some(temporary.path()), proc.clone()).unwrap();
    let mut container = states.create(&Plan::nothing("id"), None, None).unwrap();
    container.intend("id").unwrap();
    container.intend("id/mon_groups/id").unwrap();
    let found = states.find("id").unwrap();
    assert_eq!(found.intent.groups, ["id", "id/mon_groups/id"]);
    assert!(!found.intent.boot.is_empty());
}
