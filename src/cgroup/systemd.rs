//! The systemd driver: systemd makes the cgroup, as a unit of its own.
//!
//! On a machine that systemd has booted, the tree of cgroups is systemd's, which
//! tidies up what it does not know. A *scope* is a unit for processes that
//! somebody else has started. It needs one from its first moment: a small
//! process, the keeper, is in it until the container's own are born there.
//! `Delegate=yes` leaves the scope's cgroup to jec: limits are written as without
//! systemd, and told to systemd as well, which else would write its own when it
//! reloads its units.
//!
//! More: systemd.scope(5), org.freedesktop.systemd1(5).

use std::ffi::CString;

use nix::errno::Errno;
use nix::sched::CloneFlags;

use crate::dbus::{Bus, Method, Value, Writer};
use crate::error::{Error, Result, unless};
use crate::plan::Plan;
use crate::sys::process::{self, Child, clone3, exit_now, send};
use crate::sys::{attributes, signal};

/// A unit of systemd, and the bus where that systemd is.
pub(super) struct Scope {
    slice: String,
    unit: String,
    bus: CString,
}

/// A process that only is in a cgroup.
#[derive(Debug)]
pub struct Keeper(Child);

impl Drop for Keeper {
    fn drop(&mut self) {
        // That it cannot be killed means that it has ended.
        drop(send(&self.0, signal::KILL).and_then(|()| process::wait(&self.0)));
    }
}

impl Scope {
    /// linux.cgroupsPath as `slice:prefix:name`: the scope `prefix-name.scope` in that slice.
    pub(super) fn of(plan: &Plan, is_user: bool) -> Result<Self> {
        let none = format!(":jec:{}", plan.id);
        let path = plan.cgroup.path.as_deref().unwrap_or(&none);
        let wrong =
            |problem: &str| Error::config("linux.cgroupsPath", format!("{path:?} {problem}"));
        let parts: Vec<_> = path.split(':').collect();
        let [slice, prefix, name] = parts[..] else {
            return Err(wrong("is not slice:prefix:name, as --systemd-cgroup needs it"));
        };
        let slice = match slice {
            "" if is_user => "user.slice",
            "" => "system.slice",
            given => given,
        };
        let hyphen = if prefix.is_empty() { "" } else { "-" };
        let unit = format!("{prefix}{hyphen}{name}.scope");
        // systemd.unit(5)
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-@\\".contains(c);
        let is_name = unit.len() <= 255 && !name.is_empty() && unit.chars().all(plain);
        if !is_name || !slice.chars().all(plain) || expanded(slice).is_none() {
            return Err(wrong("names no slice, or no scope, of systemd"));
        }
        Ok(Self { slice: slice.into(), unit, bus: address(is_user)? })
    }

    /// Where systemd makes it, below `base`.
    pub(super) fn path(&self, base: &str) -> String {
        format!("{base}{}/{}", expanded(&self.slice).unwrap_or_default(), self.unit)
    }

    /// Has systemd start it, and waits until it has.
    pub(super) fn start(&self, limits: &[(String, String)]) -> Result<Keeper> {
        let keeper = clone3(CloneFlags::empty(), None, || {
            drop(attributes::set_name(c"jec:[KEEPER]"));
            drop(attributes::die_with_parent());
            drop(signal::watch(&[], None));
            exit_now(0)
        });
        let keeper = Keeper(keeper?);
        let mut bus = Bus::connect(&self.bus)?;
        bus.listen_for("type='signal',member='JobRemoved'")?;
        let mut properties = vec![
            ("Description", Value::Text(format!("jec container {}", self.unit))),
            ("Slice", Value::Text(self.slice.clone())),
            ("Delegate", Value::Flag(true)),
            ("DefaultDependencies", Value::Flag(false)),
            ("CollectMode", Value::Text("inactive-or-failed".into())),
            ("PIDs", Value::Numbers(vec![keeper.0.pid.cast_unsigned()])),
        ];
        properties.extend(limits.iter().flat_map(|(file, value)| property(file, value)));
        let mut body = Writer::default();
        body.text(&self.unit);
        body.text("fail");
        body.properties(&properties);
        body.properties(&[]);
        let job = bus.call(&manager("StartTransientUnit"), "ssa(sv)a(sa(sv))", &body)?;
        let result = bus.wait_for("JobRemoved", &job)?;
        if result == "done" {
            return Ok(keeper);
        }
        let lacks = format!("systemd could not start {}: {result}", self.unit);
        Err(Error::machine(lacks, format!("journalctl -u {}", self.unit)))
    }
}

