//! A tree as text: what is there, and whether it is as it was.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Everything below `root`, in order, directories before what they hold.
fn walk(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut to_do) = (Vec::new(), vec![root.to_owned()]);
    while let Some(dir) = to_do.pop() {
        for entry in fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a type").is_dir() {
                to_do.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// A line for each entry: kind, mode, owner (for root), time, name, and what it holds. Names that
/// share an inode say so; implicit directories have the time of now, shown as `now`.
pub fn listing(root: &Path, owners: bool) -> Vec<String> {
    let mut inodes: Vec<(u64, String)> = Vec::new();
    let mut lines = Vec::new();
    for path in walk(root) {
        let data = fs::symlink_metadata(&path).expect("metadata");
        let name = path.strip_prefix(root).expect("below").as_os_str().as_bytes();
        let name: String =
            name.iter().flat_map(|byte| byte.escape_ascii()).map(char::from).collect();
        if let Some((_, first)) = inodes.iter().find(|(inode, _)| *inode == data.ino()) {
            lines.push(format!("= {name} {first}"));
            continue;
        }
        inodes.push((data.ino(), name.clone()));
        let time = match (data.mtime(), data.mtime_nsec()) {
            (seconds, _) if seconds > 1_600_000_000 => "now".into(),
            (seconds, 0) => seconds.to_string(),
            (seconds, part) => format!("{seconds}+{part}"),
        };
        let owner = if owners { format!(" {}:{}", data.uid(), data.gid()) } else { String::new() };
        let mode = data.mode() & 0o7777;
        let (kind, what) = match data.mode() & 0o170_000 {
            0o040_000 => ('d', String::new()),
            0o120_000 => {
                ('l', fs::read_link(&path).expect("a link").to_string_lossy().into_owned())
            }
            0o010_000 => ('p', String::new()),
            0o020_000 => ('c', device(data.rdev())),
            0o060_000 => ('b', device(data.rdev())),
            _ => ('f', content(&path, &data)),
        };
        let mode = if kind == 'l' { String::new() } else { format!(" {mode:o}") };
        let line = format!("{kind}{mode}{owner} {time} {name} {what}");
        lines.push(line.trim_end().to_owned());
    }
    lines
}

fn device(number: u64) -> String {
    format!("{}:{}", nix::sys::stat::major(number), nix::sys::stat::minor(number))
}

/// Short text as it is; else the length, and whether it has holes.
fn content(path: &Path, data: &fs::Metadata) -> String {
    let holes = if data.blocks() * 512 < data.len() { " with holes" } else { "" };
    match fs::read(path) {
        Ok(text) if text.len() < 60 && text.is_ascii() => {
            String::from_utf8_lossy(&text).into_owned()
        }
        _ => format!("{} bytes{holes}", data.len()),
    }
}

/// Everything that would tell of a touch: inode, times of change, content, attributes.
pub fn fingerprint(root: &Path) -> Vec<String> {
    let mut paths = walk(root);
    paths.push(root.to_owned());
    let line = |path: PathBuf| {
        let data = fs::symlink_metadata(&path).expect("metadata");
        let content = if data.is_file() { fs::read(&path).ok() } else { None };
        let link = fs::read_link(&path).ok();
        let (changed, modified) =
            ((data.ctime(), data.ctime_nsec()), (data.mtime(), data.mtime_nsec()));
        let what = (data.ino(), data.mode(), data.uid(), data.gid(), data.nlink(), data.size());
        format!("{} {what:?} {changed:?} {modified:?} {content:?} {link:?}", path.display())
    };
    paths.into_iter().map(line).collect()
}

/// An extended attribute of the entry itself.
#[allow(unsafe_code)]
pub fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let path = CString::new(path.as_os_str().as_bytes()).expect("a path");
    let name = CString::new(name).expect("a name");
    let mut value = vec![0_u8; 4096];
    // SAFETY: both strings end with NUL, and the buffer is valid for its length.
    let length = unsafe {
        libc::lgetxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len())
    };
    value.truncate(usize::try_from(length).ok()?);
    Some(value)
}
