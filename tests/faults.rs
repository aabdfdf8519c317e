//! Faults: whatever kills jec or one of its children, whatever call fails,
//! nothing is left and nothing is weaker. (SECURITY.md, "Faults".)
//!
//! By default a fixed sample of the points, in about a minute. All of them:
//! `JEC_SLOW_TESTS=1 cargo test --test faults -- --nocapture`.

mod common;
#[path = "common/trace.rs"]
mod trace;

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Ran, World, is_emulated, is_root, own_view, until};
use trace::{Act, Call, INIT, Traced, trace};

/// Whoever needs longer than this hangs: a run takes 30 ms.
const PATIENCE: Duration = Duration::from_secs(20);

fn slowly() -> bool {
    std::env::var_os("JEC_SLOW_TESTS").is_some()
}

/// The lab machine without KVM: each point of a sweep takes seconds there.
fn too_slow() -> bool {
    is_emulated() && !slowly()
}

/// Of a sweep: all points, or the first twenty and every `step`-th.
fn sampled(at: usize, step: usize) -> bool {
    slowly() || at < 20 || at.is_multiple_of(step)
}

/// Flags that every user can have, also under a tracer, where the set-uid
/// helpers newuidmap and newgidmap gain nothing.
fn flags() -> &'static [&'static str] {
    if is_root() { &["--cap-add", "MKNOD"] } else { &["--userns", "single"] }
}

/// What a container looks like from inside: everything that protects the host.
const FINGERPRINT: &str = r"
exec 2>&1
grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|SigIgn|SigBlk|Umask)' /proc/self/status
cat /proc/mounts /proc/self/limits /proc/self/oom_score_adj /proc/self/cgroup
hostname; pwd; env | sort; id; ls -l /dev | awk '{print $1,$3,$4,$5,$6}' ; ls /proc/self/fd | wc -l
for kind in mnt uts ipc pid net cgroup; do
    case $1 in *$(readlink /proc/self/ns/$kind)*) echo $kind of the host;; *) echo own $kind;; esac
done
for file in /proc/kcore /proc/keys /proc/timer_list; do head -c 1 $file | wc -c; done
echo x >/proc/sysrq-trigger; echo 1 >/proc/sys/kernel/sysrq
mknod /dev/strange c 240 77; head -c 1 /dev/strange
unshare -U true; mount -t tmpfs none /tmp; chroot / true; ip link
";

fn host_namespaces() -> String {
    let kinds = ["mnt", "uts", "ipc", "pid", "net", "cgroup"];
    kinds.map(|kind| common::namespace_of(std::process::id().cast_signed(), kind)).join(" ")
}

/// `jec run`, with its output in files: a pipe that nobody reads would stop the tracer.
fn run(world: &World, id: &str, program: &[&str]) -> Command {
    let mut command = world.jec();
    command.args(["run", "--hostname", "box", "--name", id]).args(flags());
    command.arg("--pid-file").arg(world.path("pid")).arg(world.rootfs()).args(program);
    for (name, stream) in [("out", 1), ("err", 2)] {
        let file = fs::File::create(world.path(name)).expect("a file");
        if stream == 1 {
            command.stdout(file)
        } else {
            command.stderr(file)
        };
    }
    command
}

fn delete(world: &World, id: &str, words: &[&str]) -> Command {
    let mut command = world.jec();
    command.arg("delete").args(words).arg(id).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// What is left after a moment: the kernel ends processes when it has time.
fn left(world: &World) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let mut left = world.left_behind();
        let known = ["state", "rootfs", "pid", "out", "err", "bundle-gate"];
        let names = fs::read_dir(world.dir.path()).expect("the world").flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        left.extend(
            names.filter(|name| !known.contains(&&**name)).map(|name| format!("file {name}")),
        );
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// After a fault one `delete --force`, and nothing is there that was not there before.
fn cleaned(world: &World, id: &str) -> Vec<String> {
    let ran = Ran::of(delete(world, id, &["--force"]));
    let mut faults = left(world);
    if ran.code != 0 {
        faults.push(format!("delete --force ended with {}", ran.code));
    }
    faults
}

fn never(_: &Call) -> Act {
    Act::Go
}

fn at(role: usize, nth: usize, act: Act) -> impl FnMut(&Call) -> Act {
    move |call| if (call.role, call.nth) == (role, nth) { act } else { Act::Go }
}

/// The call that was found in a calm run, by how many of its kind its process made before it:
/// polls and waits come and go with the load of the machine, and the numbers of all calls
/// after them with those.
fn at_same(found: &Call, calm: &[Call], act: Act, acted: &AtomicUsize) -> impl FnMut(&Call) -> Act {
    let kind = (found.role, found.number);
    let is_kind = move |call: &Call| (call.role, call.number) == kind;
    let mut to_come = calm.iter().filter(|call| is_kind(call) && call.nth <= found.nth).count();
    move |call| {
        if !is_kind(call) || to_come == 0 {
            return Act::Go;
        }
        to_come -= 1;
        if to_come > 0 {
            return Act::Go;
        }
        acted.fetch_add(1, Ordering::Relaxed);
        act
    }
}

fn name(number: i64) -> &'static str {
    let mut calls = jec::sys::syscalls::X86_64.calls();
    calls.find(|call| i64::from(call.1) == number).map_or("?", |call| call.0)
}

