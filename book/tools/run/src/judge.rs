//! What was seen against what the page says.

use anyhow::{Result, bail};
use snapbox::filter::NormalizeToExpected;
use snapbox::{Data, IntoData};

use crate::console::{self, Block, Step};
use crate::guest::{Seen, by_block};

/// What is wrong with a step, in words; nothing if all is as the page says.
pub fn problem(block: &Block, at: usize, seen: &Seen) -> Option<String> {
    let step = &block.steps[at];
    if seen.command != step.command {
        return Some(format!("not what was executed, which is: {}", seen.command));
    }
    if let Some(problem) = &seen.problem {
        return Some(format!("{problem}\nseen so far:\n{}", seen.output));
    }
    let stays = block.bg && at + 1 == block.steps.len();
    if let Some(status) = seen.status.filter(|_| stays) {
        let said = &seen.output;
        return Some(format!("it ended, with {status}, and the page says bg\nseen:\n{said}"));
    }
    let wanted = block.exit(at);
    if seen.status.is_some_and(|status| status != wanted) && !step.is_key() {
        let status = seen.status.unwrap_or_default();
        return Some(format!("exit status {status}, not {wanted}\nseen:\n{}", seen.output));
    }
    if seen.status.is_none() && wanted != 0 {
        return Some(format!("it has no exit status, and the page says {wanted}"));
    }
    (normalized(step, seen) != clean(&step.expected)).then(|| difference(step, seen))
}

/// The output, with `[..]` and `...` where the page has them and they fit.
fn normalized(step: &Step, seen: &Seen) -> String {
    let expected = Data::text(clean(&step.expected));
    let actual = clean(&seen.output).into_data();
    let data = NormalizeToExpected::new().redact().normalize(actual, &expected);
    data.render().unwrap_or_default()
}

/// Without blanks at the ends of lines, which nobody sees and editors remove.
fn clean(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

fn difference(step: &Step, seen: &Seen) -> String {
    let mut text = String::new();
    let written = snapbox::report::write_diff(
        &mut text,
        &Data::text(clean(&step.expected)),
        &Data::text(normalized(step, seen)),
        Some(&"the page"),
        Some(&"the machine"),
        snapbox::report::Palette::plain(),
    );
    match written {
        Ok(()) => text,
        Err(error) => error.to_string(),
    }
}

/// The chapter with the output that was seen. What fits already stays as it is.
pub fn bless(markdown: &str, blocks: &[Block], seen: &[Seen]) -> Result<String> {
    let mut text = markdown.to_owned();
    let mut changes = Vec::new();
    for (block, seen) in by_block(blocks, seen) {
        changes.push((block, blessed(block, seen)?));
    }
    // From the end, so that the places before stay true.
    for (block, new) in changes.into_iter().rev() {
        let all = &markdown[block.fenced.range.clone()];
        let (Some(first), Some(last)) = (all.lines().next(), all.trim_end().lines().last()) else {
            continue;
        };
        let indent = &last[..last.len() - last.trim_start().len()];
        let body: String = new
            .lines()
            .map(|line| if line.is_empty() { "\n".into() } else { format!("{indent}{line}\n") })
            .collect();
        let end = if all.ends_with('\n') { "\n" } else { "" };
        text.replace_range(block.fenced.range.clone(), &format!("{first}\n{body}{last}{end}"));
    }
    Ok(text)
}

fn blessed(block: &Block, seen: &[Seen]) -> Result<String> {
    let mut text = String::new();
    for (step, seen) in block.steps.iter().zip(seen) {
        let command = step.command.replace('\n', "\n> ");
        text.push_str(&format!("{}{command}\n", step.prompt));
        let output = normalized(step, seen);
        let like = |line: &&str| console::looks_like_a_command(line, block.prompt.as_deref());
        if let Some(line) = output.lines().find(like) {
            bail!("line {}: its output has a line that looks like a command: {line}", step.line);
        }
        text.push_str(&output);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(command: &str, output: &str, status: i32) -> Seen {
        Seen {
            command: command.into(),
            output: output.into(),
            status: Some(status),
            ..Seen::default()
        }
    }

    #[test]
    fn what_runs_in_the_background_must_not_end() {
        let block = &console::blocks("```console bg\n$ sleep 9\n```\n").unwrap()[0];
        assert!(problem(block, 0, &seen("sleep 9", "", 0)).unwrap().contains("it ended"));
        let running = Seen { command: "sleep 9".into(), ..Seen::default() };
        assert_eq!(problem(block, 0, &running), None);
    }

    const PAGE: &str = "a\n\n```console\n$ ps\nPID [..]\n...\nend\n```\n\nb\n";

    #[test]
    fn elisions_match_and_everything_else_must_be_the_same() {
        let block = &console::blocks(PAGE).unwrap()[0];
        assert_eq!(problem(block, 0, &seen("ps", "PID TTY \n1\n2\nend\n\n", 0)), None);
        for (seen, word) in [
            (seen("ps", "PID TTY\nend!\n", 0), "end!"),
            (seen("ps", "PID TTY\nend\n", 1), "exit status 1"),
            (seen("id", "PID TTY\nend\n", 0), "not what was executed"),
        ] {
            let problem = problem(block, 0, &seen).unwrap();
            assert!(problem.contains(word), "{problem}");
        }
    }

    #[test]
    fn blessing_writes_what_was_seen_and_keeps_elisions_that_fit() {
        let blocks = console::blocks(PAGE).unwrap();
        let new = bless(PAGE, &blocks, &[seen("ps", "PID TTY\n1\nEND\n", 0)]).unwrap();
        assert!(new.contains("$ ps\nPID [..]\n") && new.contains("END\n```\n\nb\n"), "{new}");
        let same = bless(PAGE, &blocks, &[seen("ps", "PID TTY\n1\nend\n", 0)]).unwrap();
        assert_eq!(same, PAGE);
        bless(PAGE, &blocks, &[seen("ps", "# no\n", 0)]).unwrap_err();
    }
}
