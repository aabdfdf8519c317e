//! Inside the lab machine: terminals at which the reader's commands are typed.
//!
//! A terminal is a pseudo terminal with a bash on it, so that programs behave
//! as they do for a reader, jec included, which gives its container a terminal
//! only if it has one. The shell's prompt is a mark with the exit status of the
//! last command, and a command has ended when the mark is back. What has no end
//! (`bg`) is left alone as soon as the machine has nothing more to do.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::fcntl::OFlag;
use nix::pty;
use serde::{Deserialize, Serialize};

use crate::console::Block;

/// Where the reader is: a clone of the repository that is hers.
const HOME: &str = "/home/learner/jec";
/// So much patience with one command; an emulated machine is slow.
const PATIENCE: Duration = Duration::from_secs(120);
const TICK: Duration = Duration::from_millis(25);
/// Nothing may run for so many ticks before the machine counts as idle.
const IDLE_TICKS: u32 = 20;
/// The same where a shell's own prompt is there already, which says nearly as much.
const PROMPT_TICKS: u32 = 2;
/// The prompt is RECORD SEPARATOR, exit status, UNIT SEPARATOR.
const MARK: (char, char) = ('\u{1e}', '\u{1f}');

/// For every bash, those too that a command starts: the mark, and no line editing,
/// which would show what is typed a second time.
const SETTINGS: &str = "set +o emacs +o vi +o history; PS2= PS1=$'\\036$?\\037'\n";

/// Something that is typed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Typed {
    term: String,
    user: String,
    command: String,
    key: bool,
    until: Until,
}

/// When it is the next one's turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Until {
    /// The prompt is back.
    Prompt,
    /// The machine has nothing to do.
    Idle,
    /// A shell inside has printed its own prompt.
    Nested(String),
}

/// What was seen after a command.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Seen {
    /// What was typed.
    pub command: String,
    /// What appeared.
    pub output: String,
    /// The exit status; none of a command that did not end, or ran in a nested shell.
    pub status: Option<i32>,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// What went wrong with the execution itself.
    pub problem: Option<String>,
}

/// The blocks that are executed, each with what was seen of its steps.
pub fn by_block<'a>(
    blocks: &'a [Block],
    seen: &'a [Seen],
) -> impl Iterator<Item = (&'a Block, &'a [Seen])> {
    let mut rest = seen;
    blocks.iter().filter(|block| block.norun.is_none()).map(move |block| {
        let (here, others) = rest.split_at(block.steps.len().min(rest.len()));
        rest = others;
        (block, here)
    })
}

/// What a machine has to tell.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    /// `uname -r`
    pub kernel: String,
    /// In the order in which it was typed.
    pub seen: Vec<Seen>,
}

/// What is to be typed for these blocks, in the reader's order.
pub fn script(blocks: &[Block]) -> Vec<Typed> {
    let mut typed: Vec<Typed> = Vec::new();
    for block in blocks.iter().filter(|block| block.norun.is_none()) {
        for (at, step) in block.steps.iter().enumerate() {
            let is_last = at + 1 == block.steps.len();
            let before = typed.iter_mut().rev().find(|before| before.term == block.term);
            // A key, or a shell inside, belongs to who typed last at this terminal.
            let inside = block.is_nested(step);
            let user = match &before {
                Some(before) if inside || step.is_key() => before.user.clone(),
                _ => block.user(step).to_owned(),
            };
            if let Some(before) = before.filter(|_| inside) {
                before.until = Until::Nested(step.prompt.clone());
            }
            typed.push(Typed {
                term: block.term.clone(),
                user,
                command: step.command.clone(),
                key: step.is_key(),
                until: if block.bg && is_last { Until::Idle } else { Until::Prompt },
            });
        }
    }
    typed
}

/// Makes everything ready, says so at the port, and waits there: what comes next comes in a
/// copy of this machine. The JSON that [`script`] made comes in, [`Told`] goes out.
pub fn run() -> Result<String> {
    clone_the_repository()?;
    fs::write("/etc/bash.bashrc", SETTINGS)?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned();
    let mut terminals: BTreeMap<(String, String), Terminal> = BTreeMap::new();
    for user in ["learner", "root"] {
        terminals.insert(("A".to_owned(), user.to_owned()), Terminal::open(user)?);
    }
    let mut port = port()?;
    port.write_all(b"ready\n")?;
    let mut text = String::new();
    BufReader::new(port).read_line(&mut text)?;
    let Orders { script, chance }: Orders = serde_json::from_str(&text)?;
    be_another_machine(chance)?;
    let mut seen = Vec::new();
    for typed in &script {
        let place = (typed.term.clone(), typed.user.clone());
        if !terminals.contains_key(&place) {
            terminals.insert(place.clone(), Terminal::open(&typed.user)?);
        }
        let terminal = terminals.get_mut(&place).context("it was opened")?;
        let result = terminal.execute(typed)?;
        if result.problem.is_some() && !terminal.interrupt()? {
            terminals.remove(&place);
        }
        seen.push(result);
    }
    Ok(serde_json::to_string(&Told { kernel, seen })?)
}