const ROLES: [&str; 3] = ["jec", "middle", "init"];

fn named(call: &Call) -> String {
    format!("{} call {}, {}", ROLES[call.role], call.nth, name(call.number))
}

/// All points of jec, middle and init in a run that nothing disturbs.
fn points(calls: Vec<Call>) -> Vec<Call> {
    calls.into_iter().filter(|call| call.role <= INIT).collect()
}

fn report(what: &str, points: usize, faults: &[String]) {
    println!("{what}: {points} points, {} faults", faults.len());
    assert!(
        faults.is_empty(),
        "{what}: {points} points, {} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn whoever_is_killed_at_any_call_of_run_leaves_nothing_after_one_delete() {
    if too_slow() {
        skip!("emulated, each of some hundred points takes seconds; JEC_SLOW_TESTS=1 runs them");
    }
    own_view();
    let world = World::new();
    let text = world.dir.path().to_string_lossy().into_owned();
    let program = ["sh", "-c", ":", &*text];
    let calm = trace(run(&world, &world.id("calm"), &program), PATIENCE, never);
    assert_eq!(calm.code, 0, "{}", fs::read_to_string(world.path("err")).expect("err"));
    let all = points(calm.calls);
    let chosen: Vec<_> = all.iter().filter(|call| sampled(call.nth - 1, 7)).collect();
    let mut faults = Vec::new();
    for call in &chosen {
        let id = world.id(&format!("{}-{}", call.role, call.nth));
        let act = at(call.role, call.nth, Act::Kill);
        let traced = trace(run(&world, &id, &program), PATIENCE, act);
        let mut found = cleaned(&world, &id);
        if traced.hung {
            found.push("somebody hangs".into());
        }
        // A run may have a call less; and the middle's end is the last thing it does.
        let reached = traced.calls.iter().any(|c| (c.role, c.nth) == (call.role, call.nth));
        if traced.code == 0 && reached && call.number != libc::SYS_exit_group {
            found.push("jec calls it a success".into());
        }
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", named(call))));
    }
    report("killed in run", chosen.len(), &faults);
}

/// A container that has ended and was kept: what `delete` finds. With a `program` that stays: one that runs.
fn kept(world: &World, id: &str) {
    let text = world.dir.path().to_string_lossy().into_owned();
    let mut command = world.jec();
    command.args(["run", "--keep", "--name", id]).args(flags()).arg(world.rootfs());
    Ran::of({
        command.args(["sh", "-c", ":", &text]);
        command
    })
    .ok();
}

#[test]
fn whoever_kills_delete_at_any_call_leaves_nothing_after_one_more_delete() {
    own_view();
    let world = World::new();
    kept(&world, &world.id("calm"));
    let calm = trace(delete(&world, &world.id("calm"), &[]), PATIENCE, never);
    assert_eq!(calm.code, 0);
    let all = points(calm.calls);
    let chosen: Vec<_> = all.iter().filter(|call| sampled(call.nth - 1, 7)).collect();
    let mut faults = Vec::new();
    for call in &chosen {
        let id = world.id(&format!("d{}", call.nth));
        kept(&world, &id);
        let act = at(call.role, call.nth, Act::Kill);
        let traced = trace(delete(&world, &id, &[]), PATIENCE, act);
        let mut found = cleaned(&world, &id);
        if traced.hung || traced.code != 137 {
            found.push(format!("ended with {}", traced.code));
        }
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", named(call))));
    }
    report("killed in delete", chosen.len(), &faults);
}

#[test]
fn whoever_kills_a_forced_delete_of_a_running_container_leaves_nothing_after_one_more() {
    own_view();
    let world = World::new();
    let start = |id: &str| {
        let root = world.rootfs().to_string_lossy().into_owned();
        let mut args = vec!["--name", id];
        args.extend(flags());
        args.extend([&*root, "sleep", "1000"]);
        fs::remove_file(world.path("pid")).ok();
        world.hold(&args)
    };
    let id = world.id("calm");
    let held = start(&id);
    until("the state says running", || world.state(&id)["status"] == "running");
    let calm = trace(delete(&world, &id, &["--force"]), PATIENCE, never);
    assert_eq!((calm.code, held.wait().code), (0, 137));
    let all = points(calm.calls);
    // Killed before main() it has done nothing.
    let begins = all.iter().position(|call| call.main).expect("main");
    let chosen: Vec<_> =
        all[begins..].iter().filter(|call| slowly() || call.nth % 5 == 0).collect();
    let mut faults = Vec::new();
    for call in &chosen {
        let id = world.id(&format!("f{}", call.nth));
        let held = start(&id);
        // Before that, jec would tell that its container was taken away.
        until("the state says running", || world.state(&id)["status"] == "running");
        let act = at(call.role, call.nth, Act::Kill);
        trace(delete(&world, &id, &["--force"]), PATIENCE, act);
        let ran = world.delete(&["--force", &id]);
        // The jec that waits for the container tells its end, and not of the lost state.
        let jec = held.wait();
        let mut found = left(&world);
        if (ran.code, jec.code) != (0, 137) {
            found.push(format!("delete: {ran:?}, run: {jec:?}"));
        }
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", named(call))));
    }
    report("killed in delete --force", chosen.len(), &faults);
}

/// `jec create`, of a bundle whose program would end at once.
fn create(world: &World, bundle: &std::path::Path, id: &str) -> Command {
    let mut command = world.jec();
    command.args(["create", "--pid-file"]).arg(world.path("pid")).arg("-b").arg(bundle).arg(id);
    let out = fs::File::create(world.path("out")).expect("a file");
    command.stdout(out.try_clone().expect("a file")).stderr(out);
    command
}

fn start(world: &World, id: &str) -> Command {
    let mut command = world.jec();
    command.args(["start", id]).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn whoever_is_killed_at_any_call_of_create_or_start_leaves_nothing_after_one_delete() {
    if too_slow() {
        skip!("emulated, each of some hundred points takes seconds; JEC_SLOW_TESTS=1 runs them");
    }
    own_view();
    let world = World::new();
    let bundle = world.bundle("gate", common::sh("sleep 1000"));
    let calm = world.id("calm");
    let created = trace(create(&world, &bundle, &calm), PATIENCE, never);
    assert_eq!((created.code, created.hung), (0, false), "{}", world.said());
    let started = trace(start(&world, &calm), PATIENCE, never);
    assert_eq!((started.code, world.state(&calm)["status"].as_str()), (0, Some("running")));
    assert_eq!(cleaned(&world, &calm), [""; 0]);
    let mut faults = Vec::new();
    let mut count = 0;
    for (name, calls) in [("create", points(created.calls)), ("start", points(started.calls))] {
        for call in calls.iter().filter(|call| sampled(call.nth - 1, 7)) {
            count += 1;
            let id = world.id(&format!("{name}{}-{}", call.role, call.nth));
            let act = at(call.role, call.nth, Act::Kill);
            let traced = if name == "create" {
                trace(create(&world, &bundle, &id), PATIENCE, act)
            } else {
                world.create(&bundle, &id).ok();
                trace(start(&world, &id), PATIENCE, act)
            };
            // What is left can be asked for, and deleted.
            let state = world.tell(&["state", &id]);
            let mut found = cleaned(&world, &id);
            if traced.hung {
                found.push("somebody hangs".into());
            }
            if state.code != 0 && !state.err.contains("does not exist") {
                found.push(format!("its state: {state:?}"));
            }
            faults
                .extend(found.into_iter().map(|fault| format!("{name}, {}: {fault}", named(call))));
        }
    }
    report("killed in create and start", count, &faults);
}

const ERRNOS: [(i32, &str); 8] = [
    (libc::ENOSPC, "ENOSPC"),
    (libc::EIO, "EIO"),
    (libc::ENOMEM, "ENOMEM"),
    (libc::EMFILE, "EMFILE"),
    (libc::EPERM, "EPERM"),
    (libc::EROFS, "EROFS"),
    (libc::EINTR, "EINTR"),
    (libc::EAGAIN, "EAGAIN"),
];

/// Calls that cannot fail, and those of the allocator, whose failure ends every Rust program.
fn fallible(call: &Call) -> bool {
    let never = [
        libc::SYS_exit_group,
        libc::SYS_exit,
        libc::SYS_rt_sigreturn,
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_geteuid,
        libc::SYS_sigaltstack,
        // Of the standard library, for its hash maps: it panics, and the kernel never lets it.
        libc::SYS_getrandom,
        // umask(2) cannot fail. close(2) can, but the descriptor is closed all the same.
        libc::SYS_umask,
        libc::SYS_close,
    ];
    call.main && !never.contains(&call.number)
}

#[test]
fn a_call_that_fails_is_told_or_made_up_for_but_never_weakens_the_container() {
    if too_slow() {
        skip!("emulated, each of some hundred points takes seconds; JEC_SLOW_TESTS=1 runs them");
    }
    own_view();
    let world = World::new();
    let text = world.dir.path().to_string_lossy().into_owned();
    let namespaces = host_namespaces();
    let program = ["sh", "-c", FINGERPRINT, &*text, &*namespaces];
    let output = |name| fs::read_to_string(world.path(name)).expect("output");
    let calm = trace(run(&world, &world.id("calm"), &program), PATIENCE, never);
    let (calm_out, calm_err) = (output("out"), output("err"));
    assert!(
        calm_out.contains("Seccomp:\t2") && calm_out.contains("own mnt"),
        "{calm_out}{calm_err}"
    );
    let again = trace(run(&world, &world.id("again"), &program), PATIENCE, never);
    assert_eq!((again.code, output("out")), (calm.code, calm_out.clone()));
    let all = points(calm.calls);
    let fallible = all.iter().filter(|call| fallible(call));
    let each = fallible.flat_map(|call| ERRNOS.iter().map(move |errno| (call, *errno)));
    let chosen: Vec<_> =
        each.enumerate().filter(|(at, _)| slowly() || at % 37 == 0).map(|(_, each)| each).collect();
    let (mut faults, acted) = (Vec::new(), AtomicUsize::new(0));
    for (number, (call, (errno, errno_name))) in chosen.iter().enumerate() {
        let id = world.id(&format!("e{number}"));
        let act = at_same(call, &all, Act::Fail(*errno), &acted);
        let traced = trace(run(&world, &id, &program), PATIENCE, act);
        let (out, err) = (output("out"), output("err"));
        let success = traced.code == calm.code;
        let alike = if has_another_way(call, *errno) { without_mounts } else { str::to_owned };
        let (out, calm_out) = (alike(&out), alike(&calm_out));
        let mut found = verdict(&traced, &out, &calm_out, &err);
        if success && out != calm_out {
            found.push(format!("a success that differs: {out}"));
        }
        // A success must have cleaned up by itself.
        if success {
            found.extend(left(&world).into_iter().map(|left| format!("after success {left}")));
        }
        found.extend(cleaned(&world, &id));
        fs::remove_file(world.path("pid")).ok();
        let what = format!("{} fails with {errno_name}", named(call));
        faults.extend(found.into_iter().map(|fault| format!("{what}: {fault}")));
    }
    let acted = acted.into_inner();
    assert!(acted * 10 >= chosen.len() * 9, "{acted} of {}", chosen.len());
    report("errors in run", chosen.len(), &faults);
}

/// Where the kernel forbids a call (EPERM) stages may have another way, which is
/// theirs to test: nodes are bound instead of made, the cgroup is bound.
fn has_another_way(call: &Call, errno: i32) -> bool {
    let calls = [libc::SYS_mknodat, libc::SYS_fsopen, libc::SYS_fsconfig, libc::SYS_fsmount];
    call.role == INIT && errno == libc::EPERM && calls.contains(&call.number)
}

/// The fingerprint without the lines of /proc/mounts.
fn without_mounts(text: &str) -> String {
    text.lines().filter(|line| !line.ends_with(" 0 0")).collect::<Vec<_>>().join("\n")
}

/// What is wrong with a run in which a call has failed.
fn verdict(traced: &Traced, out: &str, calm: &str, err: &str) -> Vec<String> {
    let mut found = Vec::new();
    if traced.hung {
        found.push("hangs".into());
    }
    if err.contains("panicked") || err.contains("RUST_BACKTRACE") {
        found.push(format!("panics: {err}"));
    }
    // The program ran, perhaps not to its end: it must have been as well protected as ever.
    if !calm.starts_with(out) {
        let lines: Vec<_> = out.lines().filter(|line| !calm.contains(line)).collect();
        found.push(format!("the container differs: {lines:?}"));
    }
    if out.is_empty() && !(err.contains("jec: ") && matches!(traced.code, 1 | 126 | 127)) {
        found.push(format!("exit status {} and the message {err:?}", traced.code));
    }
    found
}
