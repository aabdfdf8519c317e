//! Tables: each flag and the property it becomes, each mistake and its answer.

use std::ffi::OsString;

use serde_json::{Value, json};

use super::*;
use crate::cli::{self, Command};

/// Root on a machine with cgroup2, every capability but SYS_RESOURCE, and no terminal.
fn root() -> Machine {
    Machine {
        environment: [("EDITOR".into(), "vi".into()), ("TERM".into(), "linux".into())].into(),
        directory: "/work".into(),
        binary: "/usr/bin/jec".into(),
        id: "jec-1".into(),
        controllers: ["cpu", "io", "memory", "pids"].map(Into::into).into(),
        pure_cgroup2: true,
        bounding: 0x1ff_feff_ffff,
        last_capability: 40,
        host_paths: vec!["/usr", "/etc/passwd", "/etc/resolv.conf"],
        ..Machine::default()
    }
}

/// Alice, who has ranges and the programs that write them.
fn alice() -> Machine {
    Machine {
        uid: 1000,
        gid: 1001,
        user_name: Some("alice".into()),
        subuid: "alice:100000:65536\n".into(),
        subgid: "1000:200000:65536\n".into(),
        has_map_helpers: true,
        ..root()
    }
}

/// Bob, who has nothing.
fn bob() -> Machine {
    Machine { has_map_helpers: false, subuid: String::new(), ..alice() }
}

fn flags(line: &str) -> std::result::Result<ContainerFlags, clap::Error> {
    let words = ["jec", "spec"].into_iter().chain(line.split_whitespace());
    match cli::parse(words.map(OsString::from))?.command {
        Command::Spec(spec) => Ok(spec.0.container),
        other => panic!("{other:?}"),
    }
}

/// The spec as a JSON value.
fn build(line: &str, machine: &Machine) -> Result<Value> {
    let text = json(&spec(&flags(line).unwrap(), &Target::Host, machine)?)?;
    Ok(serde_json::from_str(&text).unwrap())
}

/// Checks that a property (a JSON pointer) has the value; null: is absent.
fn check(line: &str, machine: &Machine, property: &str, wanted: &Value) {
    let built = build(line, machine).unwrap_or_else(|error| panic!("{line}: {error}"));
    let found = built.pointer(property).unwrap_or(&Value::Null);
    assert_eq!(found, wanted, "{line}: {property}");
}

/// What a wrong line answers: clap's message or ours.
fn mistake(line: &str, machine: &Machine) -> String {
    match flags(line) {
        Err(error) => error.to_string(),
        Ok(_) => build(line, machine).map(|_| line.to_owned()).unwrap_err().to_string(),
    }
}

/// The entry of the mount list with this destination.
fn mount(line: &str, machine: &Machine, destination: &str) -> Option<Value> {
    let built = build(line, machine).unwrap();
    let mounts = built["mounts"].as_array().unwrap();
    mounts.iter().find(|mount| mount["destination"] == destination).cloned()
}

#[test]
fn each_flag_of_the_process_becomes_its_property() {
    for (line, property, wanted) in [
        ("", "/process/args", json!(["/bin/sh"])),
        ("-- ls -l /", "/process/args", json!(["ls", "-l", "/"])),
        ("--init -- ls", "/process/args", json!(["/dev/init", "init", "--", "ls"])),
        ("--init", "/process/args", json!(["/dev/init", "init", "--", "/bin/sh"])),
        ("", "/process/cwd", json!("/")),
        ("-w //tmp/./x/", "/process/cwd", json!("/tmp/x")),
        ("", "/process/env/1", json!("HOME=/root")),
        ("-e A=1 -e EDITOR -e B= -e A=2=3", "/process/env/2", json!("EDITOR=vi")),
        ("-e A=1 -e EDITOR -e B= -e A=2=3", "/process/env/3", json!("B=")),
        ("-e A=1 -e EDITOR -e B= -e A=2=3", "/process/env/4", json!("A=2=3")),
        ("-e HOME=/x", "/process/env/1", json!("HOME=/x")),
        ("", "/process/terminal", json!(false)),
        ("-it", "/process/terminal", json!(true)),
        ("-t", "/process/env/2", json!("TERM=linux")),
        ("--no-tty", "/process/terminal", json!(false)),
        ("-t --no-tty", "/process/terminal", json!(false)),
        ("--no-tty -t", "/process/terminal", json!(true)),
        ("-u 5:6", "/process/user", json!({"uid": 5, "gid": 6, "additionalGids": [6]})),
        ("", "/process/user", json!({"uid": 0, "gid": 0, "additionalGids": [0]})),
        (
            "--ulimit nofile=1:2 --ulimit core=unlimited --ulimit nofile=3",
            "/process/rlimits",
            json!([
                {"type": "RLIMIT_CORE", "soft": u64::MAX, "hard": u64::MAX},
                {"type": "RLIMIT_NOFILE", "soft": 3, "hard": 3}
            ]),
        ),
        ("", "/process/rlimits", Value::Null),
        ("", "/process/oomScoreAdj", Value::Null),
        ("--oom-score-adj -500", "/process/oomScoreAdj", json!(-500)),
        ("", "/process/noNewPrivileges", json!(true)),
        ("--no-new-privs", "/process/noNewPrivileges", json!(true)),
        ("--no-new-privs=false", "/process/noNewPrivileges", json!(false)),
    ] {
        check(line, &root(), property, &wanted);
    }
}

