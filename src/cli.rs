//! The command line of jec, and the flags that `jec run` and `jec spec` share.
//!
//! A flag's value is parsed here, by the small functions of [`crate::plan::flags`],
//! so a wrong one is refused with the flag's name before anything else happens.
//! What flags mean together is decided in `plan::flags`, which builds the spec.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::plan::flags::{
    capabilities::{self, CapabilityName},
    environment::{self, Variable},
    ids,
    kernel::{self, TimeOffset},
    mounts::{self, MountFlag},
    quantity::{self, Limit},
    rlimits::{self, UlimitFlag},
    seccomp::{self, SeccompFlag},
    target,
};
use crate::plan::user::UserFlag;
use crate::plan::{IdRange, user};

/// jec: just enough containment. A container runtime made to be read.
#[derive(Debug, Parser)]
#[command(
    name = "jec",
    bin_name = "jec",
    version,
    about = "Just enough containment: a container runtime made to be read.",
    after_help = "Start here: jec run (a shell in a container made from this machine's own /usr)",
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that may stand before or after the command, as in runc.
#[derive(Debug, Args)]
#[command(next_help_heading = "For every command")]
pub struct Global {
    /// Keep the state of containers in DIR [default: /run/jec]
    #[arg(long, value_name = "DIR", global = true)]
    pub root: Option<PathBuf>,
    /// Write messages to FILE instead of standard error
    #[arg(long, value_name = "FILE", global = true)]
    pub log: Option<PathBuf>,
    /// How messages look: text for people, json for programs
    #[arg(long, value_name = "FORMAT", global = true, value_enum, default_value_t)]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    pub log_format: LogFormat,
    /// Also write messages that only help to debug jec
    #[arg(long, global = true)]
    pub debug: bool,
}

/// The shape of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// An object a line, as engines expect it.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a command in a new container, and remove the container at its end
    Run(Box<RunArgs>),
    /// Print the config.json that the same flags of `jec run` stand for
    Spec(Box<SpecArgs>),
    /// Remove what is left of a container
    Delete(DeleteArgs),
    /// List the steps of a container's life, or explain one of them
    Stages(StagesArgs),
    /// Be process 1 of a container: reap orphans, pass signals on
    #[command(hide = true)]
    Init(InitArgs),
}

/// `jec run`
#[derive(Debug, Args)]
#[command(
    override_usage = "jec run [FLAGS] [TARGET] [--] [COMMAND…]",
    after_help = "EXAMPLES:
  jec run                                       a shell, in a root made from this machine's /usr
  jec run --memory 64M -- stress -m 1           the same root, 64 MiB of memory
  jec run ./rootfs                              a shell in the root file system ./rootfs
  jec run --hostname box ./rootfs ls -l /       a command in it
  jec run --bundle ./bundle mycontainer         what ./bundle/config.json says"
)]
pub struct RunArgs {
    /// Print each step and its system calls while they happen
    #[arg(long)]
    pub explain: bool,
    /// Take the container from DIR/config.json; TARGET is then its id [default: .]
    #[arg(short, long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
    /// Write the process id of the container's process 1 into FILE
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Keep the state after the end, until `jec delete`
    #[arg(long)]
    pub keep: bool,
    /// Remove the container at its end: what jec does anyway without --keep
    #[arg(long, conflicts_with = "keep")]
    pub rm: bool,
    /// What makes the container.
    #[command(flatten)]
    pub container: ContainerFlags,
}

/// `jec spec`
#[derive(Debug, Args)]
#[command(
    override_usage = "jec spec [FLAGS] [TARGET] [--] [COMMAND…]",
    after_help = "EXAMPLE:
  jec spec --memory 64M ./rootfs ls > config.json && jec run mycontainer"
)]
pub struct SpecArgs {
    /// What makes the container.
    #[command(flatten)]
    pub container: ContainerFlags,
}

/// `jec delete`
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// End the container first if it still runs
    #[arg(short, long)]
    pub force: bool,
    /// The container
    #[arg(value_name = "ID")]
    pub id: String,
}

/// `jec stages`
#[derive(Debug, Args)]
pub struct StagesArgs {
    /// Explain this stage only, e.g. pivot-root
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// `jec init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true)]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

/// What the container can see of the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Net {
    /// Only itself: a network namespace with nothing but loopback.
    #[default]
    None,
    /// Everything: the host's own network.
    Host,
}

