//! process.rlimits (getrlimit(2)).

use nix::sys::resource::Resource;
use oci_spec::runtime::{PosixRlimit, PosixRlimitType as Type};

use super::Rlimit;
use crate::error::{Error, Result};

/// The sixteen resources.
const RESOURCES: [(Type, &str, Resource); 16] = [
    (Type::RlimitAs, "RLIMIT_AS", Resource::RLIMIT_AS),
    (Type::RlimitCore, "RLIMIT_CORE", Resource::RLIMIT_CORE),
    (Type::RlimitCpu, "RLIMIT_CPU", Resource::RLIMIT_CPU),
    (Type::RlimitData, "RLIMIT_DATA", Resource::RLIMIT_DATA),
    (Type::RlimitFsize, "RLIMIT_FSIZE", Resource::RLIMIT_FSIZE),
    (Type::RlimitLocks, "RLIMIT_LOCKS", Resource::RLIMIT_LOCKS),
    (Type::RlimitMemlock, "RLIMIT_MEMLOCK", Resource::RLIMIT_MEMLOCK),
    (Type::RlimitMsgqueue, "RLIMIT_MSGQUEUE", Resource::RLIMIT_MSGQUEUE),
    (Type::RlimitNice, "RLIMIT_NICE", Resource::RLIMIT_NICE),
    (Type::RlimitNofile, "RLIMIT_NOFILE", Resource::RLIMIT_NOFILE),
    (Type::RlimitNproc, "RLIMIT_NPROC", Resource::RLIMIT_NPROC),
    (Type::RlimitRss, "RLIMIT_RSS", Resource::RLIMIT_RSS),
    (Type::RlimitRtprio, "RLIMIT_RTPRIO", Resource::RLIMIT_RTPRIO),
    (Type::RlimitRttime, "RLIMIT_RTTIME", Resource::RLIMIT_RTTIME),
    (Type::RlimitSigpending, "RLIMIT_SIGPENDING", Resource::RLIMIT_SIGPENDING),
    (Type::RlimitStack, "RLIMIT_STACK", Resource::RLIMIT_STACK),
];

/// Reads the list; a resource named twice is an error.
pub(super) fn rlimits(given: Option<&Vec<PosixRlimit>>) -> Result<Vec<Rlimit>> {
    let mut rlimits: Vec<Rlimit> = Vec::new();
    for (at, limit) in given.into_iter().flatten().enumerate() {
        let property = format!("process.rlimits[{at}]");
        let Some((_, name, resource)) = RESOURCES.iter().find(|(kind, ..)| *kind == limit.typ())
        else {
            return Err(Error::config(format!("{property}.type"), "is not a resource"));
        };
        if rlimits.iter().any(|known| known.name == *name) {
            return Err(Error::config(
                format!("{property}.type"),
                format!("{name} is given twice"),
            ));
        }
        if limit.soft() > limit.hard() {
            let problem = format!("{} is above hard, {}", limit.soft(), limit.hard());
            return Err(Error::config(format!("{property}.soft"), problem));
        }
        rlimits.push(Rlimit {
            name,
            resource: *resource as u32,
            soft: limit.soft(),
            hard: limit.hard(),
        });
    }
    Ok(rlimits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(limits: serde_json::Value) -> Result<Vec<Rlimit>> {
        let given: Vec<PosixRlimit> = serde_json::from_value(limits).unwrap();
        rlimits(Some(&given))
    }

    #[test]
    fn every_resource_of_the_man_page_has_the_kernels_number() {
        // <asm-generic/resource.h>
        let numbers = [
            "CPU",
            "FSIZE",
            "DATA",
            "STACK",
            "CORE",
            "RSS",
            "NPROC",
            "NOFILE",
            "MEMLOCK",
            "AS",
            "LOCKS",
            "SIGPENDING",
            "MSGQUEUE",
            "NICE",
            "RTPRIO",
            "RTTIME",
        ];
        for (number, name) in (0..).zip(numbers) {
            let name = format!("RLIMIT_{name}");
            let found = read(json!([{"type": name, "soft": 1, "hard": u64::MAX}])).unwrap();
            assert_eq!((found[0].name, found[0].resource), (&*name, number));
            assert_eq!((found[0].soft, found[0].hard), (1, u64::MAX));
        }
    }

    #[test]
    fn a_resource_given_twice_and_a_soft_limit_above_the_hard_one_are_refused() {
        let cpu = json!({"type": "RLIMIT_CPU", "soft": 1, "hard": 1});
        let error = read(json!([cpu, cpu])).unwrap_err().to_string();
        assert_eq!(error, "process.rlimits[1].type: RLIMIT_CPU is given twice");
        let error = read(json!([{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}])).unwrap_err();
        assert_eq!(error.to_string(), "process.rlimits[0].soft: 2 is above hard, 1");
    }
}