/// A method of systemd's.
fn manager(member: &str) -> Method<'_> {
    Method {
        destination: "org.freedesktop.systemd1",
        path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager",
        member,
    }
}

/// Tells systemd of other limits, if the cgroup is a scope: it would write the old ones again.
pub fn tell(path: &str, limits: &[(String, String)]) -> Result<()> {
    let (above, unit) = path.rsplit_once('/').unwrap_or_default();
    let properties: Vec<_> =
        limits.iter().flat_map(|(file, value)| property(file, value)).collect();
    if unit.strip_suffix(".scope").is_none() || properties.is_empty() {
        return Ok(());
    }
    // ENOENT: there is no bus, so that it was no systemd that made a cgroup of this name.
    let bus = Bus::connect(&address(above.contains("/user@"))?);
    unless(&[Errno::ENOENT], bus)?.map_or(Ok(()), |bus| set_properties(bus, unit, &properties))
}

/// Until the machine ends, not for ever (`runtime`).
fn set_properties(mut bus: Bus, unit: &str, properties: &[(&str, Value)]) -> Result<()> {
    let mut body = Writer::default();
    body.text(unit);
    body.flag(true);
    body.properties(properties);
    bus.call(&manager("SetUnitProperties"), "sba(sv)", &body).map(drop)
}

/// `a-b.slice` lies in `a.slice`; none where it is the name of no slice.
fn expanded(slice: &str) -> Option<String> {
    let name = slice.strip_suffix(".slice")?;
    let (mut path, mut above) = (String::new(), String::new());
    for part in name.split('-').filter(|_| name != "-") {
        if part.is_empty() {
            return None;
        }
        path.extend(["/", &above, part, ".slice"]);
        above.extend([part, "-"]);
    }
    Some(path)
}

/// The system's systemd, or the one of a user, who may be root of a user namespace.
fn address(is_user: bool) -> Result<CString> {
    let (variable, mut path) = if is_user {
        let directory = std::env::var("XDG_RUNTIME_DIR").unwrap_or_default();
        ("DBUS_SESSION_BUS_ADDRESS", format!("{directory}/bus"))
    } else {
        ("DBUS_SYSTEM_BUS_ADDRESS", "/run/dbus/system_bus_socket".into())
    };
    let given = std::env::var(variable).unwrap_or_default();
    if let Some(rest) = given.strip_prefix("unix:path=") {
        path = rest.split([',', ';']).next().unwrap_or_default().into();
    }
    Ok(CString::new(path)?)
}

