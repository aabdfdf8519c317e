//! Who runs the command: `--user`, looked up in the container's own files.
//!
//! Only etc/passwd and etc/group of the root file system count, parsed here:
//! a name service of the host would answer for the wrong machine, and its
//! plug-ins would be loaded from the image (CVE-2019-14271). Both files belong
//! to the image, so they are opened by descriptor, must be regular files (a
//! fifo would hold us for ever, a device would be touched) and are read up to a
//! limit. A number is always an id, even when somebody is called `0` (CVE-2016-3697).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;

use crate::error::{Error, Result};
use crate::sys::file;

/// The largest etc/passwd or etc/group that is read, in bytes.
pub const LIMIT: usize = 4 << 20;

/// The most groups a process can have (NGROUPS_MAX of <linux/limits.h>).
const MOST_GROUPS: usize = 65536;

/// A user or a group as `--user` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A number.
    Id(u32),
    /// A name.
    Text(String),
}

/// `--user`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFlag {
    /// Before the colon.
    pub user: Name,
    /// Behind it.
    pub group: Option<Name>,
}

/// What `--user` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// All groups, the primary one first: a process without it in this list could
    /// drop it with a set-group-ID program and pass a mode that denies it (CVE-2022-36109).
    pub groups: Vec<u32>,
    /// The home directory.
    pub home: String,
}

/// The two files, as text; empty where there is none.
#[derive(Debug, Default)]
pub struct Accounts {
    /// passwd(5)
    pub passwd: String,
    /// group(5)
    pub group: String,
}

/// An id in decimal digits, below (uid_t) -1.
pub fn id(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id != u32::MAX)
}

/// `USER[:GROUP]`
pub fn user_flag(text: &str) -> std::result::Result<UserFlag, String> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    Ok(UserFlag { user: name(user)?, group: group.map(name).transpose()? })
}

fn name(text: &str) -> std::result::Result<Name, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let id = id(text).ok_or_else(|| format!("{text} is no id: they end at 4294967294"))?;
        return Ok(Name::Id(id));
    }
    // No field of passwd(5) can hold these; a signed number is a slip, not a name.
    let is_name =
        !text.is_empty() && !text.starts_with(['-', '+']) && !text.contains([':', '\n', '\0']);
    is_name
        .then(|| Name::Text(text.into()))
        .ok_or("write USER or USER:GROUP, names or numbers, e.g. 1000:1000".into())
}

impl Accounts {
    /// Reads both files of the root file system `root`.
    pub fn read(root: &Path) -> Result<Self> {
        let path = CString::new(root.as_os_str().as_encoded_bytes())
            .map_err(|_| Error::config(root.to_string_lossy(), "a path has no NUL byte"))?;
        let root = file::openat(file::HERE, &path, OFlag::O_PATH | OFlag::O_DIRECTORY, 0)?;
        let read = |name| read_in(root.as_fd(), name);
        Ok(Self { passwd: read(c"etc/passwd")?, group: read(c"etc/group")? })
    }

    /// Who `--user` is; without it root, with root's group alone.
    pub fn find(&self, flag: Option<&UserFlag>) -> Result<Identity> {
        let root = UserFlag { user: Name::Id(0), group: Some(Name::Id(0)) };
        let flag = flag.unwrap_or(&root);
        let (uid, user) = match &flag.user {
            Name::Id(uid) => (*uid, self.by_id(*uid)?),
            Name::Text(name) => {
                let user = self.by_name(name)?.ok_or_else(|| unknown("passwd", name))?;
                (user.uid, Some(user))
            }
        };
        let (gid, others) = match (&flag.group, &user) {
            (Some(group), _) => (self.group(group)?, vec![]),
            (None, Some(user)) => (user.gid, self.memberships(&user.name)?),
            // A number that passwd does not know has group 0, as in docker.
            (None, None) => (0, vec![]),
        };
        let mut groups = vec![gid];
        groups.extend(others.into_iter().filter(|other| *other != gid));
        let home = match user {
            Some(user) if user.home.starts_with('/') => user.home,
            _ if uid == 0 => "/root".into(),
            _ => "/".into(),
        };
        Ok(Identity { uid, gid, groups, home })
    }

    fn by_id(&self, uid: u32) -> Result<Option<User>> {
        let mut lines = fields(&self.passwd);
        lines
            .find(|line| line.get(2).copied().and_then(id) == Some(uid))
            .map(|line| user(&line))
            .transpose()
    }

