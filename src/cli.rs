//! The command line of jec, and the flags that `jec run` and `jec spec` share.
//!
//! A flag's value is parsed here, by the small functions of [`crate::plan::flags`],
//! so a wrong one is refused with the flag's name before anything else happens.
//! What flags mean together is decided in `plan::flags`, which builds the spec.

mod container;
mod engine;
mod exec;
mod image;
mod image_changes;
mod images;
mod later;
mod look;
mod making;
mod pull;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

pub use container::{ContainerFlags, Net, OverlayFlag, Userns};
pub use engine::{EventsArgs, Format, ListArgs, LogFormat, PsArgs, UpdateArgs};
pub use exec::ExecArgs;
pub use image::{ImageArgs, ImageCommand, ImageNameArgs, ImportArgs};
pub use image_changes::{ChangesArgs, CommitArgs};
pub use images::UnpackArgs;
pub use later::Later;
pub use look::{DiffArgs, InspectArgs, PlanArgs, StopArgs};
pub use making::{BeginArgs, EndsArgs, MakingArgs};
pub use pull::PullArgs;

use crate::microscope::tour::TourArgs;
use crate::skip::{self, Skipped};

/// jec: just enough containment. A container runtime made to be read.
#[derive(Debug, Parser)]
#[command(
    name = "jec",
    bin_name = "jec",
    version = concat!("version ", env!("CARGO_PKG_VERSION"), "\nspec: 1.3.0"),
    disable_version_flag = true,
    about = "Just enough containment: a container runtime made to be read.",
    after_help = "To look: tour, inspect, diff. To attack: attack. Roots: unpack, pull, image. For engines: list, …
Start here: jec run (a shell, made from this machine's own /usr), jec plan (how)",
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
    /// Append warnings and errors to FILE, too
    #[arg(long, value_name = "FILE", global = true, hide_short_help = true)]
    pub log: Option<PathBuf>,
    /// How lines of the log are written
    #[arg(long, value_name = "FORMAT", global = true, hide_short_help = true)]
    #[arg(value_enum, default_value = "text")]
    pub log_format: LogFormat,
    /// Accepted, because engines say it: `--explain` tells more
    #[arg(long, global = true, hide_short_help = true)]
    pub debug: bool,
    /// Let systemd make the cgroup; linux.cgroupsPath is then slice:prefix:name
    #[arg(long, global = true, hide_short_help = true)]
    pub systemd_cgroup: bool,
    /// Accepted, because engines say it: jec asks the kernel what it may do
    #[arg(long, value_name = "BOOL", global = true, hide_short_help = true)]
    #[arg(value_parser = ["true", "false", "auto"])]
    pub rootless: Option<String>,
    /// Print the version, and that of the specification
    #[arg(short = 'v', short_alias = 'V', long, action = clap::ArgAction::Version)]
    pub version: Option<bool>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a command in a new container, and remove the container at its end
    Run(Later<RunArgs>),
    /// Show what the same flags of `jec run` would do, stage by stage, and why
    #[command(hide = true)]
    Plan(Later<PlanArgs>),
    /// Print the config.json that the same flags of `jec run` stand for
    Spec(Later<SpecArgs>),
    /// Make a container from a bundle; its program waits for `start`
    Create(Later<CreateArgs>),
    /// Start the program of a created container
    Start(Later<IdArgs>),
    /// Print the state of a container, as JSON
    State(Later<IdArgs>),
    /// Run a further command in a running container
    Exec(Later<ExecArgs>),
    /// Send a signal to a container
    Kill(Later<KillArgs>),
    /// Remove what is left of a container
    Delete(Later<DeleteArgs>),
    /// List the containers
    #[command(hide = true)]
    List(Later<ListArgs>),
    /// Show the processes of a container
    #[command(hide = true)]
    Ps(Later<PsArgs>),
    /// Stop all processes of a container where they are
    #[command(hide = true)]
    Pause(Later<IdArgs>),
    /// Let the processes of a paused container go on
    #[command(hide = true)]
    Resume(Later<IdArgs>),
    /// Change the limits of a container
    #[command(hide = true)]
    Update(Later<UpdateArgs>),
    /// Print what a container uses, and when it runs out of memory, as lines of JSON
    #[command(hide = true)]
    Events(Later<EventsArgs>),
    /// Print what jec can do, as the specification's JSON
    #[command(hide = true)]
    Features,
    /// List the steps of a container's life, or explain one of them
    Stages(Later<StagesArgs>),
    /// Make a root file system out of an archive
    #[command(hide = true)]
    Unpack(Later<UnpackArgs>),
    /// List, show, import and remove images
    #[command(hide = true)]
    Image(Later<ImageArgs>),
    /// Fetch an image from a registry
    #[command(hide = true)]
    Pull(Later<PullArgs>),
    /// Walk through a run, stage by stage, on the whole terminal
    #[command(hide = true)]
    Tour(Later<TourArgs>),
    /// Show the kernel's view of a running container, beside that of the host
    #[command(hide = true)]
    Inspect(Later<InspectArgs>),
    /// Show what differs between two containers, processes or traces
    #[command(hide = true)]
    Diff(Later<DiffArgs>),
    /// Attack containers of its own, with everything on and without what stops the attack
    #[command(hide = true)]
    Attack(Later<crate::attacks::AttackArgs>),
    /// Be process 1 of a container: reap orphans, pass signals on
    #[command(hide = true)]
    Init(Later<InitArgs>),
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
  jec run --overlay ./rootfs                    nothing that it changes stays
  jec run oci:./alpine:3.22 ls                  a command in an image; changes do not stay
  jec run --bundle ./bundle mycontainer         what ./bundle/config.json says"
)]
pub struct RunArgs {
    /// How it is made.
    #[command(flatten)]
    pub making: MakingArgs,
    /// Return when the program has started; `jec delete` removes the container later
    #[arg(short, long, conflicts_with = "rm")]
    pub detach: bool,
    /// Keep the state after the end, until `jec delete`; with =DIR also what the container
    /// changes, in DIR instead of TARGET, and the next container with this DIR goes on there
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    pub keep: Option<Option<PathBuf>>,
    /// Remove the container at its end: what jec does anyway without --keep
    #[arg(long, conflicts_with = "keep")]
    pub rm: bool,
    /// Leave stages out, to see what they are for; a warning says what is open then, e.g.
    /// seccomp,no-new-privs. Not together with what engines say
    #[arg(long, value_name = "STAGE[,…]", value_delimiter = ',', value_parser = skip::stage)]
    #[arg(conflicts_with_all = ["detach", "console_socket", "pidfd_socket"])]
    pub skip: Vec<Skipped>,
    /// Print at the end what each step took, from when jec runs from its sealed copy
    #[arg(long)]
    pub time: bool,
    /// What --time tells, as JSON
    #[arg(long, requires = "time")]
    pub json: bool,
    /// Where to rest.
    #[command(flatten)]
    pub stop: StopArgs,
    /// What makes the container.
    #[command(flatten)]
    pub container: ContainerFlags,
}

