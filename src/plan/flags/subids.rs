//! /etc/subuid and /etc/subgid: the ids that a user may give to her containers (subuid(5)).

use crate::error::{Error, Result};

/// A range of ids of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub first: u32,
    /// How many, at least one.
    pub count: u32,
}

/// The ranges that `text` (of the file `name`) gives to any of `owners`: login
/// names, or ids in decimal. A line of somebody else is not judged, but one of
/// ours that is wrong is an error: half a map would be found out much later.
pub fn ranges(name: &str, text: &str, owners: &[&str]) -> Result<Vec<Range>> {
    let mut found: Vec<Range> = Vec::new();
    for (number, line) in (1_u64..).zip(text.lines()) {
        let Some((owner, range)) = line.split_once(':') else {
            continue;
        };
        if !owners.contains(&owner) {
            continue;
        }
        let place = || format!("{name} line {number} ({line:?})");
        let problem =
            "expected OWNER:FIRST:COUNT with ids below 4294967295, e.g. alice:100000:65536";
        let range = parse(range).ok_or_else(|| Error::config(place(), problem))?;
        if found.contains(&range) {
            continue;
        }
        // Two container ids for one host id: the kernel refuses such a map.
        if found.iter().any(|other| overlap(*other, range)) {
            return Err(Error::config(place(), "overlaps an earlier line of the same owner"));
        }
        found.push(range);
    }
    Ok(found)
}

/// `FIRST:COUNT`; ids end at 4294967294, since (uid_t) -1 means "no change" to setresuid(2).
fn parse(text: &str) -> Option<Range> {
    let (first, count) = text.split_once(':')?;
    let (first, count) = (super::user::id(first)?, super::user::id(count)?);
    (count > 0 && first.checked_add(count).is_some()).then_some(Range { first, count })
}

fn overlap(a: Range, b: Range) -> bool {
    a.first < b.first + b.count && b.first < a.first + a.count
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "alice:100000:65536\n1000:300000:10\n# a comment\nbob:5:x\nalice:200000:5\n";

    fn pairs(text: &str, owners: &[&str]) -> Result<Vec<(u32, u32)>> {
        let found = ranges("/etc/subuid", text, owners)?;
        Ok(found.iter().map(|range| (range.first, range.count)).collect())
    }

    #[test]
    fn ranges_are_found_by_name_and_by_id_in_the_order_of_the_file() {
        assert_eq!(pairs(FILE, &["alice"]), Ok(vec![(100_000, 65536), (200_000, 5)]));
        let both = vec![(100_000, 65536), (300_000, 10), (200_000, 5)];
        assert_eq!(pairs(FILE, &["1000", "alice"]), Ok(both));
        assert_eq!(pairs(FILE, &["carol"]), Ok(vec![]));
        assert_eq!(pairs("", &["alice"]), Ok(vec![]));
    }

    #[test]
    fn the_same_line_twice_is_one_range() {
        assert_eq!(pairs("a:1:2\na:1:2\n", &["a"]), Ok(vec![(1, 2)]));
    }

    #[test]
    fn a_wrong_line_of_the_owner_is_an_error_that_names_it() {
        for line in [
            "bob:",
            "bob:5",
            "bob:5:x",
            "bob:5:0",
            "bob:-1:5",
            "bob:+1:5",
            "bob: 1:5",
            "bob:1:5:9",
            "bob:4294967295:1",
            "bob:4294967290:6",
            "bob:0:4294967296",
            "bob:99999999999:1",
        ] {
            let error = pairs(&format!("x:1:1\n{line}"), &["bob"]).unwrap_err().to_string();
            assert!(error.starts_with("/etc/subuid line 2 (\"bob:"), "{line}: {error}");
            assert!(error.contains("OWNER:FIRST:COUNT"), "{line}: {error}");
        }
        assert_eq!(pairs("bob:4294967290:5", &["bob"]), Ok(vec![(4_294_967_290, 5)]));
    }

    #[test]
    fn ranges_of_one_owner_must_not_overlap() {
        let error = pairs("a:10:10\na:19:1\n", &["a"]).unwrap_err();
        assert!(error.to_string().contains("overlaps"));
        assert!(pairs("a:10:10\na:20:1\n", &["a"]).is_ok());
        assert!(pairs("a:10:10\nb:10:10\n", &["a"]).is_ok());
    }
}
