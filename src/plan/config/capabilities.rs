//! The five capability sets of process.capabilities (capabilities(7)).
//!
//! Here, and only here, the specification wants a warning where everything
//! else is an error: a capability that has no name in this kernel interface, or
//! that cannot be granted, is left out. What is left out is always a privilege
//! less. An absent object means five empty sets, as in runc and crun.

use caps::Capability;

use super::property::Property;
use crate::error::Result;
use crate::plan::{Capabilities, Plan};

/// The sets as masks, each cut down to what the kernel would grant.
pub(super) fn capabilities(given: &Property, warnings: &mut Vec<String>) -> Result<Capabilities> {
    let bounding = mask(given, "bounding", warnings)?;
    let permitted = mask(given, "permitted", warnings)?;
    let mut within = |set: &str, limit: u64, why: &str| -> Result<u64> {
        let wanted = mask(given, set, warnings)?;
        if wanted & !limit != 0 {
            let left_out = names_of(wanted & !limit);
            warnings.push(given.at(set)?.warning(format!("without {left_out}: {why}")));
        }
        Ok(wanted & limit)
    };
    // capset(2) answers EPERM to each of the first two, PR_CAP_AMBIENT_RAISE to the third.
    let inheritable = within("inheritable", bounding, "not in bounding")?;
    let effective = within("effective", permitted, "not in permitted")?;
    let limit = permitted & inheritable;
    let ambient = within("ambient", limit, "not in permitted and inheritable")?;
    Ok(Capabilities { bounding, effective, permitted, inheritable, ambient })
}

fn mask(given: &Property, set: &str, warnings: &mut Vec<String>) -> Result<u64> {
    let list = given.at(set)?;
    let bits = given.each(set, |name| {
        let name: String = name.read()?;
        let bit = name.parse::<Capability>().map(|capability| capability.bitmask());
        Ok(bit.unwrap_or_else(|_| {
            warnings.push(list.warning(format!("there is no capability {name:?}")));
            0
        }))
    })?;
    Ok(bits.into_iter().fold(0, |mask, bit| mask | bit))
}

/// The names of a set; a number where nobody here knows the name.
pub fn names_of(mask: u64) -> String {
    let known = |bit: u8| caps::all().into_iter().find(|known| known.index() == bit);
    let name = |bit| known(bit).map_or_else(|| bit.to_string(), |known| known.to_string());
    let names: Vec<_> = (0..64).filter(|bit| mask >> bit & 1 == 1).map(name).collect();
    if names.is_empty() { "nothing".into() } else { names.join(" ") }
}

impl Plan {
    /// Cuts all sets down to `available`, what jec has to give here, as a mask.
    /// Without that the kernel would refuse, and the specification wants a warning.
    pub fn grant_at_most(&mut self, available: u64) {
        let sets = &mut self.process.capabilities;
        let Capabilities { bounding, effective, permitted, inheritable, ambient } = sets;
        let mut left_out = 0;
        for set in [bounding, effective, permitted, inheritable, ambient] {
            left_out |= *set & !available;
            *set &= available;
        }
        if left_out != 0 {
            let names = names_of(left_out);
            let warning =
                format!("process.capabilities: without {names}: jec has none to give here");
            self.warnings.push(warning);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const CHOWN: u64 = 1;
    const KILL: u64 = 1 << 5;

    fn read(sets: &Value) -> (Capabilities, Vec<String>) {
        let mut warnings = Vec::new();
        let given = Property::new("process.capabilities", sets);
        (capabilities(&given, &mut warnings).unwrap(), warnings)
    }

    #[test]
    fn absent_means_five_empty_sets() {
        assert_eq!(read(&Value::Null).0, Capabilities::default());
        assert_eq!(read(&json!({})).0, Capabilities::default());
    }

    #[test]
    fn every_name_of_the_kernel_has_a_bit() {
        let names: Vec<String> = caps::all().iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), 41);
        let (found, warnings) = read(&json!({"bounding": names}));
        assert_eq!(found.bounding, (1 << 41) - 1);
        assert!(warnings.is_empty());
    }

    #[test]
    fn unknown_names_are_left_out_with_a_warning() {
        let (found, warnings) = read(&json!({"bounding": ["CAP_CHOWN", "CAP_NEW", "chown"]}));
        assert_eq!(found.bounding, CHOWN);
        assert_eq!(
            warnings,
            [
                "process.capabilities.bounding: there is no capability \"CAP_NEW\"",
                "process.capabilities.bounding: there is no capability \"chown\"",
            ]
        );
    }

    #[test]
    fn what_the_kernel_would_refuse_is_left_out_with_a_warning() {
        let cases = [
            (
                json!({"permitted": ["CAP_CHOWN"], "effective": ["CAP_CHOWN", "CAP_KILL"]}),
                "effective: without CAP_KILL: not in permitted",
            ),
            (
                json!({"bounding": ["CAP_CHOWN"], "inheritable": ["CAP_KILL"]}),
                "inheritable: without CAP_KILL: not in bounding",
            ),
            (
                json!({"permitted": ["CAP_KILL"], "ambient": ["CAP_KILL", "CAP_CHOWN"]}),
                "ambient: without CAP_CHOWN CAP_KILL: not in permitted and inheritable",
            ),
        ];
        for (sets, message) in cases {
            let (found, warnings) = read(&sets);
            assert_eq!(warnings, [format!("process.capabilities.{message}")]);
            assert_eq!((found.effective & KILL, found.inheritable, found.ambient), (0, 0, 0));
        }
    }

    #[test]
    fn what_jec_does_not_have_itself_is_left_out_of_every_set_with_one_warning() {
        let mut plan = Plan::nothing("c");
        let asked = CHOWN | KILL;
        plan.process.capabilities =
            Capabilities { bounding: asked, effective: asked, permitted: asked, ..<_>::default() };
        plan.grant_at_most(KILL | 1 << 40);
        let found = plan.process.capabilities;
        assert_eq!((found.bounding, found.effective, found.permitted), (KILL, KILL, KILL));
        let warning = "process.capabilities: without CAP_CHOWN: jec has none to give here";
        assert_eq!(plan.warnings, [warning]);
    }

    #[test]
    fn ambient_within_permitted_and_inheritable_is_kept() {
        let set = ["CAP_KILL"];
        let (found, warnings) = read(&json!({
            "bounding": set, "permitted": set, "effective": set, "inheritable": set, "ambient": set
        }));
        assert_eq!(found.ambient, KILL);
        assert!(warnings.is_empty());
    }
}