/// Which user namespace the container lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Userns {
    /// The host's: root in the container is root.
    Host,
    /// A new one with the ranges of /etc/subuid, where there are any.
    Auto,
    /// A new one that knows a single user: yours, as root.
    Single,
}

/// The flags that make a container: the same for `jec run` and `jec spec`.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)]
pub struct ContainerFlags {
    /// Directory of a root file system (with a slash: ./rootfs) or the id of a
    /// container made from a bundle (without one); left out: a root made from
    /// this machine's own /usr. After it, or after `--`, comes the command
    /// with its arguments [default: /bin/sh]
    #[arg(value_name = "TARGET] [COMMAND", trailing_var_arg = true)]
    #[arg(allow_hyphen_values = false)]
    words: Vec<String>,
    /// The words of the command, once [`parse`] has told them from the target.
    #[arg(skip)]
    pub command: Vec<String>,
    /// A `--` stood before the command.
    #[arg(skip)]
    pub separated: bool,
    /// TARGET, as written.
    #[arg(skip)]
    pub target: Option<String>,
    /// The flags that were given, as written on the command line: `--memory`.
    #[arg(skip)]
    pub given: Vec<String>,

    /// The container's id: letters, digits and _ + . - [default: jec chooses]
    #[arg(long, value_name = "ID", value_parser = target::id)]
    pub name: Option<String>,
    /// Host name inside; at most 64 bytes, e.g. web1 [default: the id]
    #[arg(long, value_name = "NAME", value_parser = target::host_name)]
    pub hostname: Option<String>,
    /// NIS domain name inside, as `domainname` prints it
    #[arg(long, value_name = "NAME", value_parser = target::host_name)]
    pub domainname: Option<String>,

