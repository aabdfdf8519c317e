//! A veth pair is a cable: what goes in at one end comes out at the other, in another namespace.
//!
//! A new network namespace has a loopback that is down, and nothing else. Two of them get a cable
//! and an address each. A socket stays in the namespace it was made in, so that one process can
//! stand at both ends. What is printed: a datagram's way. See network_namespaces(7), veth(4).

use std::error::Error;
use std::fs::{self, File};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::process::{Command, exit, id};
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{getgid, getuid};

fn main() -> Result<(), Box<dyn Error>> {
    become_root().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    unshare(CloneFlags::CLONE_NEWNET)?;
    let a = File::open("/proc/self/ns/net")?;
    holds(&format!("A has: {}", devices()?), devices()? == "lo")?;
    let errno = UdpSocket::bind("0.0.0.0:0")?.send_to(b"?", "10.9.8.2:7").err();
    let errno = errno.and_then(|error| error.raw_os_error()).map(nix::Error::from_raw);
    holds("A to 10.9.8.2: ENETUNREACH", errno == Some(nix::Error::ENETUNREACH))?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    let b = File::open("/proc/self/ns/net")?;

    setns(&a, CloneFlags::CLONE_NEWNET)?;
    ip("link add left type veth peer name right")?;
    // Our descriptor names the namespace; `ip netns` would keep a file for it instead.
    ip(&format!("link set right netns /proc/{}/fd/{}", id(), b.as_raw_fd()))?;
    ip("addr add 10.9.8.1/24 dev left")?;
    ip("link set left up")?;
    holds(&format!("A has: {}", devices()?), devices()? == "left lo")?;
    let sender = UdpSocket::bind("10.9.8.1:0")?;

    setns(&b, CloneFlags::CLONE_NEWNET)?;
    ip("addr add 10.9.8.2/24 dev right")?;
    ip("link set right up")?;
    holds(&format!("B has: {}", devices()?), devices()? == "lo right")?;
    let receiver = UdpSocket::bind("10.9.8.2:7")?;
    receiver.set_read_timeout(Some(Duration::from_secs(10)))?;

    sender.send_to(b"hello", "10.9.8.2:7")?;
    let mut data = [0; 16];
    let (length, from) = receiver.recv_from(&mut data)?;
    let text = String::from_utf8_lossy(&data[..length]);
    let claim = format!("B received {text:?} from {}", from.ip());
    holds(&claim, text == "hello" && from == sender.local_addr()?)
}

/// ip(8), in the network namespace in which we are.
fn ip(words: &str) -> Result<(), Box<dyn Error>> {
    println!("$ ip {words}");
    let done = Command::new("ip").args(words.split(' ')).status()?;
    if done.success() { Ok(()) } else { Err("ip failed".into()) }
}

/// The names of the devices, in order.
fn devices() -> std::io::Result<String> {
    let table = fs::read_to_string("/proc/self/net/dev")?;
    let names = table.lines().skip(2).filter_map(|line| line.split(':').next());
    let mut names: Vec<_> = names.map(str::trim).collect();
    names.sort_unstable();
    Ok(names.join(" "))
}

/// Root of a user namespace of its own may do all that follows, and nearly everybody can have one.
fn become_root() -> Result<(), Box<dyn Error>> {
    let (uid, gid) = (getuid(), getgid());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    Ok(())
}

fn skip(reason: &str) -> ! {
    println!("skipped: {reason}");
    exit(77)
}

/// Prints a claim that holds; one that does not ends the lesson with status 1.
fn holds(claim: &str, so: bool) -> Result<(), Box<dyn Error>> {
    if !so {
        return Err(format!("this does not hold: {claim}").into());
    }
    println!("{claim}");
    Ok(())
}
