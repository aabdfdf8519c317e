//! What has been placed, held against the limits, and what was left out.

use super::member::{self, Kind, Member, wrong};
use crate::error::{Result, ensure};
use crate::images::{Limits, Report};

/// What a member was left out for, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// mknod(2) takes root of the machine.
    Device,
    /// The user namespace has no such id.
    Owner,
    /// It speaks to this machine's overlayfs or security module.
    OfThisMachine,
    /// The kernel, or the file system, refuses the attribute.
    Attribute,
    /// Access control lists as text.
    Acl,
    /// The member that a hard link names was left out.
    Link,
}

impl Left {
    fn text(self) -> &'static str {
        match self {
            Self::Device => "devices, which only root of the machine can make",
            Self::Owner => "owners that /etc/subuid and /etc/subgid lend no id for: root's instead",
            Self::OfThisMachine => {
                "attributes that would speak to this machine (trusted.*, security.*, *.overlay.*)"
            }
            Self::Attribute => "attributes that this user, or the file system, cannot set",
            Self::Acl => "access control lists, which jec does not read as text",
            Self::Link => "hard links to what was left out",
        }
    }
}

/// How many names a line of the report has.
const NAMES: usize = 3;

/// Counts.
pub struct Meter {
    limits: Limits,
    members: u64,
    bytes: u64,
    left: Vec<(Left, u64, Vec<String>)>,
}

impl Meter {
    /// Nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, members: 0, bytes: 0, left: Vec::new() }
    }

    /// One more member is about to be placed.
    pub fn count(&mut self, member: &Member) -> Result<()> {
        self.members += 1;
        let (limits, size) = (&self.limits, member.size);
        ensure(self.members <= limits.members, || {
            wrong(format!("has more than {} members", limits.members))
        })?;
        self.bytes = self.bytes.saturating_add(size);
        let holes = match &member.kind {
            Kind::File(Some(holes)) => holes.length,
            _ => 0,
        };
        let much = || {
            let problem =
                "the archive is longer than the {} bytes that it may have; --max-size SIZE";
            wrong(problem.replace("{}", &limits.bytes.to_string()) + " sets another limit")
        };
        ensure(self.bytes <= limits.bytes && holes <= limits.bytes, much)
    }

    /// Something was left out of this member.
    pub fn left(&mut self, kind: Left, name: &[u8]) {
        let at = self.left.iter().position(|(known, ..)| *known == kind);
        let at = at.unwrap_or_else(|| {
            self.left.push((kind, 0, Vec::new()));
            self.left.len() - 1
        });
        let (_, count, names) = &mut self.left[at];
        *count += 1;
        if names.len() < NAMES {
            names.push(member::shown(name));
        }
    }

    /// Whether anything was left out for this reason.
    pub fn has_left(&self, kind: Left) -> bool {
        self.left.iter().any(|(known, ..)| *known == kind)
    }

    /// The end.
    pub fn report(self) -> Report {
        let line = |(kind, count, names): (Left, u64, Vec<String>)| {
            let more = if count > NAMES as u64 { ", …" } else { "" };
            format!("left out {count}: {} ({}{more})", kind.text(), names.join(", "))
        };
        let skipped = self.left.into_iter().map(line).collect();
        Report { members: self.members, bytes: self.bytes, skipped }
    }
}
