//! Root file systems from archives and images.
//!
//! Nothing of this runs when a container starts: it makes the trees that containers start from.
//! An archive is written by somebody else, so that [`unpack()`] trusts no name in it: everything is
//! placed by descriptor, inside the target.

pub mod bar;
pub mod blobs;
pub mod changes;
pub mod choose;
pub mod commit;
pub mod derived;
pub mod digest;
pub mod image;
pub mod import;
pub mod mapped;
pub mod merged;
pub mod partial;
#[cfg(feature = "pull")]
pub mod pull;
pub mod read;
pub mod remove;
mod several;
pub mod source;
pub mod store;
pub mod tree;
pub mod unpack;

pub use mapped::as_mapped_root;
pub use unpack::unpack;

use serde::{Deserialize, Serialize};

/// How an archive is unpacked.
#[derive(Clone, Copy)]
pub struct How<'a> {
    /// Whose the files are.
    pub ids: Ids,
    /// What `.wh.NAME` means.
    pub whiteouts: Whiteouts,
    /// Where it ends.
    pub limits: Limits,
    /// Is told how many bytes of the stream have been read, now and then.
    pub progress: Option<&'a (dyn Fn(u64) + Sync)>,
}

/// Whose the files are that come out of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ids {
    /// Those that the archive names: takes root, or [`as_mapped_root`].
    Keep,
    /// Ours, whatever the archive says: an ordinary user cannot give files away.
    OwnOnly,
}

/// What a member named `.wh.NAME` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whiteouts {
    /// A plain file of that name.
    No,
    /// The layer hides NAME of the layers below it: what overlayfs has for this.
    Overlay {
        /// `user.overlay.opaque` instead of `trusted.overlay.opaque`: for mounts in a user namespace.
        user_xattr: bool,
    },
}

/// Where an archive has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files together, and of the longest one with its holes.
    pub bytes: u64,
    /// Members.
    pub members: u64,
    /// Directories, one in the other.
    pub depth: usize,
    /// Bytes of a name, all directories included.
    pub name: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 256 << 30, members: 10_000_000, depth: 256, name: 4095 }
    }
}

/// What came out of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Members placed.
    pub members: u64,
    /// Bytes of files written.
    pub bytes: u64,
    /// What this user, or this file system, could not make, and why: a line for each kind.
    pub skipped: Vec<String>,
}
