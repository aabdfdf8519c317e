//! A `console` block: what is typed, where, by whom, and what is to be seen.

use anyhow::{Context, Result, bail};

use crate::chapter::{self, Fenced};

/// A block whose first word is `console`.
#[derive(Debug, Clone)]
pub struct Block {
    /// The block as it stands in the chapter.
    pub fenced: Fenced,
    /// `term=B`: the terminal.
    pub term: String,
    /// `user=NAME`: who types after `$`.
    pub user: String,
    /// `exit=N`: the exit status of the last command.
    pub exit: i32,
    /// `bg`: the last command does not end.
    pub bg: bool,
    /// `norun="reason"`: not executed.
    pub norun: Option<String>,
    /// `prompt="/ # "`: the prompt of a shell that was started in this terminal.
    pub prompt: Option<String>,
    /// The commands.
    pub steps: Vec<Step>,
}

/// A command and its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its line in the chapter, from 1.
    pub line: usize,
    /// The prompt it stands after.
    pub prompt: String,
    /// What is typed: a command of one or more lines, or a key.
    pub command: String,
    /// What is to be seen, a line feed at the end of each line.
    pub expected: String,
}

/// The keys that can be pressed: a line of their own.
const KEYS: [&str; 2] = ["^C", "^D"];

impl Step {
    /// Whether a key is pressed instead of a command typed.
    pub fn is_key(&self) -> bool {
        KEYS.contains(&&*self.command)
    }
}

impl Block {
    /// Who types this step.
    pub fn user<'a>(&'a self, step: &Step) -> &'a str {
        if step.prompt == "# " { "root" } else { &self.user }
    }

    /// The exit status that this step is to have.
    pub fn exit(&self, step: usize) -> i32 {
        if step + 1 == self.steps.len() { self.exit } else { 0 }
    }

    /// Whether it was typed into a shell that was started in this terminal.
    pub fn is_nested(&self, step: &Step) -> bool {
        self.prompt.as_ref() == Some(&step.prompt)
    }
}

/// The console blocks of a chapter.
pub fn blocks(markdown: &str) -> Result<Vec<Block>> {
    let all = chapter::fenced(markdown);
    let console = all.into_iter().filter(|block| {
        let language = block.info.split([' ', ',']).next();
        language == Some("console")
    });
    console
        .map(|fenced| {
            let line = fenced.line;
            parse(fenced).with_context(|| format!("the block in line {line}"))
        })
        .collect()
}

fn parse(fenced: Fenced) -> Result<Block> {
    let mut block = Block {
        term: "A".into(),
        user: "learner".into(),
        exit: 0,
        bg: false,
        norun: None,
        prompt: None,
        steps: Vec::new(),
        fenced,
    };
    for word in words(&block.fenced.info)?.into_iter().skip(1) {
        match word.split_once('=').unwrap_or((&word, "")) {
            ("term", name) => name.clone_into(&mut block.term),
            ("user", name) => name.clone_into(&mut block.user),
            ("exit", number) => block.exit = number.parse().context("exit= takes a number")?,
            ("bg", "") => block.bg = true,
            ("norun", reason) if !reason.is_empty() => block.norun = Some(reason.to_owned()),
            ("prompt", text) if !text.is_empty() => block.prompt = Some(text.to_owned()),
            _ => bail!("{word:?} is no fence word: term= user= exit= bg prompt= norun="),
        }
    }
    block.steps = steps(&block)?;
    Ok(block)
}

/// Splits at spaces, except between double quotes.
fn words(info: &str) -> Result<Vec<String>> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in info.chars() {
        match character {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().context("never empty")?.push(character),
        }
    }
    if quoted {
        bail!("a quote is not closed");
    }
    words.retain(|word| !word.is_empty());
    Ok(words)
}

/// The prompt that a line begins with, if it is a command.
fn prompt<'a>(line: &'a str, own: Option<&str>) -> Option<&'a str> {
    let own = own.filter(|own| line.starts_with(own));
    let length = own.or_else(|| ["$ ", "# "].into_iter().find(|p| line.starts_with(p)))?.len();
    Some(&line[..length])
}

fn steps(block: &Block) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, line) in block.fenced.text.lines().enumerate() {
        let prompt = prompt(line, block.prompt.as_deref());
        let number = block.fenced.line + 1 + at;
        match (prompt, steps.last_mut()) {
            (Some(prompt), _) => steps.push(Step {
                line: number,
                prompt: prompt.to_owned(),
                command: line[prompt.len()..].to_owned(),
                expected: String::new(),
            }),
            (None, _) if KEYS.contains(&line) => steps.push(Step {
                line: number,
                prompt: String::new(),
                command: line.to_owned(),
                expected: String::new(),
            }),
            (None, Some(step)) if step.expected.is_empty() && line.starts_with("> ") => {
                step.command.push('\n');
                step.command.push_str(&line[2..]);
            }
            (None, Some(step)) => {
                step.expected.push_str(line);
                step.expected.push('\n');
            }
            (None, None) => bail!("line {number} stands before the first command"),
        }
    }
    if steps.is_empty() {
        bail!("there is no command in it");
    }
    Ok(steps)
}

/// Whether output would be taken for a command when the chapter is read again.
pub fn looks_like_a_command(line: &str, own: Option<&str>) -> bool {
    prompt(line, own).is_some() || KEYS.contains(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Block {
        blocks(text).unwrap().remove(0)
    }

    #[test]
    fn commands_their_output_and_the_words_of_the_fence() {
        let block = block(
            "```console term=B exit=3 prompt=\"/ # \"\n$ a\none\n\n# b <<E\n> c\n> E\n/ # d\n^C\n```",
        );
        assert_eq!((&*block.term, block.exit), ("B", 3));
        let typed: Vec<_> = block.steps.iter().map(|step| &*step.command).collect();
        assert_eq!(typed, ["a", "b <<E\nc\nE", "d", "^C"]);
        assert_eq!(block.steps[0].expected, "one\n\n");
        let users: Vec<_> = block.steps.iter().map(|step| block.user(step)).collect();
        assert_eq!(users, ["learner", "root", "learner", "learner"]);
        assert_eq!((block.exit(0), block.exit(3)), (0, 3));
        assert!(block.is_nested(&block.steps[2]) && block.steps[3].is_key());
        assert_eq!(block.steps[2].line, 8);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, error) in [
            ("```console colour\n$ a\n```", "is no fence word"),
            ("```console\nout\n```", "before the first command"),
            ("```console\n```", "no command"),
            ("```console norun=\"x\n$ a\n```", "not closed"),
            ("```console exit=x\n$ a\n```", "takes a number"),
        ] {
            let said = format!("{:#}", blocks(text).unwrap_err());
            assert!(said.contains(error), "{text}: {said}");
        }
        assert!(blocks("```sh\n$ a\n```").unwrap().is_empty());
    }
}
