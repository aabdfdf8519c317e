//! `--sysctl` and `--time-offset`.

use std::collections::HashMap;

use oci_spec::runtime::LinuxTimeOffset;

use super::quantity::{decimal, number};
use crate::error::{Error, Result};

/// One `--time-offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOffset {
    clock: &'static str,
    seconds: i64,
    nanoseconds: u32,
}

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// `CLOCK=SECONDS`. Only these two clocks can be moved (time_namespaces(7)).
pub fn time_offset(text: &str) -> std::result::Result<TimeOffset, String> {
    let (clock, seconds) = text.split_once('=').unwrap_or((text, ""));
    let clock = match clock {
        "monotonic" => "monotonic",
        "boottime" => "boottime",
        "realtime" => {
            return Err(
                "the kernel has no offset for the time of day: monotonic or boottime".into()
            );
        }
        _ => return Err("write monotonic=SECONDS or boottime=SECONDS".into()),
    };
    let wrong = "not a number of seconds: e.g. 3600 or -1.5";
    let (sign, digits) = seconds.strip_prefix('-').map_or((1, seconds), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let whole = number(whole).ok().and_then(|whole| i64::try_from(whole).ok()).ok_or(wrong)?;
    let part = decimal(&format!("0.{fraction}"), 9).filter(|part| *part < SECOND).ok_or(wrong)?;
    // The kernel wants nanoseconds that are not negative: -1.5 is -2 and half a second.
    let (seconds, nanoseconds) = match (sign, part) {
        (1, part) => (whole, part),
        (_, 0) => (-whole, 0),
        (_, part) => (-whole - 1, SECOND - part),
    };
    Ok(TimeOffset { clock, seconds, nanoseconds: u32::try_from(nanoseconds).map_err(|_| wrong)? })
}

/// linux.timeOffsets; none: no time namespace.
pub(super) fn time_offsets(flags: &[TimeOffset]) -> Option<HashMap<String, LinuxTimeOffset>> {
    let pair = |flag: &TimeOffset| {
        let mut offset = LinuxTimeOffset::default();
        offset.set_secs(Some(flag.seconds)).set_nanosecs(Some(flag.nanoseconds));
        (flag.clock.to_owned(), offset)
    };
    (!flags.is_empty()).then(|| flags.iter().map(pair).collect())
}

/// `NAME=VALUE`. Which names belong to the container is the plan's business.
pub fn sysctl(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or("write NAME=VALUE, e.g. net.ipv4.ip_forward=1")?;
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    if name.is_empty() || !name.bytes().all(letter) || name.contains("..") {
        return Err(format!(
            "{name:?} is not the name of a kernel parameter: e.g. net.ipv4.ip_forward"
        ));
    }
    Ok((name.into(), value.into()))
}

/// linux.sysctl; a name given twice with two values is a mistake that a map would hide.
pub(super) fn sysctls(flags: &[(String, String)]) -> Result<Option<HashMap<String, String>>> {
    let mut all = HashMap::new();
    for (name, value) in flags {
        let before = all.insert(name.clone(), value.clone());
        if before.is_some_and(|before| before != *value) {
            return Err(Error::config(format!("--sysctl {name}"), "given twice, with two values"));
        }
    }
    Ok((!all.is_empty()).then_some(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_have_nanoseconds_that_are_never_negative() {
        for (text, clock, seconds, nanoseconds) in [
            ("monotonic=3600", "monotonic", 3600, 0),
            ("boottime=-5", "boottime", -5, 0),
            ("boottime=1.5", "boottime", 1, 500_000_000),
            ("boottime=-1.5", "boottime", -2, 500_000_000),
            ("monotonic=-0.000000001", "monotonic", -1, 999_999_999),
        ] {
            let offset = TimeOffset { clock, seconds, nanoseconds };
            assert_eq!(time_offset(text), Ok(offset), "{text}");
        }
    }

    #[test]
    fn a_wrong_offset_says_what_would_be_right() {
        for (text, problem) in [
            ("3600", "monotonic=SECONDS"),
            ("realtime=5", "time of day"),
            ("monotonic=", "not a number of seconds"),
            ("monotonic=--1", "not a number of seconds"),
            ("monotonic=1h", "not a number of seconds"),
            ("monotonic=1.", "not a number of seconds"),
            ("monotonic=1.0000000001", "not a number of seconds"),
            ("monotonic=9223372036854775808", "not a number of seconds"),
        ] {
            let error = time_offset(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn a_sysctl_is_a_name_and_a_value() {
        assert_eq!(sysctl("kernel.msgmax=8192"), Ok(("kernel.msgmax".into(), "8192".into())));
        assert_eq!(sysctl("net.x=a=b"), Ok(("net.x".into(), "a=b".into())));
        for text in ["", "net.x", "=1", "../x=1", "net x=1", "kernel..shm=1"] {
            assert!(sysctl(text).is_err(), "{text}");
        }
    }

    #[test]
    fn one_sysctl_with_two_values_is_refused() {
        let pair = |value: &str| ("net.x".to_owned(), value.to_owned());
        assert!(sysctls(&[pair("1"), pair("1")]).is_ok());
        let error = sysctls(&[pair("1"), pair("2")]).unwrap_err();
        assert_eq!(error.to_string(), "--sysctl net.x: given twice, with two values");
    }
}