/// What a machine is told: what to type, and a number that no other machine gets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Orders {
    /// In this order.
    pub script: Vec<Typed>,
    /// Makes it differ from its sisters.
    pub chance: u16,
}

/// The port that book/tools/machine knows, see tests/vm/init.
fn port() -> Result<File> {
    for entry in fs::read_dir("/sys/class/virtio-ports")? {
        let entry = entry?;
        if fs::read_to_string(entry.path().join("name"))?.trim() == "lab.script" {
            let device = Path::new("/dev").join(entry.file_name());
            return OpenOptions::new().read(true).write(true).open(device).context("lab.script");
        }
    }
    bail!("there is no port lab.script")
}

/// Machines that were one would give the same numbers to processes and to whoever asks for
/// random ones, and hide from the page that these differ from run to run.
fn be_another_machine(chance: u16) -> Result<()> {
    fs::write("/dev/urandom", chance.to_le_bytes())?;
    let last = 1000 + chance % 20_000;
    fs::write("/proc/sys/kernel/ns_last_pid", last.to_string()).context("ns_last_pid")
}

/// The reader's own clone, jec where `tests/setup` puts it, and nothing that tells where
/// the repository lies on the machine that made this one.
fn clone_the_repository() -> Result<()> {
    let script = format!(
        "set -e
        mkdir {HOME}
        tar -C /lab/repository --exclude=./target -cf - . | tar -C {HOME} -xf -
        chown -R learner:learner {HOME}
        for link in /usr/local/bin/*; do
            cp --remove-destination \"$(readlink -f $link)\" $link
        done
        cd /
        umount -l \"$CARGO_MANIFEST_DIR\"
        rmdir -p \"$CARGO_MANIFEST_DIR\" 2>/dev/null || true"
    );
    let status = Command::new("sh").args(["-c", &script]).status()?;
    if !status.success() {
        bail!("the repository could not be copied: {status}");
    }
    Ok(())
}

struct Terminal {
    master: File,
    output: Receiver<Vec<u8>>,
    // Kept for as long as the terminal is used.
    _shell: Child,
    /// A `bg` command has not given the prompt back.
    busy: bool,
}

impl Terminal {
    fn open(user: &str) -> Result<Self> {
        let master = pty::posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
        pty::grantpt(&master)?;
        pty::unlockpt(&master)?;
        let path = pty::ptsname_r(&master)?;
        let noctty = OFlag::O_NOCTTY.bits();
        let slave = OpenOptions::new().read(true).write(true).custom_flags(noctty).open(&path)?;
        let mut shell = shell(user, &path)?;
        for stream in [Command::stdin, Command::stdout, Command::stderr] {
            stream(&mut shell, Stdio::from(slave.try_clone()?));
        }
        let shell = shell.spawn().context("setsid, of Debian's util-linux")?;
        let master = File::from(OwnedFd::from(master));
        let output = listen(master.try_clone()?);
        let mut terminal = Self { master, output, _shell: shell, busy: false };
        terminal.wait(&Until::Prompt);
        terminal.type_text(&format!("stty -echo rows 24 cols 80; cd {HOME}\n"))?;
        match terminal.wait(&Until::Prompt) {
            Ended::Prompt(_) => Ok(terminal),
            other => bail!("no shell for {user}: {}", other.text()),
        }
    }

    fn execute(&mut self, typed: &Typed) -> Result<Seen> {
        let begin = Instant::now();
        let mut seen = Seen { command: typed.command.clone(), ..Seen::default() };
        if self.busy && !typed.key {
            // The command of `bg` should have ended by now, by what happened elsewhere.
            if let Ended::Late(text) = self.wait(&Until::Prompt) {
                seen.problem = Some("the command before it, with `bg`, does not end".into());
                seen.output = text;
                return Ok(seen);
            }
        }
        self.type_text(&match &*typed.command {
            "^C" => "\u{3}".into(),
            "^D" => "\u{4}".into(),
            command => format!("{command}\n"),
        })?;
        let ended = self.wait(&typed.until);
        self.busy = matches!(typed.until, Until::Idle) && !matches!(ended, Ended::Prompt(_));
        seen.output = without_echo(ended.text(), &typed.command, typed.key);
        match ended {
            Ended::Prompt((_, status)) => seen.status = Some(status),
            Ended::Late(_) => seen.problem = Some(format!("no end after {PATIENCE:?}")),
            Ended::Left(_) => {}
        }
        seen.ms = u64::try_from(begin.elapsed().as_millis())?;
        Ok(seen)
    }

    fn type_text(&mut self, text: &str) -> Result<()> {
        Ok(self.master.write_all(text.as_bytes())?)
    }

    /// Whether Ctrl-C brings the prompt back.
    fn interrupt(&mut self) -> Result<bool> {
        self.type_text("\u{3}")?;
        Ok(matches!(self.wait(&Until::Idle), Ended::Prompt(_)))
    }

    fn wait(&mut self, until: &Until) -> Ended {
        let begin = Instant::now();
        let (mut bytes, mut idle) = (Vec::new(), 0);
        loop {
            match self.output.recv_timeout(TICK) {
                Ok(more) => {
                    bytes.extend(more);
                    idle = 0;
                }
                Err(RecvTimeoutError::Timeout) if is_idle() => idle += 1,
                Err(RecvTimeoutError::Timeout) => idle = 0,
                Err(RecvTimeoutError::Disconnected) => return Ended::Late(plain(&bytes)),
            }
            let text = plain(&bytes);
            if let Some(status) = marked(&text) {
                return Ended::Prompt(status);
            }
            let left = match until {
                Until::Prompt => None,
                Until::Idle => Some((text.clone(), IDLE_TICKS)),
                Until::Nested(prompt) => {
                    let before = text.strip_suffix(prompt.as_str());
                    before.map(|before| (before.to_owned(), PROMPT_TICKS))
                }
            };
            match left {
                Some((text, ticks)) if idle >= ticks => return Ended::Left(text),
                _ if begin.elapsed() > PATIENCE => return Ended::Late(text),
                _ => {}
            }
        }
    }
}

enum Ended {
    Prompt((String, i32)),
    Left(String),
    Late(String),
}

impl Ended {
    fn text(&self) -> &str {
        match self {
            Self::Prompt((text, _)) | Self::Left(text) | Self::Late(text) => text,
        }
    }
}

/// A bash with our settings alone, in a session of its own on this terminal.
fn shell(user: &str, terminal: &str) -> Result<Command> {
    let mut words = vec!["setsid", "--ctty", "--wait", "bash", "-i"];
    let home = match user {
        "root" => "/root",
        "learner" => {
            words.insert(0, "as-learner");
            std::os::unix::fs::chown(terminal, Some(1000), None)?;
            "/home/learner"
        }
        other => bail!("there is no user {other}: root or learner"),
    };
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env_clear().env("HOME", home).env("USER", user);
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("LANG", "C.UTF-8").env("TERM", "xterm").env("SHELL", "/bin/bash");
    // Nobody's ~/.bashrc: it would set the prompt.
    fs::remove_file(format!("{home}/.bashrc")).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    Ok(command)
}

/// What the terminal shows, as it comes. EIO, the end, is when nobody has it open any more.
fn listen(mut master: File) -> Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count) = master.read(&mut buffer) {
            if count == 0 || send.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receive
}

/// Whether nothing runs but this process: field 4 of /proc/loadavg, proc_loadavg(5).
fn is_idle() -> bool {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').nth(3).is_some_and(|field| field.starts_with("1/"))
}

/// The text before the mark, and the status in it.
fn marked(text: &str) -> Option<(String, i32)> {
    let (before, status) = text.strip_suffix(MARK.1)?.rsplit_once(MARK.0)?;
    // A mark inside is that of an empty line, or of a command that ended late.
    let before = before.rsplit(MARK.1).next().unwrap_or(before);
    Some((before.to_owned(), status.parse().ok()?))
}

/// Text as a reader sees it: no carriage returns, no colours, no questions to the terminal.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' | '\u{7}' => {}
            // ECMA-48: ESC [ parameters, then one final byte from @ to ~.
            '\u{1b}' if characters.next_if_eq(&'[').is_some() => {
                characters.find(|next| ('@'..='~').contains(next));
            }
            '\u{1b}' => drop(characters.next()),
            _ => out.push(character),
        }
    }
    out
}

/// A nested shell shows what is typed, a terminal shows keys as `^C`; the page has them already.
fn without_echo(text: &str, command: &str, is_key: bool) -> String {
    let echo = text.strip_prefix(command);
    let rest = echo.and_then(|rest| rest.strip_prefix('\n').or(is_key.then_some(rest)));
    rest.unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console;

    #[test]
    fn the_mark_ends_a_command_and_tells_its_status() {
        assert_eq!(marked("a\nb\n\u{1e}12\u{1f}"), Some(("a\nb\n".into(), 12)));
        assert_eq!(marked("\u{1e}0\u{1f}late\n\u{1e}1\u{1f}"), Some(("late\n".into(), 1)));
        assert_eq!(marked("a\n"), None);
    }

    #[test]
    fn a_reader_sees_no_escape_sequences() {
        assert_eq!(plain(b"\x1b[1mbold\x1b[0m\r\n\x1b[6n/ # "), "bold\n/ # ");
        assert_eq!(without_echo("id\nuid=0\n", "id", false), "uid=0\n");
        assert_eq!(without_echo("idle\n", "id", false), "idle\n");
        assert_eq!(without_echo("^C", "^C", true), "");
    }

    #[test]
    fn each_command_is_waited_for_in_its_own_way() {
        let page = "```console prompt=\"/ # \"\n$ sh\n/ # id\n/ # exit\n```\n\
                    ```console term=B bg\n$ id\n$ sleep 9\n```\n```console term=B\n^C\n$ id\n```\n";
        let typed = script(&console::blocks(page).unwrap());
        let until: Vec<_> = typed.iter().map(|typed| format!("{:?}", typed.until)).collect();
        let nested = r#"Nested("/ # ")"#;
        assert_eq!(until, [nested, nested, "Prompt", "Prompt", "Idle", "Prompt", "Prompt"]);
    }
}
