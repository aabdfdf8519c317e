//! As much of D-Bus as it takes to ask systemd for a cgroup, and no more.
//!
//! A message is a header (type, serial number, fields such as PATH and MEMBER)
//! and a body of values, each aligned to its own size. The crates that speak it
//! bring threads and ninety others; jec clones, so it must have one thread, and
//! needs three calls and one signal. Nothing here runs without --systemd-cgroup.
//!
//! More: the D-Bus specification, "Message Protocol", "Authentication Protocol".

mod message;

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::sys::signal::{READ, watch};
use crate::sys::{file, socket};
use message::{ERROR, Message, Reader, SIGNAL, call, length, parse};
pub use message::{Method, Value, Writer};

/// How long the other side may take for an answer, or for a job.
const PATIENCE: Duration = Duration::from_secs(30);

/// No message that we wait for is longer.
const LONGEST: usize = 1 << 20;

/// A connection to a bus.
pub struct Bus {
    socket: OwnedFd,
    serial: u32,
    /// What has been read and not been taken yet.
    received: Vec<u8>,
    deadline: Instant,
}

impl Bus {
    /// Connects, and proves who we are: the kernel tells the other side our user, so that no
    /// number is said (in a user namespace it would be the wrong one).
    pub fn connect(path: &CStr) -> Result<Self> {
        let socket = socket::connect(path, socket::SockType::Stream)?;
        file::write(socket.as_fd(), b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")?;
        let deadline = Instant::now() + PATIENCE;
        let mut bus = Self { socket, serial: 0, received: Vec::new(), deadline };
        loop {
            let end = bus.received.windows(2).position(|pair| pair == b"\r\n");
            let Some(end) = end else {
                bus.read_more()?;
                continue;
            };
            let line: Vec<u8> = bus.received.drain(..end + 2).take(end).collect();
            if line.starts_with(b"OK ") {
                break;
            } else if line != b"DATA" {
                let said = String::from_utf8_lossy(&line).into_owned();
                return Err(Error::differs(format!("the bus {path:?}"), "OK", said));
            }
        }
        let bus_itself = Method {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "Hello",
        };
        bus.call(&bus_itself, "", &Writer::default())?;
        Ok(bus)
    }

    /// Asks for the signals that fit.
    pub fn listen_for(&mut self, rule: &str) -> Result<()> {
        let mut body = Writer::default();
        body.text(rule);
        let add_match = Method {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "AddMatch",
        };
        self.call(&add_match, "s", &body).map(drop)
    }

    /// Calls a method and waits for its answer, of which it gives the first text.
    pub fn call(&mut self, method: &Method, signature: &str, body: &Writer) -> Result<String> {
        self.serial += 1;
        file::write(self.socket.as_fd(), &call(self.serial, method, signature, body))?;
        loop {
            let message = self.next()?;
            if message.reply_to != self.serial {
                continue;
            }
            let text = Reader(&message.body, 0).text().unwrap_or_default().to_owned();
            if message.kind == ERROR {
                let found = format!("{}: {text}", message.name);
                return Err(Error::differs(format!("D-Bus {}", method.member), "an answer", found));
            }
            return Ok(text);
        }
    }

    /// Waits for a signal `uoss` of this name about this object, and gives its last text.
    pub fn wait_for(&mut self, signal: &str, object: &str) -> Result<String> {
        loop {
            let message = self.next()?;
            let mut body = Reader(&message.body, 0);
            if message.kind == SIGNAL && message.name == signal && body.number().is_some() {
                let texts = [body.text(), body.text(), body.text()];
                if let [Some(about), _, Some(last)] = texts
                    && about == object
                {
                    return Ok(last.to_owned());
                }
            }
        }
    }

    fn next(&mut self) -> Result<Message> {
        loop {
            let length = length(&self.received).unwrap_or(0);
            if length > LONGEST {
                return Err(Error::differs("D-Bus", "a message", format!("{length} bytes")));
            }
            if length > 0 && self.received.len() >= length {
                let bytes: Vec<u8> = self.received.drain(..length).collect();
                let none = || Error::differs("D-Bus", "a message", "something else");
                return parse(&bytes).ok_or_else(none);
            }
            self.read_more()?;
        }
    }

    fn read_more(&mut self) -> Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if !watch(&[(self.socket.as_fd(), READ)], Some(left))?[0].contains(READ) {
            return Err(Error::differs("D-Bus", "an answer", format!("none in {PATIENCE:?}")));
        }
        let mut buffer = [0; 4096];
        let count = file::read(self.socket.as_fd(), &mut buffer)?;
        if count == 0 {
            return Err(Error::differs("D-Bus", "an answer", "the end of the connection"));
        }
        self.received.extend(&buffer[..count]);
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