#[test]
fn a_terminal_of_jec_is_passed_on_unless_refused() {
    let machine = Machine { terminal: true, ..root() };
    check("", &machine, "/process/terminal", &json!(true));
    check("--no-tty", &machine, "/process/terminal", &json!(false));
    let plain = Machine { environment: [].into(), ..machine };
    check("", &plain, "/process/env/2", &json!("TERM=xterm"));
}

#[test]
fn each_limit_becomes_its_property() {
    let limits = |property: &str| format!("/linux/resources{property}");
    for (line, property, wanted) in [
        ("", "/memory", Value::Null),
        ("-m 64M", "/memory", json!({"limit": 64 << 20})),
        ("-m 64M --swap 0", "/memory/swap", json!(64 << 20)),
        ("-m 64M --swap 16M", "/memory/swap", json!(80 << 20)),
        ("-m 64M --swap unlimited", "/memory/swap", json!(-1)),
        ("--swap unlimited", "/memory/swap", json!(-1)),
        ("--memory-low 1K", "/memory/reservation", json!(1024)),
        ("--memory-high 1K", "/unified/memory.high", json!("1024")),
        ("--memory-high unlimited", "/unified/memory.high", json!("max")),
        ("", "/unified", json!({"memory.oom.group": "1"})),
        ("--cpus 0.5", "/cpu", json!({"quota": 50_000, "period": 100_000})),
        ("--cpuset 0-1", "/cpu", json!({"cpus": "0-1"})),
        ("--cpu-weight 10000", "/unified/cpu.weight", json!("10000")),
        ("--io-weight 7", "/unified/io.weight", json!("default 7")),
        ("", "/pids/limit", json!(2048)),
        ("--pids 5", "/pids/limit", json!(5)),
        ("--pids unlimited", "/pids/limit", json!(-1)),
    ] {
        check(line, &root(), &limits(property), &wanted);
    }
}

#[test]
fn limits_nobody_asked_for_are_left_out_where_nothing_could_keep_them() {
    let bare = Machine { controllers: vec![], pure_cgroup2: false, ..root() };
    check("", &bare, "/linux/resources", &json!({}));
    check("--pids 5", &bare, "/linux/resources", &json!({"pids": {"limit": 5}}));
    check("-m 1M", &bare, "/linux/resources/memory/limit", &json!(1 << 20));
    check("", &root(), "/linux/resources/devices/0", &json!({"allow": false, "access": "rwm"}));
    check("", &alice(), "/linux/resources/devices", &Value::Null);
}