    fn by_name(&self, name: &str) -> Result<Option<User>> {
        let mut lines = fields(&self.passwd);
        lines.find(|line| line[0] == name).map(|line| user(&line)).transpose()
    }

    /// The gid of a group.
    fn group(&self, name: &Name) -> Result<u32> {
        match name {
            Name::Id(gid) => Ok(*gid),
            Name::Text(name) => {
                let line = fields(&self.group).find(|line| line[0] == name);
                group_id(&line.ok_or_else(|| unknown("group", name))?)
            }
        }
    }

    /// The groups that name the user as a member, without repetition.
    fn memberships(&self, name: &str) -> Result<Vec<u32>> {
        let member =
            |line: &Vec<&str>| line.get(3).is_some_and(|all| all.split(',').any(|one| one == name));
        let mut groups = Vec::new();
        for line in fields(&self.group).filter(member) {
            groups.push(group_id(&line)?);
        }
        groups.sort_unstable();
        groups.dedup();
        if groups.len() >= MOST_GROUPS {
            let problem = format!(
                "{name:?} is in more than {MOST_GROUPS} groups; name one: --user {name}:GROUP"
            );
            return Err(Error::config("etc/group of the root", problem));
        }
        Ok(groups)
    }
}

/// The name of a host user: /etc/passwd of the machine itself.
pub fn login_name(passwd: &str, uid: u32) -> Option<String> {
    let mut lines = fields(passwd);
    let line = lines.find(|line| line.get(2).copied().and_then(id) == Some(uid))?;
    Some(line[0].to_owned())
}

