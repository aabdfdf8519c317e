//! linux.intelRdt: which group of resctrl the container is in, and what the group may use.
//!
//! What a line of `schemata` means only the kernel knows, and it differs from processor to
//! processor: here it is only made sure that a line is one line, and a name no path.

use super::property::Property;
use crate::error::Result;

/// A group of resctrl.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IntelRdt {
    /// `closID`: its name, or `/`, the root; none: it has the container's id, and is its own.
    pub name: Option<String>,
    /// `l3CacheSchema` and `memBwSchema`, a line each: what a group that exists must have already.
    pub schema: String,
    /// `schemata`, a line each: what is written last, into whichever group it is.
    pub schemata: String,
    /// `enableMonitoring`: a group in the group that counts for this container alone.
    pub monitored: bool,
}

/// In the root of resctrl, and no groups.
const NO_GROUPS: [&str; 5] = [".", "..", "info", "mon_data", "mon_groups"];

/// Reads it. An empty text is an absent one: engines write it so.
pub(super) fn group(given: &Property, warnings: &mut Vec<String>) -> Result<IntelRdt> {
    let text = |name| given.get::<String>(name).map(Option::unwrap_or_default);
    let (cache, memory, name) = (text("l3CacheSchema")?, text("memBwSchema")?, text("closID")?);
    let (at_cache, at_memory) = (given.at("l3CacheSchema")?, given.at("memBwSchema")?);
    let is_odd = !cache.is_empty() && (!cache.starts_with("L3:") || cache.contains('\n'));
    let problem = "should be one line that starts with L3:; it is written as it is";
    warnings.extend(is_odd.then(|| at_cache.warning(problem)));
    at_memory.ensure(memory.is_empty() || memory.starts_with("MB:"), "does not start with MB:")?;
    let is_name = name == "/" || !name.contains('/') && !NO_GROUPS.contains(&&*name);
    let problem = format!("{name:?} is no name of a group, nor `/`, which is the root of resctrl");
    given.at("closID")?.ensure(is_name && !name.contains(char::is_control), problem)?;
    for name in ["enableCMT", "enableMBM"] {
        if given.get(name)? == Some(true) {
            warnings.push(given.at(name)?.warning("is ignored: enableMonitoring has its place"));
        }
    }
    // The one of memBwSchema takes the place of such a line, or there would be two.
    let is_kept = |line: &&str| memory.is_empty() || !line.starts_with("MB:");
    let lines = cache.lines().filter(is_kept).map(|text| line(&at_cache, text));
    let memory = Some(&*memory).filter(|memory| !memory.is_empty());
    Ok(IntelRdt {
        schema: lines.chain(memory.map(|text| line(&at_memory, text))).collect::<Result<_>>()?,
        schemata: given.each("schemata", |given| line(given, &given.read::<String>()?))?.concat(),
        monitored: given.get("enableMonitoring")?.unwrap_or(false),
        name: Some(name).filter(|name| !name.is_empty()),
    })
}

/// As the kernel wants it, with its end.
fn line(given: &Property, text: &str) -> Result<String> {
    given.ensure(!text.contains(char::is_control), "has a newline or another control character")?;
    Ok(format!("{text}\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(given: &Value) -> (IntelRdt, Vec<String>) {
        let mut warnings = Vec::new();
        let found = group(&Property::new("linux.intelRdt", given), &mut warnings).unwrap();
        (found, warnings)
    }

    #[test]
    fn each_property_becomes_a_line_in_the_order_in_which_they_are_written() {
        let (found, warnings) = read(&json!({
            "closID": "gold",
            "l3CacheSchema": "L3:0=7f0;1=1f",
            "memBwSchema": "MB:0=20;1=70",
            "schemata": ["L3:0=f", "L2:0=f"],
            "enableMonitoring": true,
        }));
        assert_eq!(warnings, [""; 0]);
        assert_eq!(found.schema, "L3:0=7f0;1=1f\nMB:0=20;1=70\n");
        assert_eq!(found.schemata, "L3:0=f\nL2:0=f\n");
        assert_eq!((found.name.as_deref(), found.monitored), (Some("gold"), true));
    }

    #[test]
    fn what_is_absent_or_empty_asks_for_nothing() {
        let empty = json!({"closID": "", "l3CacheSchema": "", "memBwSchema": "", "schemata": []});
        for given in [json!({}), empty, json!({"closID": null, "enableMonitoring": false})] {
            assert_eq!(read(&given), (IntelRdt::default(), vec![]), "{given}");
        }
        assert_eq!(read(&json!({"closID": "/"})).0.name.as_deref(), Some("/"));
    }

    #[test]
    fn what_should_not_be_is_warned_of_and_what_is_gone_is_ignored() {
        let (found, warnings) = read(&json!({
            "l3CacheSchema": "L3:0=f\nMB:0=10\nL2:0=1", "enableCMT": true, "enableMBM": false,
        }));
        assert_eq!(found.schema, "L3:0=f\nMB:0=10\nL2:0=1\n");
        let begins =
            ["linux.intelRdt.l3CacheSchema: should", "linux.intelRdt.enableCMT: is ignored"];
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        for (warning, begin) in warnings.iter().zip(begins) {
            assert!(warning.starts_with(begin), "{warning}");
        }
        // The line of memBwSchema takes the place of one that should not be there.
        let both = json!({"l3CacheSchema": "L3:0=f\nMB:0=10", "memBwSchema": "MB:0=20"});
        assert_eq!(read(&both).0.schema, "L3:0=f\nMB:0=20\n");
    }
}
