use super::*;

fn parse(json: &str) -> Result<Profile> {
    profile(&serde_json::from_str(json).expect("test profiles are well-formed"))
}

/// A profile that allows by default, with these entries of `syscalls`.
fn with(syscalls: &str) -> Result<Profile> {
    parse(&format!(
        r#"{{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/agent","syscalls":[{syscalls}]}}"#
    ))
}

fn refusal(result: Result<Profile>) -> String {
    result.expect_err("the profile is refused").to_string()
}

#[test]
fn every_action_becomes_what_the_kernel_calls_it() {
    for (name, action) in [
        ("KILL", Action::KillThread),
        ("KILL_THREAD", Action::KillThread),
        ("KILL_PROCESS", Action::KillProcess),
        ("TRAP", Action::Trap),
        ("ERRNO", Action::Errno(1)),
        ("TRACE", Action::Trace(1)),
        ("LOG", Action::Log),
        ("ALLOW", Action::Allow),
        ("NOTIFY", Action::Notify),
    ] {
        let entry = format!(r#"{{"names":["mkdir"],"action":"SCMP_ACT_{name}"}}"#);
        assert_eq!(with(&entry).unwrap().rules[0].action, action, "{name}");
    }
}

#[test]
fn an_errno_belongs_to_errno_and_trace_only() {
    let entry = r#"{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":38}"#;
    assert_eq!(with(entry).unwrap().rules[0].action, Action::Errno(38));
    let entry = r#"{"names":["mkdir"],"action":"SCMP_ACT_KILL","errnoRet":38}"#;
    assert!(refusal(with(entry)).starts_with("linux.seccomp.syscalls[0].errnoRet: SCMP_ACT_KILL"));
    let default = r#"{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1}"#;
    assert!(refusal(parse(default)).starts_with("linux.seccomp.defaultErrnoRet: "));
}

#[test]
fn an_errno_that_no_call_can_return_is_refused() {
    let entry = r#"{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":4096}"#;
    assert_eq!(
        refusal(with(entry)),
        "linux.seccomp.syscalls[0].errnoRet: 4096 is out of range, 4095 is the highest"
    );
}

#[test]
fn masked_equal_takes_the_mask_from_value_and_the_rest_from_value_two() {
    let entry = r#"{"names":["clone"],"action":"SCMP_ACT_ERRNO","args":[
        {"index":0,"value":2114060288,"valueTwo":7,"op":"SCMP_CMP_MASKED_EQ"}]}"#;
    let condition = &with(entry).unwrap().rules[0].conditions[0];
    assert_eq!(condition.operator, Operator::MaskedEq(0x7e02_0000));
    assert_eq!(condition.value, 7);
}

#[test]
fn conditions_on_two_arguments_are_one_rule() {
    let entry = r#"{"names":["socket"],"action":"SCMP_ACT_ERRNO","args":[
        {"index":0,"value":16,"op":"SCMP_CMP_EQ"},{"index":2,"value":9,"op":"SCMP_CMP_EQ"}]}"#;
    let rules = with(entry).unwrap().rules;
    assert_eq!((rules.len(), rules[0].conditions.len()), (1, 2));
}

#[test]
fn conditions_on_one_argument_are_a_rule_each() {
    let entry = r#"{"names":["socket"],"action":"SCMP_ACT_ERRNO","args":[
        {"index":0,"value":38,"op":"SCMP_CMP_EQ"},{"index":0,"value":40,"op":"SCMP_CMP_EQ"}]}"#;
    let rules = with(entry).unwrap().rules;
    assert_eq!(rules.len(), 2);
    assert!(rules.iter().all(|rule| rule.conditions.len() == 1));
}

