//! Processors and memory nodes: lists of numbers such as `0-3,8` (cpuset(7), "List format").

use std::collections::BTreeSet;

use nix::sched::CpuSet;

use super::property::Property;
use crate::error::Result;
use crate::plan::Plan;

/// What sched_setaffinity(2) is asked for, and more nodes than any machine has.
const LIMIT: usize = 1024;

/// set_mempolicy(2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// The mode, and flags.
    pub mode: u32,
    /// A bit for each node of memory.
    pub nodes: [u64; 16],
}

/// Processors, for sched_setaffinity(2).
#[derive(Debug, Clone, Copy)]
pub struct Processors {
    /// Where jec is while it makes the process; none: where it is already.
    pub first: Option<CpuSet>,
    /// Where the process is.
    pub last: CpuSet,
}

impl Plan {
    /// The processors of a further process; a container's first one has those of its cgroup.
    pub fn processors(&self) -> Option<&Processors> {
        self.joins.as_ref().and(self.process.processors.as_ref())
    }
}

/// The numbers of such a list; none where it is something else, or has one of `limit` or more.
pub fn list(text: &str, limit: usize) -> Option<BTreeSet<usize>> {
    let parts = text.split(',').map(str::trim).filter(|_| !text.trim().is_empty());
    let ranges = parts.map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last && last < limit).then_some(first..=last)
    });
    Some(ranges.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The numbers of a list; an empty one has none.
fn numbers(given: &Property) -> Result<BTreeSet<usize>> {
    let text: String = given.read()?;
    let problem = || format!("{text:?} is not a list such as 0-3,8, of numbers below {LIMIT}");
    list(&text, LIMIT).ok_or_else(|| given.wrong(problem()))
}

/// process.execCPUAffinity. Without `final`, all that the cgroup has.
pub(super) fn processors(given: &Property) -> Result<Processors> {
    let set = |name| -> Result<Option<CpuSet>> {
        let numbers = given.optional(name, numbers)?.unwrap_or_default();
        let mut set = CpuSet::new();
        let problem = |error| given.wrong(format!("{name}: {error}"));
        numbers.iter().try_for_each(|number| set.set(*number)).map_err(problem)?;
        Ok(Some(set).filter(|_| !numbers.is_empty()))
    };
    let mut all = CpuSet::new();
    let fits = |number: &usize| all.set(*number).is_ok();
    (0..CpuSet::count()).take_while(fits).for_each(drop);
    Ok(Processors { first: set("initial")?, last: set("final")?.unwrap_or(all) })
}

/// The modes of set_mempolicy(2), in the order of their numbers (<linux/mempolicy.h>).
pub const MODES: &str = "MPOL_DEFAULT MPOL_PREFERRED MPOL_BIND MPOL_INTERLEAVE MPOL_LOCAL \
    MPOL_PREFERRED_MANY MPOL_WEIGHTED_INTERLEAVE";

/// Its flags, in the order of their bits, of which the first is the 13th.
pub const FLAGS: &str = "MPOL_F_NUMA_BALANCING MPOL_F_RELATIVE_NODES MPOL_F_STATIC_NODES";

/// linux.memoryPolicy. Which flags go with which mode only the kernel knows.
pub(super) fn memory_policy(given: &Property) -> Result<MemoryPolicy> {
    let mode = given.at("mode")?.position(MODES)?;
    let flags = given.bits("flags", FLAGS)? << 13;
    let numbers = given.optional("nodes", numbers)?.unwrap_or_default();
    // MPOL_PREFERRED may have some.
    let (has_some, has_none) = (!numbers.is_empty(), [0, 4].contains(&mode));
    let at_nodes = given.at("nodes")?;
    at_nodes.ensure(!(has_none && has_some), "this mode takes no nodes")?;
    at_nodes.ensure(has_none || mode == 1 || has_some, "this mode needs at least one")?;
    let mut nodes = [0; LIMIT / 64];
    for number in numbers {
        nodes[number / 64] |= 1 << (number % 64);
    }
    Ok(MemoryPolicy { mode: mode | flags, nodes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn policy(given: &Value) -> Result<MemoryPolicy> {
        memory_policy(&Property::new("linux.memoryPolicy", given))
    }

    #[test]
    fn lists_are_read_as_the_kernel_writes_them() {
        for (text, expected) in [
            ("", &[][..]),
            (" ", &[]),
            ("0", &[0]),
            ("0-3,7", &[0, 1, 2, 3, 7]),
            ("2, 1", &[2, 1]),
            ("1023", &[1023]),
        ] {
            assert_eq!(
                numbers(&Property::new("x", &json!(text))).unwrap(),
                expected.iter().copied().collect(),
                "{text:?}"
            );
        }
        for text in
            ["a", "1024", "3-1", "1-", "-1", ",", "0,,1", "0-1-2", "0:1", "99999999999999999999"]
        {
            let error = numbers(&Property::new("x", &json!(text))).unwrap_err().to_string();
            assert!(error.starts_with("x: ") && error.contains("is not a list"), "{error}");
        }
    }

    #[test]
    fn processors_without_an_end_are_all() {
        let given = json!({"initial": "1"});
        let found = processors(&Property::new("p", &given)).unwrap();
        let first = found.first.unwrap();
        assert!(first.is_set(1).unwrap() && !first.is_set(0).unwrap());
        assert!((0..CpuSet::count()).all(|number| found.last.is_set(number).unwrap()));
    }

    #[test]
    fn a_memory_policy_has_the_numbers_of_the_kernel() {
        let given = json!({"mode": "MPOL_BIND", "nodes": "0,65", "flags": ["MPOL_F_STATIC_NODES"]});
        let found = policy(&given).unwrap();
        assert_eq!(found.mode, 2 | 1 << 15);
        assert_eq!(found.nodes[..3], [1, 2, 0]);
        assert_eq!(policy(&json!({"mode": "MPOL_DEFAULT"})).unwrap().mode, 0);
        assert_eq!(policy(&json!({"mode": "MPOL_PREFERRED"})).unwrap().mode, 1);
        let weighted = json!({"mode": "MPOL_WEIGHTED_INTERLEAVE", "nodes": "0"});
        assert_eq!(policy(&weighted).unwrap().mode, 6);
    }
}
