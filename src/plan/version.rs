//! ociVersion.

use crate::error::{Error, Result};

/// The newest version whose properties are known here.
const VERSION: (u64, u64) = (1, 3);

/// Within a major version everything stays compatible; a newer minor one may have properties
/// that are unknown here, and unknown ones have to be ignored.
pub(super) fn check(version: &str, warnings: &mut Vec<String>) -> Result<()> {
    let Some((major, minor)) = semantic_version(version) else {
        let problem = format!("{version:?} is not a version as semver.org defines it");
        return Err(Error::config("ociVersion", problem));
    };
    if major != VERSION.0 {
        let problem = format!("{version} is incompatible with {}.x", VERSION.0);
        return Err(Error::config("ociVersion", problem));
    }
    if minor > VERSION.1 {
        let (major, minor) = VERSION;
        warnings.push(format!("ociVersion: {version} is newer than {major}.{minor}"));
    }
    Ok(())
}

/// Major and minor number of MAJOR.MINOR.PATCH[-PRE][+BUILD] (SemVer 2.0.0).
fn semantic_version(version: &str) -> Option<(u64, u64)> {
    let (version, build) = version.split_once('+').unwrap_or((version, "0"));
    let (version, pre) = version.split_once('-').unwrap_or((version, "0"));
    let identifier = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let zero_led = |part: &str| part.len() > 1 && part.starts_with('0');
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !build.split('.').all(identifier)
        || !pre.split('.').all(|part| identifier(part) && !(digits(part) && zero_led(part)))
    {
        return None;
    }
    let number = |part: &str| {
        let plain = digits(part) && !zero_led(part);
        plain.then(|| part.parse::<u64>().ok()).flatten()
    };
    let numbers: Vec<Option<u64>> = version.split('.').map(number).collect();
    match numbers[..] {
        [Some(major), Some(minor), Some(_)] => Some((major, minor)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semantic_ones_of_major_one() {
        for version in ["1.0.0", "1.0.2-dev", "1.3.0", "1.2.1+dev", "1.0.0-rc.1+a.b-c", "1.9.0"] {
            assert!(check(version, &mut Vec::new()).is_ok(), "{version}");
        }
        let bad = [
            "",
            "1",
            "1.0",
            "1.0.0.0",
            "v1.0.0",
            "01.0.0",
            "1.0.0-",
            "1.0.0+",
            "1.0.0-a..b",
            "1.0.0-01",
            "1.-1.0",
            "1.0.0 ",
            "0.1.0",
            "2.0.0",
            "99999999999999999999.0.0",
            "1.0.x",
        ];
        for version in bad {
            assert!(check(version, &mut Vec::new()).is_err(), "{version}");
        }
    }

    #[test]
    fn a_newer_minor_version_is_a_warning() {
        let mut warnings = Vec::new();
        check("1.3.9", &mut warnings).unwrap();
        assert!(warnings.is_empty());
        check("1.4.0", &mut warnings).unwrap();
        assert_eq!(warnings, ["ociVersion: 1.4.0 is newer than 1.3"]);
    }
}
