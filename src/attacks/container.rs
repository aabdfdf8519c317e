//! A container that is attacked from inside, with or without what stops the attack.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sys::{signal::Signal, signalfd::SignalFd};
use serde::Serialize;
use serde_json::Value;

use super::programs::host::{Host, read, trouble};
use super::programs::openings::find;
use super::programs::{Attack, Seen};
use crate::error::Result;
use crate::sides::heed;
use crate::sys::signal::{READ, watch};

/// What came of an attack.
#[derive(Serialize)]
pub struct Ended {
    /// What it was answered: an errno, a signal, "reached", or "no harm".
    pub answer: String,
    /// The harm, as the host saw it.
    pub harm: Option<String>,
}

/// Attacks a container without these, and waits for its end.
pub fn attempt(
    host: &mut Host,
    attack: &Attack,
    without: &[&str],
    signals: &SignalFd,
) -> Result<Ended> {
    let spec = host.specify(attack).map_err(trouble)?;
    let Ok(config) = serde_json::from_slice(&spec.stdout) else {
        return Ok(failed(&String::from_utf8_lossy(&spec.stderr)));
    };
    let running = Running::start(host, attack, without, config).map_err(trouble)?;
    running.look(host, attack, signals)
}

/// A container with the attack in it.
struct Running {
    jec: Child,
    said: ChildStdout,
}

impl Running {
    /// With its openings.
    fn start(
        host: &Host,
        attack: &Attack,
        without: &[&str],
        mut config: Value,
    ) -> io::Result<Self> {
        let words = attack.setting.split(' ').chain(without.iter().copied());
        words.filter_map(find).try_for_each(|edit| edit(host, &mut config))?;
        fs::write(host.path("bundle/config.json"), config.to_string())?;
        let stages: Vec<_> = without.iter().copied().filter(|word| find(word).is_none()).collect();
        let runtime = Some(host.path("runtime")).filter(|runtime| runtime.exists());
        let mut command = Command::new(runtime.map_or_else(std::env::current_exe, Ok)?);
        command.arg("--root").arg(host.path("state")).arg("run").arg("--pid-file");
        command.arg(host.path("pid")).arg("--bundle").arg(host.path("bundle"));
        command.args((!stages.is_empty()).then(|| format!("--skip={}", stages.join(","))));
        // The id, by which the cgroup is found if all is killed.
        command.arg(format!("attack-{}", host.number));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut jec = command.stderr(File::create(host.path("errors"))?).spawn()?;
        let said = jec.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { jec, said })
    }

    /// The line that it says before it holds still; nothing if it ends, or says nothing for long.
    fn line(&mut self, signals: &SignalFd) -> Result<String> {
        let (mut line, mut byte) = (Vec::new(), [0]);
        while !line.ends_with(b"\n") {
            let watched = [(self.said.as_fd(), READ), (signals.as_fd(), READ)];
            let ready = watch(&watched, Some(Duration::from_secs(60)))?;
            heed(signals, "the attack")?;
            let came = ready[0].contains(READ) && self.said.read(&mut byte).map_err(trouble)? > 0;
            if !came && ready[1].is_empty() {
                break;
            }
            line.extend(byte.iter().filter(|_| came));
        }
        Ok(String::from_utf8_lossy(&line).trim_end().into())
    }

    /// What it says, and what the host says to that.
    fn look(mut self, host: &mut Host, attack: &Attack, signals: &SignalFd) -> Result<Ended> {
        let line = self.line(signals)?;
        let reached = line.strip_prefix("reached: ");
        let pid = read(host.path("pid")).parse().unwrap_or(0);
        let seen = Seen { pid, text: reached.unwrap_or_default().into() };
        // A signal, for one, takes its time.
        let harm = (0..if reached.is_some() { 30 } else { 1 }).find_map(|tried| {
            std::thread::sleep(Duration::from_millis(tried));
            (attack.harm)(host, &seen)
        });
        self.end();
        let status = self.jec.wait().map_err(trouble)?;
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        let answer = match (reached, &harm) {
            (_, Some(_)) => "reached".into(),
            (Some(_), None) => "no harm".into(),
            (None, None) if !line.is_empty() => line,
            _ => match Signal::try_from(code.unwrap_or(0) - 128) {
                Ok(signal) => signal.to_string(),
                Err(_) => return Ok(failed(&read(host.path("errors")))),
            },
        };
        Ok(Ended { answer, harm })
    }

    /// The end of its standard input is that of the attack; who does not heed it is killed.
    fn end(&mut self) {
        drop(self.jec.stdin.take());
        let gone = watch(&[(self.said.as_fd(), READ)], Some(Duration::from_secs(10)));
        if gone.is_ok_and(|ready| ready[0].is_empty()) {
            self.jec.kill().ok();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        self.jec.wait().ok();
    }
}

/// There was no container: what jec said last, beside its warnings.
fn failed(errors: &str) -> Ended {
    let is_error = |line: &&str| line.starts_with("jec") && !line.contains(": without ");
    let said = errors.lines().rfind(is_error).unwrap_or("jec said nothing");
    Ended { answer: said.into(), harm: None }
}
