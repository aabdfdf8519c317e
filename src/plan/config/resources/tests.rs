use super::*;
use crate::error::Error;

/// The plan of the cgroup with these resources.
pub(in crate::plan) fn planned(resources: &str) -> Result<Cgroup> {
    let linux = serde_json::from_str(&format!("{{\"resources\": {resources}}}")).unwrap();
    cgroup(&Property::new("linux", &linux))
}

/// The limits, one `file = value` a line.
fn limits_of(resources: &str) -> String {
    let limits = planned(resources).unwrap().limits;
    let lines: Vec<_> = limits.iter().map(|(file, value)| format!("{file} = {value}")).collect();
    lines.join("; ")
}

pub(in crate::plan) fn refusal(resources: &str) -> String {
    match planned(resources) {
        Err(Error::Config { property, .. }) => property,
        other => panic!("{resources}: {other:?}"),
    }
}

#[test]
fn every_property_becomes_a_file_of_cgroup_v2() {
    let table = [
        (
            r#"{"memory":{"limit":67108864,"swap":100663296,"reservation":33554432}}"#,
            "memory.max = 67108864; memory.swap.max = 33554432; memory.low = 33554432",
        ),
        (r#"{"memory":{"limit":64,"swap":64}}"#, "memory.max = 64; memory.swap.max = 0"),
        (r#"{"memory":{"limit":-1,"swap":-1}}"#, "memory.max = max; memory.swap.max = max"),
        (
            r#"{"memory":{"kernel":-1,"kernelTCP":-1,"disableOOMKiller":false,"useHierarchy":true,"checkBeforeUpdate":true}}"#,
            "",
        ),
        (r#"{"cpu":{"quota":50000}}"#, "cpu.max = 50000 100000"),
        (r#"{"cpu":{"quota":-1,"period":20000}}"#, "cpu.max = max 20000"),
        (r#"{"cpu":{"shares":0,"quota":0,"period":0,"realtimeRuntime":0,"cpus":""}}"#, ""),
        (
            r#"{"cpu":{"quota":500,"period":1000,"burst":500,"idle":1,"shares":2,"cpus":"0-1,3","mems":"0"}}"#,
            "cpu.weight = 1; cpu.max = 500 1000; cpu.max.burst = 500; cpu.idle = 1; cpuset.cpus = 0-1,3; cpuset.mems = 0",
        ),
        (r#"{"pids":{"limit":-1}}"#, "pids.max = max"),
        (r#"{"pids":{"limit":64}}"#, "pids.max = 64"),
        (
            r#"{"blockIO":{"weight":500,"weightDevice":[{"major":8,"minor":0,"weight":10}]}}"#,
            "io.weight = default 4950; io.bfq.weight = default 500; io.weight = 8:0 1; io.bfq.weight = 8:0 10",
        ),
        (
            r#"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}],"throttleWriteIOPSDevice":[{"major":8,"minor":16,"rate":0}]}}"#,
            "io.max = 8:0 rbps=600; io.max = 8:16 wiops=max",
        ),
        (
            r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}"#,
            "hugetlb.2MB.max = 4194304; hugetlb.2MB.rsvd.max = 4194304",
        ),
        (
            r#"{"rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10},"mlx4_0":{"hcaObjects":1}}}"#,
            "rdma.max = mlx4_0 hca_object=1; rdma.max = mlx5_1 hca_handle=3 hca_object=10",
        ),
        (
            r#"{"memory":{"limit":64},"unified":{"memory.max":"128","io.max":"8:0 rbps=1\n8:16 rbps=2\n"}}"#,
            "memory.max = 64; io.max = 8:0 rbps=1; io.max = 8:16 rbps=2; memory.max = 128",
        ),
    ];
    for (resources, expected) in table {
        assert_eq!(limits_of(resources), expected, "{resources}");
    }
}

#[test]
fn shares_become_weights_by_the_curve_of_2025() {
    for (shares, weight) in [
        (1, 1),
        (2, 1),
        (1024, 100),
        (512, 59),
        (2000, 170),
        (22_000, 1204),
        (262_144, 10_000),
        (u64::MAX, 10_000),
    ] {
        let resources = format!(r#"{{"cpu":{{"shares":{shares}}}}}"#);
        assert_eq!(limits_of(&resources), format!("cpu.weight = {weight}"), "{shares}");
    }
}

#[test]
fn what_v2_cannot_do_is_refused_by_its_name() {
    let table = [
        (r#"{"memory":{"limit":0}}"#, "linux.resources.memory.limit"),
        (r#"{"memory":{"limit":-2}}"#, "linux.resources.memory.limit"),
        (r#"{"memory":{"swap":64}}"#, "linux.resources.memory.swap"),
        (r#"{"memory":{"limit":-1,"swap":64}}"#, "linux.resources.memory.swap"),
        (r#"{"memory":{"limit":64,"swap":63}}"#, "linux.resources.memory.swap"),
        (r#"{"memory":{"limit":64,"swap":-9223372036854775808}}"#, "linux.resources.memory.swap"),
        (r#"{"memory":{"kernel":64}}"#, "linux.resources.memory.kernel"),
        (r#"{"memory":{"kernelTCP":64}}"#, "linux.resources.memory.kernelTCP"),
        (r#"{"memory":{"swappiness":0}}"#, "linux.resources.memory.swappiness"),
        (r#"{"memory":{"disableOOMKiller":true}}"#, "linux.resources.memory.disableOOMKiller"),
        (r#"{"memory":{"useHierarchy":false}}"#, "linux.resources.memory.useHierarchy"),
        (r#"{"cpu":{"realtimeRuntime":1}}"#, "linux.resources.cpu.realtimeRuntime"),
        (r#"{"cpu":{"quota":5,"burst":6}}"#, "linux.resources.cpu.burst"),
        (r#"{"cpu":{"idle":2}}"#, "linux.resources.cpu.idle"),
        (r#"{"cpu":{"cpus":"0\n1"}}"#, "linux.resources.cpu.cpus"),
        (r#"{"cpu":{"mems":"all"}}"#, "linux.resources.cpu.mems"),
        (r#"{"pids":{"limit":0}}"#, "linux.resources.pids.limit"),
        (r#"{"pids":{"limit":-7}}"#, "linux.resources.pids.limit"),
        (r#"{"network":{"classID":1048577}}"#, "linux.resources.network.classID"),
        (r#"{"blockIO":{"leafWeight":10}}"#, "linux.resources.blockIO.leafWeight"),
        (r#"{"blockIO":{"weight":5}}"#, "linux.resources.blockIO.weight"),
        (
            r#"{"blockIO":{"throttleReadBpsDevice":[{"major":-1,"minor":0,"rate":6}]}}"#,
            "linux.resources.blockIO.throttleReadBpsDevice[0].major",
        ),
        (
            r#"{"hugepageLimits":[{"pageSize":"2MB","limit":-2}]}"#,
            "linux.resources.hugepageLimits[0].limit",
        ),
        (r#"{"rdma":{"a b":{"hcaHandles":3}}}"#, "linux.resources.rdma.a b"),
        (r#"{"rdma":{"a":{}}}"#, "linux.resources.rdma.a"),
        (r#"{"unified":{"../memory.max":"1"}}"#, "linux.resources.unified.../memory.max"),
        (r#"{"unified":{"memory":"1"}}"#, "linux.resources.unified.memory"),
        (r#"{"unified":{"cgroup.procs":"1"}}"#, "linux.resources.unified.cgroup.procs"),
        (r#"{"unified":{"":"1"}}"#, "linux.resources.unified."),
    ];
    for (resources, property) in table {
        assert_eq!(refusal(resources), property, "{resources}");
    }
}

#[test]
fn a_huge_page_size_is_a_number_and_a_unit() {
    for size in
        ["", "MB", "2", "2mb", "02MB", "2MB/../../x", "../2MB", "2 MB", "2TB", "é2MB", "2é", "-2MB"]
    {
        let resources = format!(r#"{{"hugepageLimits":[{{"pageSize":{size:?},"limit":1}}]}}"#);
        assert_eq!(refusal(&resources), "linux.resources.hugepageLimits[0].pageSize", "{size}");
    }
}

#[test]
fn a_cgroups_path_cannot_leave_the_tree() {
    let path = |text: &str| {
        let linux = serde_json::json!({"cgroupsPath": text});
        cgroup(&Property::new("linux", &linux)).map(|cgroup| cgroup.path.unwrap())
    };
    for good in ["/a", "/kubepods/burstable/pod1/c-2_3.4", "a/b", "/a:b:c", "/..a"] {
        assert_eq!(path(good), Ok(good.to_owned()));
    }
    let long = "x".repeat(256);
    for bad in
        ["", "/", "..", "/..", "/a/../../b", "/a/./b", "/a//b", "/a/", "/a\0", "/a\nb", &long]
    {
        let property = match path(bad) {
            Err(Error::Config { property, .. }) => property,
            other => panic!("{bad:?}: {other:?}"),
        };
        assert_eq!(property, "linux.cgroupsPath");
    }
}
