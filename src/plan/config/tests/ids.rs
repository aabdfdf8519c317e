//! Ids and versions.

use super::super::{Property, check_id, check_version};
use crate::error::Result;

fn version_of(text: &str, warnings: &mut Vec<String>) -> Result<()> {
    check_version(&Property::new("ociVersion", &text.into()), warnings)
}

#[test]
fn ids_stay_inside_the_state_directory() {
    let long = "a".repeat(1024);
    for id in ["a", "A_b+c.d-e", "...", "-x", "0", &long] {
        assert!(check_id(id).is_ok(), "{id}");
    }
    let too_long = "a".repeat(1025);
    for id in ["", ".", "..", "a/b", "/", "a b", "ä", "a\0", "a\n", "a:b", &too_long] {
        assert!(check_id(id).is_err(), "{id:?}");
    }
}

#[test]
fn versions_are_semantic_ones_of_major_one() {
    for version in ["1.0.0", "1.0.2-dev", "1.3.0", "1.2.1+dev", "1.0.0-rc.1+a.b-c", "1.9.0"] {
        assert!(version_of(version, &mut Vec::new()).is_ok(), "{version}");
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
        assert!(version_of(version, &mut Vec::new()).is_err(), "{version}");
    }
}

#[test]
fn a_newer_minor_version_is_a_warning() {
    let mut warnings = Vec::new();
    version_of("1.3.9", &mut warnings).unwrap();
    assert!(warnings.is_empty());
    version_of("1.4.0", &mut warnings).unwrap();
    assert_eq!(warnings, ["ociVersion: 1.4.0 is newer than 1.3"]);
}
