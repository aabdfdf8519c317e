//! `--ulimit`: limits of the process itself (setrlimit(2)).

use oci_spec::runtime::{PosixRlimit, PosixRlimitBuilder, PosixRlimitType};

use super::quantity;
use crate::error::Result;

/// One `--ulimit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UlimitFlag {
    kind: PosixRlimitType,
    soft: u64,
    hard: u64,
}

/// RLIM_INFINITY of <sys/resource.h>.
const INFINITY: u64 = u64::MAX;

/// The names of getrlimit(2), without RLIMIT_.
const NAMES: &[(&str, PosixRlimitType)] = &[
    ("as", PosixRlimitType::RlimitAs),
    ("core", PosixRlimitType::RlimitCore),
    ("cpu", PosixRlimitType::RlimitCpu),
    ("data", PosixRlimitType::RlimitData),
    ("fsize", PosixRlimitType::RlimitFsize),
    ("locks", PosixRlimitType::RlimitLocks),
    ("memlock", PosixRlimitType::RlimitMemlock),
    ("msgqueue", PosixRlimitType::RlimitMsgqueue),
    ("nice", PosixRlimitType::RlimitNice),
    ("nofile", PosixRlimitType::RlimitNofile),
    ("nproc", PosixRlimitType::RlimitNproc),
    ("rss", PosixRlimitType::RlimitRss),
    ("rtprio", PosixRlimitType::RlimitRtprio),
    ("rttime", PosixRlimitType::RlimitRttime),
    ("sigpending", PosixRlimitType::RlimitSigpending),
    ("stack", PosixRlimitType::RlimitStack),
];

/// `NAME=SOFT[:HARD]`; one number is both. Units are those of setrlimit(2).
pub fn ulimit(text: &str) -> std::result::Result<UlimitFlag, String> {
    let (name, values) =
        text.split_once('=').ok_or("write NAME=SOFT[:HARD], e.g. nofile=1024:2048")?;
    let Some((_, kind)) = NAMES.iter().find(|(known, _)| *known == name) else {
        let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        return Err(format!("no limit is called {name:?}; there are {}", names.join(" ")));
    };
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let (soft, hard) = (value(soft)?, value(hard)?);
    if soft > hard {
        return Err("the soft limit (the first number) is above the hard limit".into());
    }
    Ok(UlimitFlag { kind: *kind, soft, hard })
}

fn value(text: &str) -> std::result::Result<u64, String> {
    match quantity::limit(text, quantity::number)? {
        quantity::Limit::Unlimited => Ok(INFINITY),
        quantity::Limit::At(number) => Ok(number),
    }
}

/// process.rlimits. The specification forbids one name twice; the last flag wins, as in docker.
pub(super) fn rlimits(flags: &[UlimitFlag]) -> Result<Option<Vec<PosixRlimit>>> {
    let mut limits: Vec<PosixRlimit> = Vec::new();
    for flag in flags {
        let limit = PosixRlimitBuilder::default().typ(flag.kind);
        let limit = limit
            .soft(flag.soft)
            .hard(flag.hard)
            .build()
            .map_err(|error| super::incomplete(&error))?;
        limits.retain(|other| other.typ() != flag.kind);
        limits.push(limit);
    }
    Ok((!limits.is_empty()).then_some(limits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_is_both_limits_and_two_are_soft_and_hard() {
        for (text, soft, hard) in [
            ("nofile=1024", 1024, 1024),
            ("nofile=1024:2048", 1024, 2048),
            ("core=0:unlimited", 0, INFINITY),
            ("memlock=unlimited", INFINITY, INFINITY),
        ] {
            let flag = ulimit(text).unwrap();
            assert_eq!((flag.soft, flag.hard), (soft, hard), "{text}");
        }
    }

    #[test]
    fn a_wrong_limit_says_what_would_be_right() {
        for (text, problem) in [
            ("nofile", "NAME=SOFT"),
            ("files=1", "nofile"),
            ("NOFILE=1", "nofile"),
            ("nofile=", "not a whole number"),
            ("nofile=1:2:3", "not a whole number"),
            ("nofile=-1", "write unlimited"),
            ("nofile=1k", "not a whole number"),
            ("nofile=2048:1024", "above the hard limit"),
            ("nofile=unlimited:5", "above the hard limit"),
            ("nofile=18446744073709551616", "too large"),
        ] {
            let error = ulimit(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn every_kind_of_the_specification_has_its_name() {
        for (name, kind) in NAMES {
            assert_eq!(kind.to_string(), format!("RLIMIT_{}", name.to_uppercase()));
        }
    }
}