impl RunArgs {
    /// Hands DIR of `--keep=DIR` on. Without it, a container that is left has its state anyway.
    fn keep_changes(&mut self) -> Result<&mut ContainerFlags, clap::Error> {
        if self.detach && self.keep == Some(None) {
            let text = "--detach keeps the state anyway, until `jec delete`: leave --keep out\n";
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, text));
        }
        self.container.changes = self.keep.clone().flatten();
        Ok(&mut self.container)
    }
}

/// `jec create`
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// How it is made.
    #[command(flatten)]
    pub making: MakingArgs,
    /// The container's id
    #[arg(value_name = "ID")]
    pub id: String,
}

/// The commands that take a container and nothing else
#[derive(Debug, Args)]
pub struct IdArgs {
    /// The container
    #[arg(value_name = "ID")]
    pub id: String,
}

/// `jec kill`
#[derive(Debug, Args)]
pub struct KillArgs {
    /// To every process of the container, not only to its process 1
    #[arg(short, long)]
    pub all: bool,
    /// The container
    #[arg(value_name = "ID")]
    pub id: String,
    /// A name (TERM, SIGKILL, RTMIN+3) or a number
    #[arg(value_name = "SIGNAL", default_value = "TERM", value_parser = crate::sys::signal::number)]
    pub signal: i32,
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

/// Parses a whole command line, the program's name included.
///
/// The error prints itself (`exit`), `--help` and `--version` included.
pub fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let line: Vec<OsString> = line.into_iter().collect();
    let matches = Cli::command().try_get_matches_from(&line)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    let flags = match &mut cli.command {
        Command::Run(run) => run.keep_changes()?,
        Command::Plan(plan) => &mut plan.container,
        Command::Spec(spec) => &mut spec.container,
        _ => return Ok(cli),
    };
    if let Some((_, used)) = matches.subcommand() {
        flags.given = given(used);
        flags.given.extend(flags.changes.as_ref().map(|_| "--keep=DIR".into()));
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
            ("jec --root /x run ./r", Some("./r"), &[]),
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
        let mut given = run.0.container.given;
        given.sort();
        assert_eq!(given, ["--cap-add", "--memory", "--no-tty"]);
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in ["jec --root /x delete a", "jec delete --root /x a", "jec delete a --root /x"] {
            assert_eq!(parsed(line).unwrap().global.root, Some("/x".into()), "{line}");
        }
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
