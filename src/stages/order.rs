//! ORDER: which row stands before which, and why. A test holds STAGES to it.

/// `before` comes before `after`, because.
pub struct Order {
    /// The earlier row.
    pub before: &'static str,
    /// The later row.
    pub after: &'static str,
    /// The reason.
    pub because: &'static str,
}

/// The reasons of the order.
#[rustfmt::skip]
pub const ORDER: &[Order] = &[
    order("seal", "record", "re-executing forgets everything, so nothing may have been made yet"),
    order("record", "cgroup", "what is made must already be written down, or a crash here would leave a cgroup that nobody knows of"),
    order("filter", "spawn-middle", "a profile that cannot be compiled must fail before there is a process"),
    order("cgroup", "spawn-middle", "the process is born in the cgroup, so not one page of it is counted elsewhere"),
    order("join", "user-namespace", "a namespace of the host is joined with the host's privileges"),
    order("user-namespace", "id-map", "there is no map without a namespace, and only a process outside may write it"),
    order("user-namespace", "time-namespace", "the time namespace is to belong to the user namespace"),
    order("time-namespace", "become-root", "who changes her uid is not dumpable any more, and /proc/self/timens_offsets is root's then"),
    order("id-map", "become-root", "before the map uid 0 does not exist inside"),
    order("become-root", "spawn-init", "the other namespaces are to belong to the user namespace, and what they hold to its root"),
    order("time-namespace", "spawn-init", "offsets can be written only while the namespace has no process; init is the first"),
    order("spawn-init", "adopt", "the middle alone knows the number of the process it made"),
    order("adopt", "limits", "limits are set from outside, on a process that exists, with the host's privileges"),
    order("adopt", "resctrl", "a group is joined by the number of a process, and what it makes later is born in it"),
    order("adopt", "net-devices", "the namespace that they go to is init's"),
    order("net-devices", "kernel-params", "a sysctl may be that of a device"),
    order("mount-sources", "mounts", "they are id-mapped before they are attached; afterwards the kernel refuses"),
    order("session", "console", "only the leader of a session without a terminal can take one"),
    order("propagation", "overlay", "otherwise the merged tree would appear on the host"),
    order("overlay", "mounts", "mount points that are missing are made in what is changed, and the layers stay as they are"),
    order("propagation", "mounts", "otherwise every mount of the container would appear on the host"),
    order("mounts", "devices", "/dev is a mount of the list"),
    order("devices", "pivot-root", "without mknod, nodes are bound from the host's /dev, which is gone after it"),
    order("devices", "hooks-runtime", "hooks may rely on it that every mount is made"),
    order("hooks-runtime", "hooks-container", "the specification has them in this order"),
    order("hooks-container", "pivot-root", "the hook is a program of the host, which is gone after it"),
    order("pivot-root", "console", "the terminal must come from the container's own devpts"),
    order("kernel-params", "masks", "/proc/sys is made read-only by masks"),
    order("console", "masks", "/dev/console has to be made while the root is writable"),
    order("scheduling-early", "spawn-middle", "the process starts on the processors of jec, and goes to its own from there"),
    order("labels", "seccomp-early", "a filter may refuse what it takes to set a label"),
    order("labels", "hooks-start", "a program of the image gets no more than the container's own"),
    order("seccomp-early", "bounding", "without no_new_privs the filter needs CAP_SYS_ADMIN, which goes now"),
    order("bounding", "identity", "dropping from the bounding set needs CAP_SETPCAP, which uid 0 takes with it"),
    order("identity", "capabilities", "a change of uid rewrites the sets; what is set last stays"),
    order("identity", "program", "whether the program may be executed is asked as its user"),
    order("capabilities", "program", "CAP_DAC_OVERRIDE would find programs that the user cannot run"),
    order("fds", "created", "once it is created, others may look at init: nothing of the host may be open"),
    order("created", "gate", "init may outlive jec only when the state says that it can be started"),
    order("gate", "pid-file", "whoever reads the number may start or kill at once: init must not end with jec any more"),
    order("gate", "open-gate", "the door must be there before somebody opens it"),
    order("created", "exec", "create promises a process that waits; start lets it go"),
    order("open-gate", "hooks-start", "the specification has them as a part of start, not of create"),
    order("capabilities", "hooks-start", "a program of the image gets no more than the container's own"),
    order("hooks-start", "seccomp", "a hook is not what the filter was written for"),
    order("no-new-privs", "seccomp", "an unprivileged process may load a filter only after it"),
    order("seccomp", "exec", "the filter has to allow what jec itself still calls, so it comes as late as possible"),
    order("exec", "running", "the closing of the baton is the proof that the program runs"),
    order("running", "hooks-poststart", "they are told that the program runs, so it has to"),
    order("remove", "hooks-stop", "the specification has them after the container is deleted"),
    order("kill-all", "remove", "a cgroup with a process in it cannot be removed"),
];

