//! Made, filled, frozen, killed, removed.

use super::*;
use crate::cgroup::life::processes;

#[test]
fn a_cgroup_is_made_filled_killed_and_removed_and_leaves_nothing() {
    if !view() {
        return;
    }
    let id = unique();
    let plan = plan(&plan::Cgroup::default(), &id);
    let placement = place(&plan).unwrap().unwrap();
    assert_eq!(placement.path, format!("/jec/{id}"));
    assert!(Cgroup::open(&placement.path).unwrap().is_none());
    let cgroup = placement.make().unwrap();
    assert!(cgroup.wait_empty(Instant::now()).unwrap() && cgroup.oom_kills().unwrap() == 0);
    let mut child = shell(&cgroup, "sleep 1000 & setsid sleep 1000 & wait");
    wait_populated(&cgroup);
    assert!(processes(cgroup.dir.as_fd()).unwrap().contains(&child.id().cast_signed()));
    // In use: it can be taken neither by another container nor by rmdir.
    assert!(matches!(place(&plan), Err(Error::State { .. })));
    assert!(cgroup.remove(Instant::now()).unwrap_err().is(Errno::EBUSY));
    let again = Cgroup::open(&cgroup.path).unwrap().unwrap();
    again.kill().unwrap();
    assert!(again.wait_empty(soon()).unwrap());
    again.remove(soon()).unwrap();
    again.remove(soon()).unwrap();
    assert!(Cgroup::open(&again.path).unwrap().is_none());
    child.wait().unwrap();
}

#[test]
fn removing_waits_for_a_process_that_is_about_to_end() {
    if !view() {
        return;
    }
    let cgroup = made(&plan::Cgroup::default());
    let mut child = shell(&cgroup, "sleep 0.3");
    wait_populated(&cgroup);
    cgroup.remove(soon()).unwrap();
    assert!(Cgroup::open(&cgroup.path).unwrap().is_none());
    child.wait().unwrap();
}

#[test]
fn a_wait_ends_at_its_deadline() {
    if !view() {
        return;
    }
    let cgroup = made(&plan::Cgroup::default());
    let mut child = shell(&cgroup, "exec sleep 1000");
    wait_populated(&cgroup);
    let begin = Instant::now();
    assert!(!cgroup.wait_empty(begin + Duration::from_millis(50)).unwrap());
    assert!(
        begin.elapsed() >= Duration::from_millis(50) && begin.elapsed() < Duration::from_secs(2)
    );
    cgroup.kill().unwrap();
    cgroup.remove(soon()).unwrap();
    child.wait().unwrap();
}

#[test]
fn nested_cgroups_of_the_container_are_killed_and_removed_however_deep() {
    if !view() {
        return;
    }
    let cgroup = made(&plan::Cgroup::default());
    let mut dir = format!("/sys/fs/cgroup{}", cgroup.path);
    for _ in 0..400 {
        for name in ["a", "b"] {
            std::fs::create_dir(format!("{dir}/{name}")).unwrap();
        }
        dir += "/a";
    }
    let script = format!("echo $$ > {dir}/cgroup.procs && sleep 1000");
    let mut child = Command::new("sh").args(["-c", &script]).spawn().unwrap();
    wait_populated(&cgroup);
    // The way of kernels before 5.14.
    cgroup.signal(9).unwrap();
    cgroup.remove(soon()).unwrap();
    assert!(Cgroup::open(&cgroup.path).unwrap().is_none());
    child.wait().unwrap();
}

#[test]
fn a_frozen_container_stands_still_goes_on_and_can_be_killed_frozen() {
    if !view() {
        return;
    }
    let cgroup = made(&plan::Cgroup::default());
    let mut child = shell(&cgroup, "exec sleep 1000");
    wait_populated(&cgroup);
    for frozen in [true, false, true] {
        assert!(cgroup.freeze(frozen, soon()).unwrap());
    }
    cgroup.kill().unwrap();
    cgroup.remove(soon()).unwrap();
    child.wait().unwrap();
}

#[test]
fn many_containers_come_and_go_at_once() {
    let work = || {
        if view() {
            for _ in 0..50 {
                made(&plan::Cgroup::default()).remove(soon()).unwrap();
            }
        }
    };
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(work)).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Not a test of meaning: what a cgroup costs, printed. Run it with --ignored --nocapture.
#[test]
#[ignore = "a measurement"]
fn the_cost_of_a_cgroup() {
    if !view() {
        return;
    }
    let plan = plan::Cgroup::default();
    let ruled = plan::Cgroup { devices: plan::default_devices(), ..plan.clone() };
    for (name, plan) in [("bare", &plan), ("device program", &ruled)] {
        let (mut make, mut remove) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..200 {
            let begin = Instant::now();
            let cgroup = made(plan);
            make += begin.elapsed();
            let begin = Instant::now();
            cgroup.remove(soon()).unwrap();
            remove += begin.elapsed();
        }
        eprintln!("{name}: place and make {:?}, remove {:?}", make / 200, remove / 200);
    }
    let (mut at_once, mut later) = (Duration::ZERO, Duration::ZERO);
    for (age, sum) in [(0, &mut at_once), (30, &mut later)] {
        for _ in 0..20 {
            let cgroup = made(&plan);
            let mut child = shell(&cgroup, "exec sleep 1000");
            wait_populated(&cgroup);
            std::thread::sleep(Duration::from_millis(age));
            let begin = Instant::now();
            cgroup.kill().unwrap();
            assert!(cgroup.wait_empty(soon()).unwrap());
            *sum += begin.elapsed();
            child.wait().unwrap();
            cgroup.remove(soon()).unwrap();
        }
    }
    eprintln!("kill until empty: at once {:?}, after 30 ms {:?}", at_once / 20, later / 20);
}