    /// Environment variable; without =VALUE a copy of your own, e.g. -e LANG=C -e EDITOR
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = environment::variable)]
    #[arg(help_heading = "Process")]
    pub env: Vec<Variable>,
    /// Directory to start in, e.g. /tmp [default: /]
    #[arg(short, long, value_name = "DIR", value_parser = mounts::destination)]
    #[arg(help_heading = "Process")]
    pub workdir: Option<String>,
    /// Who runs the command; names come from the root's own /etc/passwd, e.g. 1000:1000 or nobody
    #[arg(short, long, value_name = "USER[:GROUP]", value_parser = user::user_flag)]
    #[arg(help_heading = "Process")]
    pub user: Option<UserFlag>,
    /// Give the command a terminal of its own [default: if jec itself has one]
    #[arg(short, long, overrides_with = "no-tty", help_heading = "Process")]
    pub tty: bool,
    /// No terminal: standard input and output are passed on as they are
    #[arg(id = "no-tty", long, overrides_with = "tty", help_heading = "Process")]
    pub plain: bool,
    /// Accepted so that -it works: standard input always reaches the command
    #[arg(short, long, help_heading = "Process")]
    pub interactive: bool,
    /// Run a small process 1 before the command: it reaps orphans and passes signals on
    #[arg(long, help_heading = "Process")]
    pub init: bool,
    /// Resource limit: NAME=SOFT[:HARD] as in setrlimit(2), numbers or unlimited, e.g. nofile=1024:2048
    #[arg(long, value_name = "LIMIT", value_parser = rlimits::ulimit)]
    #[arg(help_heading = "Process")]
    pub ulimit: Vec<UlimitFlag>,
    /// Whom the kernel ends first when memory is short: -1000 (never) to 1000 (first)
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Process")]
    #[arg(value_parser = clap::value_parser!(i32).range(-1000..=1000))]
    pub oom_score_adj: Option<i32>,

    /// Most memory, in bytes or with K, M, G, T (powers of 1024), e.g. 64M. Swap has a limit of its own
    #[arg(short, long, value_name = "SIZE", value_parser = quantity::size_above_zero)]
    #[arg(help_heading = "Limits")]
    pub memory: Option<u64>,
    /// Memory above which the container is slowed down and made to give some back, e.g. 48M
    #[arg(long, value_name = "SIZE", value_parser = quantity::size_or_unlimited)]
    #[arg(help_heading = "Limits")]
    pub memory_high: Option<Limit>,
    /// Memory that the kernel tries not to take away from the container, e.g. 16M
    #[arg(long, value_name = "SIZE", value_parser = quantity::size)]
    #[arg(help_heading = "Limits")]
    pub memory_low: Option<u64>,
    /// Swap on top of --memory: 0 for none, e.g. 64M [default: unlimited]
    #[arg(long, value_name = "SIZE|unlimited", value_parser = quantity::size_or_unlimited)]
    #[arg(help_heading = "Limits")]
    pub swap: Option<Limit>,
    /// Most processor time, in processors: 0.5 is half of one, 2 is two (at least 0.01)
    #[arg(long, value_name = "N", value_parser = quantity::cpus, help_heading = "Limits")]
    pub cpus: Option<u64>,
    /// Share of processor time when there is too little, 1 to 10000; others have 100
    #[arg(long, value_name = "N", help_heading = "Limits")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub cpu_weight: Option<u16>,
    /// Processors to run on, e.g. 0-3,5
    #[arg(long, value_name = "LIST", value_parser = quantity::cpu_list, help_heading = "Limits")]
    pub cpuset: Option<String>,
    /// Most processes and threads together, e.g. 100 [default: 2048]
    #[arg(long, value_name = "N|unlimited", value_parser = quantity::count_or_unlimited)]
    #[arg(help_heading = "Limits")]
    pub pids: Option<Limit>,
    /// Share of disk time when there is too little, 1 to 10000; others have 100
    #[arg(long, value_name = "N", help_heading = "Limits")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub io_weight: Option<u16>,

    /// Show a file or directory of the host inside: SRC:DST[:ro], e.g. ./src:/src:ro
    #[arg(short, long, value_name = "SRC:DST", value_parser = mounts::volume, help_heading = "Files")]
    pub volume: Vec<MountFlag>,
    /// The same in words, e.g. type=bind,source=./src,target=/src,readonly
    #[arg(long, value_name = "WORDS", value_parser = mounts::mount, help_heading = "Files")]
    pub mount: Vec<MountFlag>,
    /// An empty directory in memory: DST[:OPTIONS], e.g. /scratch:size=16m,mode=1777
    #[arg(long, value_name = "DST", value_parser = mounts::tmpfs, help_heading = "Files")]
    pub tmpfs: Vec<MountFlag>,
    /// Make the root file system read-only
    #[arg(long, help_heading = "Files")]
    pub read_only: bool,

    /// Add a capability (capabilities(7)), e.g. NET_ADMIN, or ALL
    #[arg(long, value_name = "NAME", value_parser = capabilities::name, help_heading = "Security")]
    pub cap_add: Vec<CapabilityName>,
    /// Take a capability away, e.g. CHOWN, or ALL
    #[arg(long, value_name = "NAME", value_parser = capabilities::name, help_heading = "Security")]
    pub cap_drop: Vec<CapabilityName>,
    /// Filter of system calls: default, none, or a FILE with an OCI profile in JSON
    #[arg(long, value_name = "PROFILE", default_value = "default", help_heading = "Security")]
    #[arg(value_parser = seccomp::flag)]
    pub seccomp: SeccompFlag,
    /// Whether set-user-ID programs (sudo, su) gain nothing inside
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_value = "true", default_missing_value = "true", help_heading = "Security")]
    #[arg(action = clap::ArgAction::Set)]
    pub no_new_privs: bool,

    /// Network: none (only loopback) or host (the host's own, nothing kept apart)
    #[arg(long, value_enum, default_value_t, help_heading = "Namespaces")]
    #[arg(hide_possible_values = true)]
    pub net: Net,
    /// User namespace: host, auto (with the ranges of /etc/subuid) or single (one user) [default: host as root, else auto]
    #[arg(long, value_enum, help_heading = "Namespaces", hide_possible_values = true)]
    pub userns: Option<Userns>,
    /// A line of the user namespace's uid_map, e.g. 0:100000:65536
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT", value_parser = ids::range)]
    #[arg(help_heading = "Namespaces", conflicts_with = "userns")]
    pub uidmap: Vec<IdRange>,
    /// A line of its gid_map [default: the lines of --uidmap]
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT", value_parser = ids::range)]
    #[arg(help_heading = "Namespaces", conflicts_with = "userns", requires = "uidmap")]
    pub gidmap: Vec<IdRange>,
    /// Move a clock inside, in seconds: monotonic=3600 or boottime=-1.5
    #[arg(long, value_name = "CLOCK=SECONDS", value_parser = kernel::time_offset)]
    #[arg(help_heading = "Namespaces")]
    pub time_offset: Vec<TimeOffset>,
    /// A kernel parameter of the container's own namespaces, e.g. net.ipv4.ip_forward=1
    #[arg(long, value_name = "NAME=VALUE", value_parser = kernel::sysctl)]
    #[arg(help_heading = "Namespaces")]
    pub sysctl: Vec<(String, String)>,
}

