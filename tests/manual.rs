//! Man pages and completions come from the table of the command line, whole.

#[path = "../examples/manual.rs"]
mod manual;

use std::fs;

use clap::CommandFactory;
use jec::cli::Cli;

#[test]
fn every_command_has_its_page_and_every_flag_its_completion() {
    let dir = tempfile::tempdir().expect("a directory");
    manual::write(dir.path()).expect("written");
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect(name);
    let shells = ["jec.bash", "_jec", "jec.fish"].map(read);
    for command in Cli::command().get_subcommands() {
        let page = read(&format!("jec-{}.1", command.get_name()));
        for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
            // A hyphen of a man page is written `\-`.
            assert!(page.contains(&flag.replace('-', "\\-")), "{}: {flag}", command.get_name());
            for text in &shells {
                assert!(text.contains(flag), "{}: {flag}", command.get_name());
            }
        }
    }
    assert!(read("jec.1").contains("NAME"));
}