#[test]
fn names_namespaces_and_kernel_parameters_become_their_properties() {
    let kinds = |names: &[&str]| names.iter().map(|name| json!({"type": name})).collect::<Value>();
    let own = ["mount", "pid", "ipc", "uts", "cgroup"];
    for (line, property, wanted) in [
        ("", "/ociVersion", json!("1.1.0")),
        ("", "/hostname", json!("jec-1")),
        ("--name box", "/hostname", json!("box")),
        ("--name box --hostname web", "/hostname", json!("web")),
        ("--domainname lan", "/domainname", json!("lan")),
        ("", "/linux/namespaces", kinds(&[&own[..], &["network"]].concat())),
        ("--net host", "/linux/namespaces", kinds(&own)),
        (
            "--time-offset boottime=5 --net host",
            "/linux/namespaces",
            kinds(&[&own[..], &["time"]].concat()),
        ),
        (
            "--time-offset boottime=-1.5 --time-offset monotonic=3600",
            "/linux/timeOffsets",
            json!({
                "boottime": {"secs": -2, "nanosecs": 500_000_000},
                "monotonic": {"secs": 3600, "nanosecs": 0}
            }),
        ),
        ("--sysctl net.x=1", "/linux/sysctl", json!({"net.x": "1"})),
        ("", "/linux/sysctl", Value::Null),
        ("", "/linux/cgroupsPath", Value::Null),
        ("", "/root", json!({"path": "/usr", "readonly": false})),
        ("--read-only", "/root/readonly", json!(true)),
        ("--seccomp none", "/linux/seccomp", Value::Null),
        ("", "/linux/seccomp/defaultAction", json!("SCMP_ACT_ERRNO")),
        ("", "/annotations", Value::Null),
        ("", "/hooks", Value::Null),
    ] {
        check(line, &root(), property, &wanted);
    }
}

#[test]
fn a_long_id_is_cut_to_the_length_of_a_host_name() {
    let id = "x".repeat(100);
    check(&format!("--name {id}"), &root(), "/hostname", &json!(&id[..64]));
}

#[test]
fn capabilities_are_the_default_ones_plus_and_minus_the_flags() {
    let (chown, bind) = (json!("CAP_CHOWN"), json!("CAP_NET_BIND_SERVICE"));
    let set = |line: &str, name: &str| {
        build(line, &root()).unwrap()["process"]["capabilities"][name].as_array().unwrap().clone()
    };
    for name in ["bounding", "permitted", "effective"] {
        assert_eq!(set("", name).len(), 11, "{name}");
        assert_eq!(set("--cap-drop ALL", name), [json!(null); 0], "{name}");
        assert_eq!(
            set("--cap-drop all --cap-add chown", name),
            std::slice::from_ref(&chown),
            "{name}"
        );
        assert_eq!(set("--cap-add ALL", name).len(), 40, "all that jec itself has: {name}");
        assert_eq!(set("--cap-add ALL --cap-drop CAP_CHOWN", name).len(), 39, "{name}");
        assert!(!set("--cap-drop CHOWN", name).contains(&chown), "{name}");
    }
    for name in ["inheritable", "ambient"] {
        assert!(set("", name).is_empty() && set("--cap-add ALL", name).is_empty(), "{name}");
    }
    assert_eq!(set("-u 5", "bounding").len(), 11);
    for name in ["permitted", "effective", "inheritable", "ambient"] {
        assert!(set("-u 5", name).is_empty(), "{name}");
        assert_eq!(
            set("-u 5 --cap-add NET_BIND_SERVICE", name),
            std::slice::from_ref(&bind),
            "{name}"
        );
    }
}

#[test]
fn a_new_user_namespace_has_all_capabilities_of_the_kernel() {
    let all = build("--cap-add ALL", &alice()).unwrap();
    assert_eq!(all["process"]["capabilities"]["bounding"].as_array().unwrap().len(), 41);
}

