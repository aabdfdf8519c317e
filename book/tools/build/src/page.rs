//! HTML for what a chapter shows. One line each, so that Markdown takes it for one block.

use bookrun::console::Block;
use bookrun::guest::Seen;
use bookrun::report::{Executed, escape};

use crate::source::Piece;
use crate::stages::Stage;

/// A console block: each command can be copied, its prompt and its output are not in the way.
///
/// Where it was executed, what the page leaves open with `[..]` is shown as it was seen.
pub fn console(block: &Block, seen: &[Seen]) -> String {
    let mut html = String::from("<div class=\"console\">");
    if block.fenced.info.contains("term=") {
        html += &format!("<p class=\"where\">Terminal {}</p>", escape(&block.term));
    }
    if let Some(reason) = &block.norun {
        html += &format!("<p class=\"where\">Not executed: {}</p>", escape(reason));
    }
    for (at, step) in block.steps.iter().enumerate() {
        if step.is_key() {
            let key = if step.command == "^C" { "Ctrl-C" } else { "Ctrl-D" };
            html += &format!("<p class=\"key\">Press <kbd>{key}</kbd></p>");
        } else {
            html += &format!(
                "<pre class=\"command\"><code class=\"nohighlight\" data-prompt=\"{}\">{}</code></pre>",
                escape(&step.prompt),
                escape(&step.command)
            );
        }
        if !step.expected.trim().is_empty() {
            let output = seen.get(at).map_or("", |seen| &seen.output);
            // What is wider than a phone scrolls there, and keys must reach it.
            let mut lines = step.expected.lines().chain(output.lines());
            let wide = lines.any(|line| line.chars().count() > 32);
            let reach = if wide { " tabindex=\"0\"" } else { "" };
            html += &format!(
                "<pre class=\"output\"{reach}><samp>{}</samp></pre>",
                output_lines(step.expected.trim_end(), output)
            );
        }
    }
    if block.exit != 0 {
        html += &format!("<p class=\"where\">Exit status {}</p>", block.exit);
    }
    html + "</div>"
}

/// The page's lines, with what was seen in place of `[..]`; `...` stands for lines left out.
fn output_lines(expected: &str, output: &str) -> String {
    let mut seen = output.lines();
    let lines = expected.lines().map(|line| {
        if line.trim() == "..." {
            return "<span class=\"elided lines\" title=\"lines left out\">⋮</span>".to_owned();
        }
        // Of the lines that `...` stands for, those before this one are passed over.
        let found = seen.clone().position(|seen| between(line.trim_end(), seen).is_some());
        let actual = found.and_then(|at| seen.nth(at));
        marked(line, actual.and_then(|actual| between(line.trim_end(), actual)))
    });
    lines.collect::<Vec<_>>().join("&#10;")
}

/// What stands in a line where its pattern has `[..]`.
fn between<'a>(pattern: &str, line: &'a str) -> Option<Vec<&'a str>> {
    let mut literals = pattern.split("[..]");
    let mut rest = line.trim_end().strip_prefix(literals.next()?)?;
    let mut found = Vec::new();
    let mut literals = literals.peekable();
    while let Some(literal) = literals.next() {
        let at = if literals.peek().is_none() {
            rest.ends_with(literal).then(|| rest.len() - literal.len())?
        } else {
            rest.find(literal)?
        };
        found.push(&rest[..at]);
        rest = &rest[at + literal.len()..];
    }
    rest.is_empty().then_some(found)
}

fn marked(pattern: &str, found: Option<Vec<&str>>) -> String {
    let mut found = found.unwrap_or_default().into_iter();
    let mut html = String::new();
    for (at, literal) in untabbed(pattern).split("[..]").enumerate() {
        if at > 0 {
            let text = escape(found.next().unwrap_or("…"));
            html +=
                &format!("<span class=\"elided\" title=\"differs from run to run\">{text}</span>");
        }
        html += &escape(literal);
    }
    html
}

/// With blanks for tabs: a browser wraps a line at blanks only.
fn untabbed(line: &str) -> String {
    let mut out = String::new();
    for (at, word) in line.split('\t').enumerate() {
        if at > 0 {
            out += &" ".repeat(8 - out.chars().count() % 8);
        }
        out += word;
    }
    out
}

/// A piece of source, with a link to it.
pub fn code(piece: &Piece) -> String {
    let Piece { path, first, last, text } = piece;
    let language = match path.rsplit_once('.') {
        Some((_, "rs")) => "language-rust",
        Some((_, "json")) => "language-json",
        Some((_, "md" | "txt")) => "nohighlight",
        _ => "language-bash",
    };
    let lines =
        if first == last { format!("line {first}") } else { format!("lines {first}–{last}") };
    format!(
        "<figure class=\"code\"><figcaption><a href=\"source/{path}.html#L{first}\">{path}</a> \
         <span>{lines}</span></figcaption><pre tabindex=\"0\" role=\"region\" aria-label=\"{path}, \
         {lines}\"><code class=\"{language}\">{}</code></pre></figure>",
        escape(text.trim_end())
    )
}

/// The module's own words, as prose.
pub fn doc(piece: &Piece) -> String {
    let lines = piece.text.lines().map(|line| {
        let text = line.trim_start_matches("//!");
        format!(">{}{text}\n", if text.is_empty() { "" } else { " " }).replace(">  ", "> ")
    });
    let Piece { path, first, .. } = piece;
    format!("{}>\n> — [{path}](source/{path}.html#L{first})", lines.collect::<String>())
}