#[test]
fn a_seventh_argument_is_refused_by_its_path() {
    let good = r#"{"names":["mkdir"],"action":"SCMP_ACT_LOG"}"#;
    let bad = r#"{"names":["mkdir"],"action":"SCMP_ACT_LOG","args":[
        {"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}"#;
    let problem = refusal(with(&format!("{good},{bad}")));
    assert!(problem.starts_with("linux.seccomp.syscalls[1].args[0].index: 6 "), "{problem}");
}

#[test]
fn an_entry_without_names_is_refused() {
    let problem = refusal(with(r#"{"names":[],"action":"SCMP_ACT_LOG"}"#));
    assert!(problem.starts_with("linux.seccomp.syscalls[0].names: "), "{problem}");
}

#[test]
fn calls_that_hand_over_the_listener_cannot_notify() {
    for name in HANDS_OVER {
        let entry = format!(r#"{{"names":["mkdir","{name}"],"action":"SCMP_ACT_NOTIFY"}}"#);
        let problem = refusal(with(&entry));
        assert!(problem.contains(&format!("cannot be used for {name}")), "{problem}");
    }
    let default = r#"{"defaultAction":"SCMP_ACT_NOTIFY","listenerPath":"/agent"}"#;
    assert!(refusal(parse(default)).starts_with("linux.seccomp.defaultAction: "));
}

#[test]
fn a_listener_is_asked_for_only_where_something_notifies() {
    let notify = with(r#"{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}"#).unwrap();
    assert_eq!(notify.flags, NEW_LISTENER);
    assert_eq!(notify.listener_path.as_deref(), Some(c"/agent"));
    let log = with(r#"{"names":["mkdir"],"action":"SCMP_ACT_LOG"}"#).unwrap();
    assert_eq!((log.flags, log.listener_path), (0, None));
}

#[test]
fn a_listener_without_an_address_is_refused() {
    let problem = refusal(parse(
        r#"{"defaultAction":"SCMP_ACT_ALLOW",
            "syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}"#,
    ));
    assert_eq!(problem, "linux.seccomp.listenerPath: must be set for SCMP_ACT_NOTIFY");
    let problem = refusal(parse(r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"x"}"#));
    assert!(problem.starts_with("linux.seccomp.listenerMetadata: "), "{problem}");
}

#[test]
fn flags_become_the_kernels_bits() {
    let all = r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}"#;
    assert_eq!(parse(all).unwrap().flags, TSYNC | LOG | SPEC_ALLOW);
}

#[test]
fn an_unknown_flag_is_refused_by_its_name() {
    let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_MAGIC"]}"#;
    let error = serde_json::from_str::<oci_spec::runtime::LinuxSeccomp>(json).unwrap_err();
    assert!(error.to_string().contains("SECCOMP_FILTER_FLAG_MAGIC"), "{error}");
}

#[test]
fn interfaces_of_other_machines_are_left_out() {
    let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64",
        "SCMP_ARCH_X86","SCMP_ARCH_X32","SCMP_ARCH_S390X","SCMP_ARCH_ARM"]}"#;
    let abis = parse(json).unwrap().abis;
    assert_eq!(abis[0], syscalls::NATIVE);
    assert_eq!(abis.len(), if cfg!(target_arch = "x86_64") { 2 } else { 1 });
}

/// Whether a profile can be used, with no_new_privs or without.
fn usable(json: &str, no_new_privileges: bool) -> Result<Profile> {
    let value = serde_json::from_str(json).unwrap();
    profile_for(&Property::new("linux.seccomp", &value), no_new_privileges)
}

#[test]
fn a_profile_under_which_no_program_could_start_is_refused() {
    for no_new_privileges in [true, false] {
        let nothing = usable(r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#, no_new_privileges);
        assert_eq!(
            refusal(nothing),
            "linux.seccomp: refuses execve: the program could not be started"
        );
    }
    let killed = r#"{"defaultAction":"SCMP_ACT_ALLOW",
        "syscalls":[{"names":["execve"],"action":"SCMP_ACT_KILL"}]}"#;
    assert!(refusal(usable(killed, true)).contains("refuses execve"));
    // Whether these let it pass is known when it is called.
    for entry in [
        r#"{"names":["execve"],"action":"SCMP_ACT_NOTIFY"}"#,
        r#"{"names":["execve"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":0,"op":"SCMP_CMP_EQ"}]}"#,
    ] {
        let json = format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/agent","syscalls":[{entry}]}}"#
        );
        assert!(usable(&json, true).is_ok(), "{entry}");
    }
}

#[test]
fn a_profile_that_forbids_jec_to_speak_is_refused_where_jec_has_to() {
    for name in ["sendmsg", "recvmsg"] {
        let refused = format!(r#"{{"names":["{name}"],"action":"SCMP_ACT_ERRNO"}}"#);
        let notify = r#"{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}"#;
        let json = |entries: &str| {
            format!(
                r#"{{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/a","syscalls":[{entries}]}}"#
            )
        };
        let problem = refusal(usable(&json(&format!("{notify},{refused}")), true));
        assert!(problem.contains(&format!("refuses {name}: the listener")), "{problem}");
        let problem = refusal(usable(&json(&refused), false));
        assert!(problem.contains("without process.noNewPrivileges"), "{problem}");
        // Loaded last of all, and nobody listens: jec has nothing to say any more.
        assert!(usable(&json(&refused), true).is_ok());
    }
}