/// A line of passwd(5).
struct User {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

/// The lines with a name, as fields; never empty ones.
fn fields(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter(|line| !line.starts_with([':', '#']));
    lines.map(|line| line.split(':').collect())
}

fn user(line: &[&str]) -> Result<User> {
    let [name, _, uid, gid, _, home, _] = line[..] else {
        return Err(malformed("passwd", line));
    };
    match (id(uid), id(gid)) {
        (Some(uid), Some(gid)) => Ok(User { name: name.into(), uid, gid, home: home.into() }),
        _ => Err(malformed("passwd", line)),
    }
}

fn group_id(line: &[&str]) -> Result<u32> {
    line.get(2).copied().and_then(id).ok_or_else(|| malformed("group", line))
}

fn malformed(file: &str, line: &[&str]) -> Error {
    let problem = format!("the line of {:?} is malformed (ids are 0 to 4294967294)", line[0]);
    Error::config(format!("etc/{file} of the root"), problem)
}

fn unknown(file: &str, name: &str) -> Error {
    let problem = format!(
        "etc/{file} of the container's root has no {name:?}; a number needs no entry, e.g. --user 1000:1000"
    );
    Error::config("--user", problem)
}

/// A file of somebody else's tree; empty where there is none.
fn read_in(root: std::os::fd::BorrowedFd, name: &CStr) -> Result<String> {
    // O_PATH touches nothing: what it is, is known before it is really opened.
    let found = match file::open_in_root(root, name, OFlag::O_PATH) {
        Err(error) if error.is(Errno::ENOENT) || error.is(Errno::ENOTDIR) => {
            return Ok(String::new());
        }
        other => other?,
    };
    read_found(&found, name)
}

/// What of such a tree was found, by `O_PATH`.
pub(super) fn read_found(found: &OwnedFd, name: &CStr) -> Result<String> {
    let stat = file::fstat(found.as_fd())?;
    let place = || format!("{} of the root", name.to_string_lossy());
    if stat.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFREG.bits() {
        return Err(Error::config(place(), "not a regular file"));
    }
    let proc = CString::new(format!("/proc/self/fd/{}", found.as_raw_fd()))
        .map_err(|_| Error::config(place(), "a path has no NUL byte"))?;
    let text = file::read_all(&file::openat(file::HERE, &proc, OFlag::O_RDONLY, 0)?, name, LIMIT);
    text.map_err(|error| match error {
        _ if error.is(Errno::EFBIG) => Error::config(
            place(),
            format!("larger than {} MiB, which no such file needs", LIMIT >> 20),
        ),
        _ if error.is(Errno::EILSEQ) => Error::config(place(), "not UTF-8 text"),
        error => error,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
        +::::::\n\
        web:x:33:33:web:/var/www:/bin/sh\n\
        1000:x:5:5:a number as a name:/five:/bin/sh\n\
        odd:x:-1:0::/:/bin/sh\n\
        big:x:4294967296:0::/:/bin/sh\n\
        short:x:7\n\
        homeless:x:8:8::relative:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:root,web\nwww:x:33:web\naudio:x:29:web,bob\n\
        wrong:x:x:carol\nstaff:x:50:bobby\n";

    fn find(text: &str) -> Result<Identity> {
        let accounts = Accounts { passwd: PASSWD.into(), group: GROUP.into() };
        accounts.find(Some(&user_flag(text).unwrap()))
    }

    #[test]
    fn names_and_numbers_are_looked_up_in_the_files_of_the_root() {
        for (text, uid, gid, groups, home) in [
            ("root", 0, 0, vec![0, 4], "/root"),
            ("web", 33, 33, vec![33, 4, 29], "/var/www"),
            ("33", 33, 33, vec![33, 4, 29], "/var/www"),
            ("web:audio", 33, 29, vec![29], "/var/www"),
            ("web:7", 33, 7, vec![7], "/var/www"),
            ("4242", 4242, 0, vec![0], "/"),
            ("4242:4242", 4242, 4242, vec![4242], "/"),
            ("homeless", 8, 8, vec![8], "/"),
            // CVE-2016-3697: never the user whose name is a number.
            ("1000", 1000, 0, vec![0], "/"),
        ] {
            let found = Identity { uid, gid, groups, home: home.into() };
            assert_eq!(find(text), Ok(found), "{text}");
        }
    }

    #[test]
    fn unknown_names_and_malformed_lines_are_errors_that_name_them() {
        for (text, problem) in [
            ("nobody", "etc/passwd of the container's root has no \"nobody\""),
            ("web:nogroup", "etc/group of the container's root has no \"nogroup\""),
            ("odd", "the line of \"odd\" is malformed"),
            ("big", "the line of \"big\" is malformed"),
            ("short", "the line of \"short\" is malformed"),
            ("web:wrong", "the line of \"wrong\" is malformed"),
        ] {
            let error = find(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn the_flag_takes_names_and_ids_that_exist() {
        for text in ["", ":", ":0", "0:", "-1", "+0", "4294967295", "4294967296", "a:b:c", "0:-1"] {
            assert!(user_flag(text).is_err(), "{text}");
        }
        assert_eq!(user_flag("4294967294").unwrap().user, Name::Id(u32::MAX - 1));
    }

    #[test]
    fn without_the_flag_it_is_root_alone() {
        let root = Accounts::default().find(None).unwrap();
        assert_eq!((root.uid, root.gid, root.groups, &*root.home), (0, 0, vec![0], "/root"));
    }

    #[test]
    fn a_root_without_the_files_has_numbers_only() {
        let root = tempfile::tempdir().unwrap();
        let accounts = Accounts::read(root.path()).unwrap();
        assert!(accounts.find(Some(&user_flag("5:6").unwrap())).is_ok());
        assert!(accounts.find(Some(&user_flag("web").unwrap())).is_err());
    }

    #[test]
    fn hostile_files_are_refused_without_reading_them_whole() {
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        let error = || Accounts::read(root.path()).unwrap_err().to_string();

        let group = std::fs::File::create(etc.join("group")).unwrap();
        group.set_len(1 << 30).unwrap();
        assert_eq!(error(), "etc/group of the root: larger than 4 MiB, which no such file needs");

        std::fs::write(etc.join("passwd"), b"\xff").unwrap();
        assert_eq!(error(), "etc/passwd of the root: not UTF-8 text");

        std::fs::remove_file(etc.join("passwd")).unwrap();
        nix::unistd::mkfifo(&etc.join("passwd"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(error(), "etc/passwd of the root: not a regular file");
    }

    #[test]
    fn a_link_to_an_absolute_path_stays_inside_the_root() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("inside"), "me:x:5:5::/:\n").unwrap();
        symlink("/inside", root.path().join("etc/passwd")).unwrap();
        symlink("/etc/group", root.path().join("etc/group")).unwrap_or(());
        let passwd = || Accounts::read(root.path()).map(|accounts| accounts.passwd);
        // etc/group is a link to itself here: ELOOP, never the host's own file.
        assert!(passwd().is_err());
        std::fs::remove_file(root.path().join("etc/group")).unwrap();
        assert_eq!(passwd().unwrap(), "me:x:5:5::/:\n");
    }
}
