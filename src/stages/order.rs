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
    order("mount-sources", "mounts", "they are id-mapped before they are attached; afterwards the kernel refuses"),
    order("session", "console", "only the leader of a session without a terminal can take one"),
    order("propagation", "mounts", "otherwise every mount of the container would appear on the host"),
    order("mounts", "devices", "/dev is a mount of the list"),
    order("devices", "pivot-root", "without mknod, nodes are bound from the host's /dev, which is gone after it"),
    order("pivot-root", "console", "the terminal must come from the container's own devpts"),
    order("kernel-params", "masks", "/proc/sys is made read-only by masks"),
    order("console", "masks", "/dev/console has to be made while the root is writable"),
    order("seccomp-early", "bounding", "without no_new_privs the filter needs CAP_SYS_ADMIN, which goes now"),
    order("bounding", "identity", "dropping from the bounding set needs CAP_SETPCAP, which uid 0 takes with it"),
    order("identity", "capabilities", "a change of uid rewrites the sets; what is set last stays"),
    order("identity", "program", "whether the program may be executed is asked as its user"),
    order("capabilities", "program", "CAP_DAC_OVERRIDE would find programs that the user cannot run"),
    order("fds", "created", "once it is created, others may look at init: nothing of the host may be open"),
    order("created", "exec", "create promises a process that waits; start lets it go"),
    order("no-new-privs", "seccomp", "an unprivileged process may load a filter only after it"),
    order("seccomp", "exec", "the filter has to allow what jec itself still calls, so it comes as late as possible"),
    order("exec", "running", "the closing of the baton is the proof that the program runs"),
    order("kill-all", "remove", "a cgroup with a process in it cannot be removed"),
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
    fn every_stage_has_a_name_of_its_own() {
        for (at, stage) in STAGES.iter().enumerate() {
            assert!(STAGES[..at].iter().all(|other| other.name != stage.name), "{}", stage.name);
        }
    }
}
