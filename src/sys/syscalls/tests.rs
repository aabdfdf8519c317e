use super::*;
use std::collections::BTreeMap;

/// `#define __NR_name number` lines of a header; none where the machine has no headers.
fn header(path: &str) -> Option<BTreeMap<String, u32>> {
    let text = std::fs::read_to_string(path).ok()?;
    let define = |line: &str| {
        let (name, number) = line.strip_prefix("#define __NR_")?.split_once(' ')?;
        Some((name.to_string(), number.trim().parse().ok()?))
    };
    Some(text.lines().filter_map(define).collect())
}

fn agrees(abi: &Abi, path: &str, at_least: usize) {
    let ours: BTreeMap<_, _> = abi.calls().collect();
    let Some(theirs) = header(path) else {
        println!("skipped: no {path} on this machine");
        return;
    };
    let shared = theirs.iter().filter(|(name, number)| {
        let found = ours.get(name.as_str());
        assert!(found.is_none_or(|found| found == *number), "{name} is {number}");
        found.is_some()
    });
    assert!(shared.count() >= at_least);
}

#[test]
fn x86_64_agrees_with_the_header_of_the_machine() {
    agrees(&X86_64, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", 360);
}

#[test]
fn i386_agrees_with_the_header_of_the_machine() {
    agrees(&I386, "/usr/include/x86_64-linux-gnu/asm/unistd_32.h", 430);
}

#[test]
fn aarch64_agrees_with_the_generic_header() {
    agrees(&AARCH64, "/usr/include/asm-generic/unistd.h", 280);
}

#[test]
fn no_name_and_no_number_comes_twice() {
    for abi in [&X86_64, &I386, &AARCH64] {
        let names: BTreeMap<_, _> = abi.calls().collect();
        let numbers: BTreeMap<_, _> = abi.calls().map(|(name, number)| (number, name)).collect();
        assert_eq!(names.len(), abi.calls().count());
        assert_eq!(numbers.len(), abi.calls().count());
    }
}

#[test]
fn the_newest_call_is_in_its_place() {
    for abi in [&X86_64, &I386, &AARCH64] {
        assert_eq!(abi.calls().last(), Some(("file_setattr", 469)));
    }
}

#[test]
fn the_native_numbers_are_those_of_libc() {
    let ours: BTreeMap<_, _> = NATIVE.calls().map(|(name, n)| (name, i64::from(n))).collect();
    assert_eq!(ours["seccomp"], libc::SYS_seccomp);
    assert_eq!(ours["clone3"], libc::SYS_clone3);
    assert_eq!(ours["statx"], libc::SYS_statx);
}