/// The card of a chapter: what the table says of its rows.
pub fn card(stages: &[Stage], chapter: &str, has_page: impl Fn(&str) -> bool) -> String {
    let mut html = String::new();
    for (at, stage) in stages.iter().enumerate().filter(|(_, stage)| stage.chapter == chapter) {
        let link = |at: Option<usize>| match at.and_then(|at| stages.get(at)) {
            None => "nothing".to_owned(),
            Some(other) => linked(&other.name, &other.chapter, &has_page),
        };
        html += &format!(
            "<aside class=\"stage {side}\" aria-label=\"The stage {name}\"><p class=\"what\"><b>{name}</b> \
             <span class=\"side\">{side}</span> {what}</p><dl><div><dt>Row</dt><dd>{number} of {all}, part \
             {part}</dd></div><div><dt>When</dt><dd>{when}</dd></div><div><dt>Why here</dt><dd>{why}</dd></div>\
             <div><dt>Between</dt><dd>{before} and {after}</dd></div></dl></aside>",
            side = stage.side,
            name = stage.name,
            what = escape(&stage.what),
            number = at + 1,
            all = stages.len(),
            part = escape(&stage.part),
            when = escape(&stage.when),
            why = escape(&stage.why_here),
            before = link(at.checked_sub(1)),
            after = link(Some(at + 1)),
        );
    }
    html
}

/// The table, or a part of it.
pub fn table(stages: &[Stage], part: &str, has_page: impl Fn(&str) -> bool) -> String {
    let mut html = String::from("<div class=\"stages\">");
    let mut last = "";
    for (at, stage) in stages.iter().enumerate() {
        if !stage.part.starts_with(part) {
            continue;
        }
        if last != stage.part {
            html += if last.is_empty() { "" } else { "</ol>" };
            html +=
                &format!("<p class=\"part\">{}</p><ol start=\"{}\">", escape(&stage.part), at + 1);
            last = &stage.part;
        }
        html += &format!(
            "<li class=\"{}\">{} <span class=\"side\">{}</span> <span class=\"what\">{}</span></li>",
            stage.side,
            linked(&stage.name, &stage.chapter, &has_page),
            stage.side,
            escape(&stage.what)
        );
    }
    html + "</ol></div>"
}

fn linked(name: &str, chapter: &str, has_page: impl Fn(&str) -> bool) -> String {
    if has_page(chapter) {
        format!("<a href=\"{chapter}.html\">{name}</a>")
    } else {
        name.to_owned()
    }
}

/// What was executed for this page, and where; `executed` only if the page is as it was then.
pub fn stamp(blocks: &[Block], executed: Option<&Executed>) -> String {
    let count = |wanted: bool| {
        let blocks = blocks.iter().filter(|block| block.norun.is_some() == wanted);
        blocks.map(|block| block.steps.len()).sum::<usize>()
    };
    let (typed, not) = (count(false), count(true));
    let commands = |n| if n == 1 { "1 command".to_owned() } else { format!("{n} commands") };
    let rest = match not {
        0 => String::new(),
        n => format!(" {} <a href=\"not-run.html\">not executed</a>.", commands(n)),
    };
    match executed {
        _ if typed + not == 0 => String::new(),
        Some(Executed { kernel, commit, .. }) => format!(
            "<p class=\"stamp\">{} on this page executed on Linux {kernel}, jec at <code>{commit}</code>. \
             Every line of output is as it was seen.{rest}</p>",
            commands(typed)
        ),
        None => format!(
            "<p class=\"stamp stale\">The {} on this page have not been executed as they \
             stand.{rest}</p>",
            commands(typed)
        ),
    }
}

/// The list of what was not executed.
pub fn not_run<'a>(blocks: impl Iterator<Item = (&'a str, &'a [Block])>) -> String {
    let (mut rows, mut all, mut not) = (String::new(), 0, 0);
    for (chapter, blocks) in blocks {
        for block in blocks {
            all += block.steps.len();
            let Some(reason) = &block.norun else { continue };
            not += block.steps.len();
            let command = block.steps.first().map_or("", |step| &step.command);
            rows += &format!("- `{command}` in [{chapter}]({chapter}.md): {reason}\n");
        }
    }
    if rows.is_empty() {
        rows = "None.\n".into();
    }
    format!("{rows}\n{not} of {all} commands.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_stands_where_the_page_leaves_it_open() {
        assert_eq!(between("a [..] c [..]", "a b c d"), Some(vec!["b", "d"]));
        assert_eq!(between("jec-[..]", "jec-12"), Some(vec!["12"]));
        assert_eq!(between("a", "ab"), None);
        assert_eq!(between("[..] x", "x"), None);
        let html = output_lines("...\nPID [..]\nend", "1\n2\nPID 7\nend\n");
        assert!(html.contains(">7</span>&#10;end") && html.starts_with("<span"), "{html}");
        assert!(output_lines("PID [..]", "").contains("…"));
    }

    #[test]
    fn tabs_become_blanks() {
        assert_eq!(untabbed("a\tb\t\tc"), "a       b               c");
    }
}
