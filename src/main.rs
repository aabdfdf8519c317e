//! The command line: parse, run one command, tell how it went.

use std::process::ExitCode;

use jec::cli::{self, Command};
use jec::commands::create::seal;
use jec::commands::{self, open_proc, say};
use jec::error::Failure;

fn main() -> ExitCode {
    let line: Vec<_> = std::env::args_os().collect();
    // To parse the line costs 0.4 ms, and to be sealed is to begin anew: so it comes first.
    if cli::makes_a_process(&line)
        && let Err(failure) = open_proc().map_err(Into::into).and_then(|proc| seal(&proc))
    {
        return told(&failure);
    }
    let cli = match cli::parse(line) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let result = match &cli.command {
        Command::Run(args) => commands::run::run(&cli.global, args),
        Command::Spec(args) => commands::spec::run(args),
        Command::Create(args) => commands::create::run(&cli.global, args),
        Command::Start(args) => commands::start::run(&cli.global, args),
        Command::State(args) => commands::state::run(&cli.global, args),
        Command::Kill(args) => commands::kill::run(&cli.global, args),
        Command::Delete(args) => commands::delete::run(&cli.global, args),
        Command::Stages(args) => commands::stages::run(args),
        Command::Init(args) => commands::init::run(args),
    };
    match result {
        Ok(code) => code.into(),
        Err(failure) => told(&failure),
    }
}

fn told(failure: &Failure) -> ExitCode {
    say(&failure.to_string());
    failure.exit_code().into()
}
