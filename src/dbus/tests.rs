use std::ffi::CString;
use std::process::{Command, Stdio};

use super::*;

const METHOD: Method = Method { destination: "d", path: "/p", interface: "i", member: "M" };

#[test]
fn a_call_has_the_bytes_of_the_specification() {
    let mut body = Writer::default();
    body.text("x");
    let bytes = call(7, &METHOD, "s", &body);
    assert_eq!(bytes[..4], [b'l', 1, 0, 1]);
    assert_eq!(bytes[4..12], [6, 0, 0, 0, 7, 0, 0, 0]);
    assert_eq!(bytes[16..24], [1, 1, b'o', 0, 2, 0, 0, 0]);
    assert_eq!(length(&bytes), Some(bytes.len()));
    assert_eq!(bytes[bytes.len() - 6..], [1, 0, 0, 0, b'x', 0]);
    assert_eq!(parse(&bytes).unwrap().name, "M");
}

#[test]
fn values_are_aligned_to_their_own_size() {
    let mut body = Writer::default();
    let numbers = Value::Numbers(vec![1, 2]);
    body.properties(&[("a", Value::Number(5)), ("b", Value::Flag(true)), ("c", numbers)]);
    let expected: &[u8] = &[
        60, 0, 0, 0, 0, 0, 0, 0, // length, gap
        1, 0, 0, 0, b'a', 0, 1, b't', 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, // a
        1, 0, 0, 0, b'b', 0, 1, b'b', 0, 0, 0, 0, 1, 0, 0, 0, // b
        1, 0, 0, 0, b'c', 0, 2, b'a', b'u', 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, // c
    ];
    let mut expected = expected.to_vec();
    expected[0] = u8::try_from(expected.len() - 8).unwrap();
    assert_eq!(body.0, expected);
}

#[test]
fn a_torn_or_foreign_message_is_none() {
    let bytes = call(1, &METHOD, "", &Writer::default());
    for end in 0..bytes.len() - 8 {
        assert!(parse(&bytes[..end]).is_none(), "{end}");
    }
    assert!(parse(&[b'l', 4, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255]).is_none());
}

/// A bus of our own. It closes the connection on any malformed message.
pub(crate) struct Daemon {
    process: std::process::Child,
    socket: CString,
    _dir: tempfile::TempDir,
}

impl Daemon {
    /// None, with the reason, where there is no dbus-daemon.
    pub(crate) fn start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("bus");
        let address = format!("unix:path={}", socket.display());
        let daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--address", &address])
            .stderr(Stdio::null())
            .spawn();
        let path = CString::new(socket.to_str().unwrap()).unwrap();
        if daemon.is_err() {
            println!("SKIPPED: there is no dbus-daemon");
        }
        Some(Self { process: daemon.ok()?, socket: path, _dir: dir })
    }

    pub(crate) fn bus(&mut self) -> Bus {
        let connected = (0..500).find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            Bus::connect(&self.socket).ok()
        });
        connected.expect("a connection")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn a_real_bus_understands_us() {
    let Some(mut daemon) = Daemon::start() else {
        return;
    };
    let mut bus = daemon.bus();
    bus.listen_for("type='signal',member='JobRemoved'").unwrap();
    let mut body = Writer::default();
    body.text("jec-x.scope");
    body.text("fail");
    let pids = Value::Numbers(vec![std::process::id()]);
    body.properties(&[("Delegate", Value::Flag(true)), ("PIDs", pids)]);
    body.properties(&[]);
    let start = Method {
        destination: "org.freedesktop.systemd1",
        path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager",
        member: "StartTransientUnit",
    };
    let said = bus.call(&start, "ssa(sv)a(sa(sv))", &body).unwrap_err().to_string();
    assert!(said.contains("org.freedesktop.DBus.Error."), "{said}");
    assert!(said.contains("ServiceUnknown") || said.contains("Spawn"), "{said}");
}