#[test]
fn the_user_namespace_follows_the_user_and_the_flags() {
    let line = |c: u32, h: u32, s: u32| json!({"containerID": c, "hostID": h, "size": s});
    let containers = Machine {
        subuid: "containers:5000:10\n".into(),
        subgid: "containers:6000:10\n".into(),
        ..root()
    };
    for (flags, machine, uids, gids) in [
        ("", root(), Value::Null, Value::Null),
        ("--userns host", root(), Value::Null, Value::Null),
        ("--userns single", root(), json!([line(0, 0, 1)]), json!([line(0, 0, 1)])),
        ("--userns auto", containers, json!([line(0, 5000, 10)]), json!([line(0, 6000, 10)])),
        (
            "",
            alice(),
            json!([line(0, 1000, 1), line(1, 100_000, 65536)]),
            json!([line(0, 1001, 1), line(1, 200_000, 65536)]),
        ),
        ("--userns single", alice(), json!([line(0, 1000, 1)]), json!([line(0, 1001, 1)])),
        ("", bob(), json!([line(0, 1000, 1)]), json!([line(0, 1001, 1)])),
        ("--uidmap 0:7:9", root(), json!([line(0, 7, 9)]), json!([line(0, 7, 9)])),
        (
            "--uidmap 0:7:1 --uidmap 1:9:1 --gidmap 0:8:5",
            root(),
            json!([line(0, 7, 1), line(1, 9, 1)]),
            json!([line(0, 8, 5)]),
        ),
    ] {
        check(flags, &machine, "/linux/uidMappings", &uids);
        check(flags, &machine, "/linux/gidMappings", &gids);
        let first = if uids.is_null() { "mount" } else { "user" };
        check(flags, &machine, "/linux/namespaces/0/type", &json!(first));
    }
}

#[test]
fn ids_beyond_the_type_are_left_over() {
    let subuid = "1000:0:4294967294\n1000:4294967294:1\n".into();
    let built = build("", &Machine { subuid, ..alice() }).unwrap();
    let maps = built["linux"]["uidMappings"].as_array().unwrap();
    assert_eq!(maps.len(), 2, "container ids 1 to 4294967294 are all that is left: {maps:?}");
}

#[test]
fn groups_are_set_only_where_setgroups_is_allowed() {
    check("", &alice(), "/process/user/additionalGids", &json!([0]));
    check("", &bob(), "/process/user/additionalGids", &Value::Null);
}

#[test]
fn the_kernels_own_file_systems_fit_the_namespaces() {
    let kind = |line: &str, machine: &Machine, at: &str| {
        mount(line, machine, at).map(|mount| mount["type"].as_str().unwrap().to_owned())
    };
    let has_group = |machine: &Machine| {
        mount("", machine, "/dev/pts").unwrap()["options"]
            .as_array()
            .unwrap()
            .contains(&json!("gid=5"))
    };
    assert!(has_group(&root()) && has_group(&alice()) && !has_group(&bob()));
    let hybrid = Machine { pure_cgroup2: false, ..root() };
    assert_eq!(kind("", &root(), "/sys/fs/cgroup").as_deref(), Some("cgroup"));
    assert_eq!(kind("", &hybrid, "/sys/fs/cgroup"), None);
    for (line, machine, wanted) in [
        ("", root(), "sysfs"),
        ("--net host", root(), "sysfs"),
        ("", bob(), "sysfs"),
        ("--net host", bob(), "bind"),
    ] {
        assert_eq!(kind(line, &machine, "/sys").as_deref(), Some(wanted), "{line}");
    }
}

#[test]
fn mounts_of_the_flags_come_behind_and_parents_first() {
    let built = build("-v /a:/x/y/z --tmpfs /x/y --mount type=tmpfs,target=/x", &root()).unwrap();
    let mounts = built["mounts"].as_array().unwrap();
    let last: Vec<_> =
        mounts[mounts.len() - 3..].iter().map(|mount| &mount["destination"]).collect();
    assert_eq!(last, ["/x", "/x/y", "/x/y/z"]);
}

