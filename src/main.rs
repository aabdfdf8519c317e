//! The command line: parse, run one command, tell how it went.

use std::process::ExitCode;

use jec::cli::{self, Command};
use jec::commands::{self, say};

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let result = match &cli.command {
        Command::Run(args) => commands::run::run(&cli.global, args),
        Command::Spec(args) => commands::spec::run(args),
        Command::Create(args) => commands::create::run(&cli.global, args),
        Command::Start(args) => commands::start::run(&cli.global, args),
        Command::State(args) => commands::state::run(&cli.global, args),
        Command::Exec(args) => commands::exec::run(&cli.global, args),
        Command::Kill(args) => commands::kill::run(&cli.global, args),
        Command::Delete(args) => commands::delete::run(&cli.global, args),
        Command::Stages(args) => commands::stages::run(args),
        Command::Init(args) => commands::init::run(args),
    };
    match result {
        Ok(code) => code.into(),
        Err(failure) => {
            say(&failure.to_string());
            failure.exit_code().into()
        }
    }
}
