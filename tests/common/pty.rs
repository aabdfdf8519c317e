//! A user at a terminal: a pseudo terminal that the test makes, with a
//! program in a session of its own on it.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::bundle::sh;

/// The user's side.
pub struct Pty {
    /// The terminal's name, for stty.
    pub name: PathBuf,
    keyboard: std::fs::File,
    screen: Arc<Mutex<String>>,
    child: Child,
    // Held, so that the modes can be looked at after the program's end.
    _slave: OwnedFd,
}

impl Pty {
    /// Starts a program on a new terminal of 24 rows and 80 columns.
    ///
    /// None where this user may not open /dev/ptmx.
    pub fn start(command: &Command) -> Option<Self> {
        if std::fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx").is_err() {
            return None;
        }
        let pair = nix::pty::openpty(None, None).expect("openpty");
        let name = nix::unistd::ttyname(&pair.slave).expect("a name");
        sh(&format!("stty -F {} rows 24 cols 80", name.display())).ok();
        let end = || Stdio::from(pair.slave.try_clone().expect("dup"));
        let mut session = Command::new("setsid");
        session.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        let child = session.stdin(end()).stdout(end()).stderr(end()).spawn().expect("setsid");
        let keyboard = std::fs::File::from(pair.master);
        let mut display = keyboard.try_clone().expect("dup");
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = screen.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = display.read(&mut buffer) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Some(Self { name, keyboard, screen, child, _slave: pair.slave })
    }

    /// Types.
    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("the keyboard");
    }

    /// Waits until the screen shows this.
    #[track_caller]
    pub fn shows(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.screen().contains(text) {
            assert!(Instant::now() < deadline, "{text:?} is not on: {}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// All that has been shown.
    pub fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    /// `stty ARGS` of this terminal.
    pub fn stty(&self, args: &str) -> String {
        sh(&format!("stty -F {} {args}", self.name.display())).ok().out.trim().to_owned()
    }

    /// Waits for the program's end, at most thirty seconds.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "no end: {}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // The line hangs up with the last descriptor of the master; that ends a session.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