#[test]
fn each_spelling_of_a_mount_becomes_an_entry() {
    let bind = |source: &str, options: Value| json!({"destination": "/x", "type": "bind", "source": source, "options": options});
    let tmpfs = |options: Value| json!({"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": options});
    for (line, wanted) in [
        ("-v /a:/x", bind("/a", json!(["rbind", "rprivate"]))),
        ("-v ./a:/x/", bind("/work/a", json!(["rbind", "rprivate"]))),
        (
            "-v a/../b:/x:ro,noexec",
            bind("/work/a/../b", json!(["rbind", "rprivate", "rro", "noexec"])),
        ),
        ("--mount type=bind,source=a,target=/x", bind("/work/a", json!(["rbind", "rprivate"]))),
        ("--mount type=bind,src=/a,dst=/x,ro", bind("/a", json!(["rbind", "rro", "rprivate"]))),
        (
            "--mount type=bind,src=/a,dst=/x,readonly=false",
            bind("/a", json!(["rbind", "rprivate"])),
        ),
        (
            "--mount type=bind,src=/a,dst=/x,readonly,bind-recursive=disabled,bind-propagation=slave",
            bind("/a", json!(["bind", "ro", "slave"])),
        ),
        ("--tmpfs /x", tmpfs(json!(["nosuid", "nodev", "noexec"]))),
        ("--tmpfs /x:size=1m,exec", tmpfs(json!(["size=1m", "exec", "nosuid", "nodev"]))),
        (
            "--mount type=tmpfs,target=/x,tmpfs-size=1M,tmpfs-mode=700",
            tmpfs(json!(["nosuid", "nodev", "noexec", "size=1048576", "mode=700"])),
        ),
    ] {
        assert_eq!(mount(line, &root(), "/x"), Some(wanted), "{line}");
    }
    let shm = mount("--tmpfs /dev/shm:size=1g", &root(), "/dev/shm").unwrap();
    assert_eq!(shm["options"][0], "size=1g");
    let init = mount("--init", &root(), "/dev/init").unwrap();
    assert_eq!((&init["source"], &init["options"][1]), (&json!("/usr/bin/jec"), &json!("ro")));
}

#[test]
fn what_does_not_fit_this_machine_is_refused_with_a_cure() {
    let hybrid = Machine { pure_cgroup2: false, ..root() };
    for (line, machine, problem, cure) in [
        ("--cap-add SYS_RESOURCE", root(), "jec itself does not have it", "CapBnd"),
        ("--cap-add MKNOD", hybrid, "this machine's disks", "--userns auto"),
        ("--userns auto", root(), "no line for root or containers", "containers:"),
        ("--userns host", alice(), "only root", "leave the flag out"),
    ] {
        let error = build(line, &machine).unwrap_err();
        let Error::Machine { lacks, cure: found } = &error else { panic!("{line}: {error}") };
        assert!(lacks.contains(problem) && found.contains(cure), "{line}: {error}");
    }
    assert!(build("--cap-add MKNOD", &root()).is_ok());
}

#[test]
fn every_mistake_is_answered_with_the_flag_and_what_would_be_right() {
    for (line, flag, answer) in MISTAKES {
        let text = mistake(line, &root());
        assert!(text.contains(flag) && text.contains(answer), "{line}: {text}");
    }
}

