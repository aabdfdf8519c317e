//! The command line: parse, run one command, tell how it went.

// Where it begins: src/sys/begin/lib.rs.
extern crate begin as _;

use std::process::ExitCode;

use jec::cli::{self, Cli, Command};
use jec::commands::{self, time};
use jec::{error::Failure, log, microscope};

fn main() -> ExitCode {
    let cli = cli::parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let result = log::open(&cli.global).map_err(Into::into).and_then(|()| run(&cli));
    let code = result.unwrap_or_else(|failure| {
        log::error(&failure.to_string());
        failure.exit_code()
    });
    microscope::end(code);
    code.into()
}

fn run(cli: &Cli) -> Result<u8, Failure> {
    match &cli.command {
        Command::Run(args) => time::told(args, || commands::run::run(&cli.global, args)),
        Command::Plan(args) => microscope::plan::run(&cli.global, args),
        Command::Spec(args) => commands::spec::run(args),
        Command::Create(args) => commands::create::run(&cli.global, args),
        Command::Start(args) => commands::start::run(&cli.global, args),
        Command::State(args) => commands::state::run(&cli.global, args),
        Command::Exec(args) => commands::exec::run(&cli.global, args),
        Command::Kill(args) => commands::kill::run(&cli.global, args),
        Command::Delete(args) => commands::delete::run(&cli.global, args),
        Command::List(args) => commands::list::run(&cli.global, args),
        Command::Ps(args) => commands::ps::run(&cli.global, args),
        Command::Pause(args) => commands::pause::run(&cli.global, args, true),
        Command::Resume(args) => commands::pause::run(&cli.global, args, false),
        Command::Update(args) => commands::update::run(&cli.global, args),
        Command::Events(args) => commands::events::run(&cli.global, args),
        Command::Features => commands::features::run(),
        Command::Stages(args) => commands::stages::run(args),
        Command::Tour(args) => microscope::tour::run(args),
        Command::Inspect(args) => commands::inspect::run(&cli.global, args),
        Command::Diff(args) => commands::diff::run(&cli.global, args),
        Command::Attack(args) => jec::attacks::run(args),
        Command::Image(args) => commands::image::run(&cli.global, args),
        Command::Pull(args) => commands::pull::run(args),
        Command::Unpack(args) => commands::unpack::run(&cli.global, args),
        Command::Init(args) => commands::init::run(args),
    }
}
