//! What usually keeps a member from being placed, and the command that confirms it.

use nix::errno::Errno;

use crate::error::Error;

/// Errno, cause, check.
#[rustfmt::skip]
const ADVICE: &[(Errno, &str, &str)] = &[
    (Errno::ENOSPC, "the file system of the target is full, or has no inodes left", "df -h the target; df -i the target"),
    (Errno::EDQUOT, "this user has used up her share of the file system", "quota; df -h the target"),
    (Errno::EROFS, "the target is on a read-only file system", "findmnt -T the target"),
    (Errno::EFBIG, "the file is longer than this file system, or RLIMIT_FSIZE, allows", "ulimit -f; stat -f the target"),
    (Errno::ENAMETOOLONG, "a part of the name is longer than 255 bytes", "tar -tf FILE | awk 'length > 255'"),
    (Errno::ELOOP, "the directories of the name lead through links in a circle", "tar -tvf FILE | grep -e '->'"),
    (Errno::ENOTDIR, "what would be its directory is a file in the archive", "tar -tvf FILE"),
    (Errno::ENOENT, "it is a hard link to what is not in the archive before it", "tar -tvf FILE | grep 'link to'"),
    (Errno::EPERM, "the file system, or an attribute of the directory, forbids it", "lsattr -d the target; findmnt -T the target"),
    (Errno::EACCES, "the target, or a directory above it, is not yours to write", "ls -ld the target; id"),
    (Errno::EOVERFLOW, "the owner has no number in this user namespace", "cat /proc/self/uid_map"),
    (Errno::EIO, "the disk fails", "dmesg | tail"),
];

/// The error with its likely cause, where that is known.
pub fn explained(error: &Error) -> String {
    let row = ADVICE.iter().find(|row| error.is(row.0));
    let more = row.map(|(_, cause, check)| format!("\n  likely: {cause}\n  check:  {check}"));
    format!("{error}{}", more.unwrap_or_default())
}