/// A line, and two parts of its answer.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("--memory 64X", "'64X' for '--memory <SIZE>'", "K, M, G and T"),
    ("--memory=-1", "--memory", "not a size"),
    ("--memory=", "--memory", "not a size"),
    ("--memory 0", "--memory", "no limit"),
    ("--memory", "--memory", "a value is required"),
    ("-m 1M -m 2M", "--memory", "multiple times"),
    ("--memory 8388608T", "--memory", "too large"),
    ("-m 8388607T --swap 8388607T", "--swap", "too large"),
    ("--swap 1M", "--swap", "--memory, which is missing"),
    ("--swap=-1", "--swap", "write unlimited"),
    ("--memory-low unlimited", "--memory-low", "not a size"),
    ("--cpus 0", "--cpus", "between 0.01"),
    ("--cpus half", "--cpus", "e.g. 0.5"),
    ("--cpu-weight 0", "--cpu-weight", "1..=10000"),
    ("--io-weight 10001", "--io-weight", "1..=10000"),
    ("--cpuset a-b", "--cpuset", "0-3,5"),
    ("--pids 0", "--pids", "at least 1"),
    ("--oom-score-adj 1001", "--oom-score-adj", "-1000..=1000"),
    ("--ulimit files=1", "--ulimit", "nofile"),
    ("--name a/b", "--name", "letters, digits"),
    ("--name ..", "--name", "letters, digits"),
    ("--hostname=", "--hostname", "1 to 64 bytes"),
    ("--env =x", "--env", "NAME=VALUE"),
    ("--env FOO", "--env FOO", "--env FOO=VALUE"),
    ("--workdir tmp", "--workdir", "starts with /"),
    ("--workdir /a/../b", "--workdir", "no .."),
    ("--user :5", "--user", "1000:1000"),
    ("--user 4294967295", "--user", "4294967294"),
    ("--user no-such-user", "--user", "a number needs no entry"),
    ("--volume /a", "--volume", "SRC:DST"),
    ("--volume :/x", "--volume", "SRC:DST"),
    ("--volume /a:/", "--volume", "TARGET"),
    ("--volume /a:x", "--volume", "starts with /"),
    ("--volume /a:/x:z", "--volume", "unknown option \"z\""),
    ("--tmpfs /x:size=", "--tmpfs", "unknown option \"size=\""),
    ("--tmpfs /x -v /a:/x", "--tmpfs /x", "another flag mounts on /x"),
    ("--mount type=bind,target=/x", "--mount", "do not fit together"),
    ("--mount type=tmpfs,source=/a,target=/x", "--mount", "do not fit together"),
    ("--mount type=bind,source=/a,target=/x,tmpfs-size=1M", "--mount", "do not fit together"),
    ("--mount type=tmpfs,target=/x,bind-propagation=slave", "--mount", "do not fit together"),
    ("--mount source=/a,target=/x", "--mount", "do not fit together"),
    ("--mount type=bind,source=/a", "--mount", "the target is missing"),
    ("--mount type=volume,target=/x", "--mount", "config.json"),
    ("--mount type=tmpfs,target=/x,dst=/y", "--mount", "target stands twice"),
    ("--mount type=tmpfs,target=/x,tmpfs-mode=9", "--mount", "octal"),
    ("--mount type=tmpfs,target=/x,readonly=maybe", "--mount", "not known here"),
    ("--cap-add SYSADMIN", "--cap-add", "SYS_ADMIN"),
    ("--cap-add CHOWN --cap-drop chown", "--cap-add CHOWN", "the opposite"),
    ("--cap-add ALL --cap-drop ALL", "--cap-drop ALL", "the opposite"),
    ("--seccomp ./no-such-file", "--seccomp ./no-such-file", "ENOENT"),
    ("--no-new-privs=maybe", "--no-new-privs", "true, false"),
    ("--net bridge", "--net", "none, host"),
    ("--userns yes", "--userns", "host, auto, single"),
    ("--uidmap 0:1", "--uidmap", "INSIDE:OUTSIDE:COUNT"),
    ("--uidmap 0:1:0", "--uidmap", "COUNT is at least 1"),
    ("--uidmap 0:4294967295:1", "--uidmap", "4294967294"),
    ("--uidmap 1:1:1", "--uidmap", "no line maps 0"),
    ("--uidmap 0:1:5 --uidmap 4:9:1", "--uidmap", "4:9:1 overlaps 0:1:5"),
    ("--uidmap 0:1:5 --uidmap 9:5:1", "--uidmap", "9:5:1 overlaps 0:1:5"),
    ("--uidmap 0:1:5 --userns auto", "--uidmap", "cannot be used with '--userns"),
    ("--gidmap 0:1:5", "required", "--uidmap"),
    ("--uidmap 0:1:1 --user 5", "--user", "user 5 does not exist"),
    ("--uidmap 0:1:9 --gidmap 0:1:1 --user 5:5", "--user", "group 5 does not exist"),
    ("--time-offset 5", "--time-offset", "boottime=SECONDS"),
    ("--sysctl net.x", "--sysctl", "NAME=VALUE"),
    ("--sysctl net.x=1 --sysctl net.x=2", "--sysctl net.x", "two values"),
    ("--memry 5", "--memry", "--memory"),
];

#[test]
fn a_wrong_line_of_etc_subuid_is_an_error_and_not_a_smaller_container() {
    let broken = Machine { subuid: "alice:100000:many\n".into(), ..alice() };
    assert!(mistake("", &broken).starts_with("/etc/subuid line 1"));
    assert!(build("--userns single", &broken).is_ok());
}

#[test]
fn the_same_flags_print_the_same_text() {
    let print = || {
        json(
            &spec(&flags("--cap-add ALL --cpu-weight 5").unwrap(), &Target::Host, &root()).unwrap(),
        )
    };
    let first = print().unwrap();
    for _ in 0..20 {
        assert_eq!(print().unwrap(), first);
    }
    let read: Spec = serde_json::from_str(&first).unwrap();
    assert_eq!(json(&read).unwrap(), first);
}