/// Parses a whole command line, the program's name included.
///
/// The error prints itself (`exit`), `--help` and `--version` included.
pub fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let line: Vec<OsString> = line.into_iter().collect();
    let matches = Cli::command().try_get_matches_from(&line)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    let flags = match &mut cli.command {
        Command::Run(run) => &mut run.container,
        Command::Spec(spec) => &mut spec.container,
        _ => return Ok(cli),
    };
    if let Some((_, used)) = matches.subcommand() {
        flags.given = given(used);
    }
    flags.split_words(&line);
    Ok(cli)
}

/// The container's flags that stood on the line: derive makes a group of each struct.
fn given(used: &ArgMatches) -> Vec<String> {
    let flags = used.get_many::<clap::Id>("ContainerFlags");
    let names = flags.into_iter().flatten().map(clap::Id::as_str);
    names.filter(|id| *id != "words").map(|id| format!("--{}", id.replace('_', "-"))).collect()
}

impl ContainerFlags {
    /// Tells TARGET from COMMAND. After the first word everything is taken as
    /// it stands, so the words are the end of the line, and a `--` right before
    /// them means that there is no TARGET: clap does not say whether it saw one.
    fn split_words(&mut self, line: &[OsString]) {
        let mut words = std::mem::take(&mut self.words).into_iter().peekable();
        let before = line.len().checked_sub(words.len() + 1);
        self.separated = before.is_some_and(|at| line[at] == "--");
        if !self.separated {
            self.target = words.next();
            self.separated = words.next_if_eq("--").is_some();
        }
        self.command = words.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn clap_finds_no_contradiction_in_the_flags() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_fits_a_small_terminal() {
        let help = Cli::command().render_help().to_string();
        assert!(help.lines().count() <= 24, "{help}");
        assert!(!help.contains("init"), "hidden");
    }

    #[test]
    fn target_and_command_are_told_apart() {
        for (line, target, command) in [
            ("jec run", None, &[][..]),
            ("jec run --", None, &[]),
            ("jec run -- sh", None, &["sh"]),
            ("jec run --memory 64M -- sh -c x", None, &["sh", "-c", "x"]),
            ("jec run ./r", Some("./r"), &[]),
            ("jec run ./r sh -c x", Some("./r"), &["sh", "-c", "x"]),
            ("jec run ./r -- sh", Some("./r"), &["sh"]),
            ("jec run ./r -- -- sh", Some("./r"), &["--", "sh"]),
            ("jec run -- -- sh", None, &["--", "sh"]),
            ("jec run -t ./r --memory 64M", Some("./r"), &["--memory", "64M"]),
            ("jec run ./r ls --", Some("./r"), &["ls", "--"]),
            ("jec --root /x run --debug ./r", Some("./r"), &[]),
        ] {
            let Command::Run(run) = parsed(line).unwrap().command else { panic!("{line}") };
            assert_eq!(run.container.target.as_deref(), target, "{line}");
            assert_eq!(run.container.command, command, "{line}");
        }
    }

    #[test]
    fn only_flags_that_make_the_container_count_as_given() {
        let line = "jec run --explain --keep --root /x -m 1M --no-tty --cap-add ALL c1";
        let Command::Run(run) = parsed(line).unwrap().command else { panic!() };
        let mut given = run.container.given;
        given.sort();
        assert_eq!(given, ["--cap-add", "--memory", "--no-tty"]);
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in ["jec --root /x delete a", "jec delete --root /x a", "jec delete a --root /x"] {
            assert_eq!(parsed(line).unwrap().global.root, Some("/x".into()), "{line}");
        }
        let json = parsed("jec --log-format json --log f stages --json pivot-root").unwrap();
        assert_eq!(json.global.log_format, LogFormat::Json);
    }

    #[test]
    fn the_other_commands_take_what_they_need() {
        for line in
            ["jec", "jec delete", "jec init", "jec init --", "jec exec a", "jec run --rm --keep"]
        {
            assert!(parsed(line).is_err(), "{line}");
        }
        let Command::Init(init) = parsed("jec init -- ls -- -l").unwrap().command else { panic!() };
        assert_eq!(init.command, ["ls", "--", "-l"]);
        let Command::Delete(delete) = parsed("jec delete -f a").unwrap().command else { panic!() };
        assert!(delete.force && delete.id == "a");
    }
}