/// Why each stage stands where it stands, in a line.
#[rustfmt::skip]
pub const WHY_HERE: &[(&str, &str)] = &[
    ("seal", "re-executing forgets everything, so nothing may have been made yet"),
    ("record", "what is made must already be written down when a crash comes"),
    ("console-socket", "init can name nothing of the host after the pivot"),
    ("filter", "a profile that cannot be compiled must fail before there is a process"),
    ("cgroup", "the process is born in it, so that nothing is counted elsewhere"),
    ("spawn-middle", "everything before it can fail without a process to clean up"),
    ("join", "with the host's privileges, before they are given up in a user namespace"),
    ("user-namespace", "every other namespace is to belong to this one"),
    ("time-namespace", "offsets are written while the namespace is empty; init is its first process"),
    ("id-map", "only a process outside the new namespace may write its map"),
    ("become-root", "before the map uid 0 did not exist; what is made next is to belong to it"),
    ("spawn-init", "what was joined, mapped and shifted before is what init is born into"),
    ("adopt", "the middle alone knew the number; everything later needs it"),
    ("limits", "on a process that exists, with privileges that it no longer has itself"),
    ("resctrl", "init is alone by now: whatever it makes is born in the same group"),
    ("net-devices", "with the host's privileges, before a hook or a sysctl counts on them"),
    ("mount-sources", "init's user namespace exists by now, and nothing is attached yet"),
    ("session", "the first thing inside, before anybody inside can look"),
    ("network", "it takes CAP_NET_ADMIN over the namespace, which init has now"),
    ("propagation", "before the first mount; each one made earlier would be the host's too"),
    ("overlay", "the layers can still be named on the host, and nothing is mounted on the root yet"),
    ("mounts", "the host's files are still there to be bound, and nothing leaks to it any more"),
    ("devices", "/dev is mounted by now, and the host's nodes can still be bound"),
    ("hooks-runtime", "all mounts are made, and nothing of the image has run"),
    ("hooks-container", "the last moment at which init sees the host's programs and the container's mounts"),
    ("pivot-root", "all that comes from the host has been bound; from now on nothing of it is needed"),
    ("console", "the terminal comes from the container's devpts, reached through its own root"),
    ("kernel-params", "while capabilities are held, and before /proc/sys becomes read-only"),
    ("masks", "all that had to be written into the root and /proc/sys has been written"),
    ("scheduling", "a process inherits its processors from jec; real-time policies need CAP_SYS_NICE, which goes soon"),
    ("labels", "a filter or a lost privilege could stand in the way later; it counts from execve on"),
    ("bounding", "dropping takes CAP_SETPCAP, which goes with the change of user"),
    ("identity", "after everything that only root may do, before the sets that a change of user rewrites"),
    ("capabilities", "the change of user has rewritten the sets; what is set now stays"),
    ("program", "whether a file may be executed is asked as the user that will do it"),
    ("fds", "nothing is opened after it that the program could keep"),
    ("created", "the last step of create: all that can fail in set-up has not"),
    ("gate", "all is made and written down; from here on another jec goes on"),
    ("pid-file", "whoever reads it finds a container that can be started"),
    ("open-gate", "the first thing that start does: whatever fails then is told to it"),
    ("hooks-start", "all is set up as for the program; only the filter that is its own is missing"),
    ("no-new-privs", "just before the filter that relies on it"),
    ("seccomp", "the later it comes, the less of jec's own calls it has to allow"),
    ("notify", "the listener exists, and the program must not run before somebody has it"),
    ("exec", "nothing of jec is left in this process after it"),
    ("running", "the closing of the baton is the proof that the program runs"),
    ("hooks-poststart", "they are told that it runs, and start has not returned"),
    ("kill-all", "a cgroup with a process in it cannot be removed"),
    ("remove", "everything that lived in what is removed has ended"),
    ("hooks-stop", "they are told that it is gone, so it has to be"),
];

const fn order(before: &'static str, after: &'static str, because: &'static str) -> Order {
    Order { before, after, because }
}

#[cfg(test)]
mod tests {
    use super::super::STAGES;
    use super::ORDER;

    #[test]
    fn stages_stand_in_the_order_that_the_reasons_demand() {
        let at = |name| {
            STAGES
                .iter()
                .position(|stage| stage.name == name)
                .unwrap_or_else(|| panic!("ORDER names {name:?}, which is no stage"))
        };
        for order in ORDER {
            assert!(
                at(order.before) < at(order.after),
                "{} must come before {}: {}",
                order.before,
                order.after,
                order.because
            );
        }
    }

    #[test]
    fn every_stage_says_why_it_stands_where_it_stands_and_what_to_read() {
        for stage in STAGES {
            assert!(!stage.why_here().is_empty(), "{}", stage.name);
            let lines: Vec<_> = stage.doc().collect();
            assert!((5..=12).contains(&lines.len()), "{}: {} lines", stage.name, lines.len());
            assert!(lines.join(" ").contains("See "), "{}", stage.name);
        }
    }

    #[test]
    fn every_stage_has_a_name_of_its_own() {
        for (at, stage) in STAGES.iter().enumerate() {
            assert!(STAGES[..at].iter().all(|other| other.name != stage.name), "{}", stage.name);
        }
    }
}