/// The properties of a unit that stand for a file of its cgroup.
fn property(file: &str, value: &str) -> Vec<(&'static str, Value)> {
    const MICROSECONDS: u64 = 1_000_000;
    let number = |text: &str| if text == "max" { Some(u64::MAX) } else { text.parse().ok() };
    let name = match file {
        "memory.max" => "MemoryMax",
        "memory.low" => "MemoryLow",
        "memory.high" => "MemoryHigh",
        "memory.min" => "MemoryMin",
        "memory.swap.max" => "MemorySwapMax",
        "pids.max" => "TasksMax",
        "cpu.weight" => "CPUWeight",
        "io.weight" => "IOWeight",
        "cpu.max" => "CPUQuotaPerSecUSec",
        // What systemd has no word for it lets be.
        _ => return Vec::new(),
    };
    let value = if file == "io.weight" { value.trim_start_matches("default ") } else { value };
    let (first, period) = value.split_once(' ').unwrap_or((value, "100000"));
    let (Some(first), Some(period)) = (number(first), number(period)) else { return Vec::new() };
    if file != "cpu.max" {
        return vec![(name, Value::Number(first))];
    }
    let quota =
        if first == u64::MAX { first } else { first.saturating_mul(MICROSECONDS) / period.max(1) };
    vec![(name, Value::Number(quota)), ("CPUQuotaPeriodUSec", Value::Number(period))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(path: Option<&str>, is_user: bool) -> Result<String> {
        let mut plan = Plan::nothing("c1");
        plan.cgroup.path = path.map(str::to_owned);
        Scope::of(&plan, is_user).map(|scope| scope.path(""))
    }

    #[test]
    fn the_path_is_where_systemd_makes_the_scope() {
        for (path, is_user, expected) in [
            (None, false, "/system.slice/jec-c1.scope"),
            (None, true, "/user.slice/jec-c1.scope"),
            (Some("machine.slice:libpod:abc"), false, "/machine.slice/libpod-abc.scope"),
            (Some("a-b-c.slice:cri:x"), false, "/a.slice/a-b.slice/a-b-c.slice/cri-x.scope"),
            (Some("-.slice::x"), false, "/x.scope"),
            (Some(":docker:x"), false, "/system.slice/docker-x.scope"),
        ] {
            assert_eq!(scope(path, is_user).unwrap(), expected, "{path:?}");
        }
    }

    #[test]
    fn what_names_no_scope_is_refused_by_its_property() {
        for path in [
            "/a",
            "a:b",
            "a.slice:b:c:d",
            "a:b:c",
            "a--b.slice:p:c",
            "a.slice:p:",
            "a.slice:p:../x",
            ".slice:p:x",
            "a.slice:p/q:x",
        ] {
            let error = scope(Some(path), false).unwrap_err().to_string();
            assert!(error.starts_with("linux.cgroupsPath: "), "{path}: {error}");
        }
    }

    #[test]
    fn a_real_bus_understands_that_limits_change() {
        let Some(mut daemon) = crate::dbus::tests::Daemon::start() else {
            return;
        };
        let new = [("MemoryMax", Value::Number(1)), ("CPUQuotaPeriodUSec", Value::Number(2))];
        let said = set_properties(daemon.bus(), "jec-x.scope", &new).unwrap_err().to_string();
        assert!(said.contains("org.freedesktop.DBus.Error."), "{said}");
    }

    #[test]
    fn only_a_scope_is_told_to_systemd() {
        let limit = [("memory.max".to_owned(), "1".to_owned())];
        assert_eq!(tell("/jec/c1", &limit), Ok(()));
        assert_eq!(tell("/system.slice/jec-c1.scope", &[]), Ok(()));
    }

    #[test]
    fn limits_have_the_names_and_units_of_systemd() {
        let number = |file, value| match &property(file, value)[..] {
            [(name, Value::Number(number)), ..] => (*name, *number),
            other => panic!("{other:?}"),
        };
        assert_eq!(number("memory.max", "67108864"), ("MemoryMax", 67_108_864));
        assert_eq!(number("pids.max", "max"), ("TasksMax", u64::MAX));
        assert_eq!(number("cpu.max", "50000 100000"), ("CPUQuotaPerSecUSec", 500_000));
        assert_eq!(number("cpu.max", "max 100000"), ("CPUQuotaPerSecUSec", u64::MAX));
        assert_eq!(number("io.weight", "default 10"), ("IOWeight", 10));
        assert_eq!(
            property("cpu.max", "1 20000")[1],
            ("CPUQuotaPeriodUSec", Value::Number(20_000))
        );
        assert!(property("memory.oom.group", "1").is_empty());
        assert!(property("io.weight", "8:0 10").is_empty());
    }
}
