//! The links of the built pages.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;

/// The pages, by their path in the built book; of other files only the names.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// HTML.
    pub pages: BTreeMap<PathBuf, String>,
    /// Everything.
    pub files: BTreeSet<PathBuf>,
}

impl Site {
    /// Reads the built book.
    pub fn load(root: &Path) -> Result<Self> {
        let mut site = Self::default();
        let mut to_do = vec![root.to_owned()];
        while let Some(directory) = to_do.pop() {
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                let name = path.strip_prefix(root)?.to_owned();
                if path.is_dir() {
                    to_do.push(path);
                } else {
                    if path.extension().is_some_and(|end| end == "html") {
                        site.pages.insert(name.clone(), fs::read_to_string(&path)?);
                    }
                    site.files.insert(name);
                }
            }
        }
        Ok(site)
    }

    /// Links that lead nowhere, requests that would leave the page, code that came out empty.
    pub fn problems(&self) -> Vec<String> {
        let ids: BTreeMap<_, BTreeSet<_>> = self
            .pages
            .iter()
            .map(|(page, html)| (page, attributes(html, "id").collect()))
            .collect();
        let mut problems = Vec::new();
        for (page, html) in &self.pages {
            let here = page.display();
            for link in attributes(html, "href").chain(attributes(html, "src")) {
                let link = link.replace("&amp;", "&");
                let reached = reach(page, &link);
                let found = reached.is_none_or(|(file, id)| {
                    let known =
                        id.is_empty() || ids.get(&file).is_none_or(|ids| ids.contains(&*id));
                    self.files.contains(&file) && known
                });
                if !found {
                    problems.push(format!("{here}: {link} leads nowhere"));
                }
            }
            let outside = attributes(html, "src").filter(|link| is_outside(link));
            problems.extend(outside.map(|link| format!("{here}: asks for {link}")));
            if html.contains("\"></code>") || html.contains("<code></code>") {
                problems.push(format!("{here}: a block of code is empty"));
            }
            if html.contains("{{#") {
                problems.push(format!("{here}: a directive was left over"));
            }
        }
        problems
    }
}

fn is_outside(link: &str) -> bool {
    link.starts_with("//") || link.contains("://")
}

/// The file and the place in it that a link leads to; nothing if that is not in the book.
fn reach(page: &Path, link: &str) -> Option<(PathBuf, String)> {
    if is_outside(link) || link.starts_with("data:") || link.starts_with("mailto:") {
        return None;
    }
    let (path, id) = link.split_once('#').unwrap_or((link, ""));
    let mut file = page.to_owned();
    if !path.is_empty() {
        file.pop();
        for component in Path::new(path).components() {
            match component {
                Component::ParentDir => drop(file.pop()),
                Component::Normal(name) => file.push(name),
                _ => {}
            }
        }
    }
    Some((file, id.to_owned()))
}

/// The values of an attribute, in HTML as mdBook writes it: always quoted.
fn attributes<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let mark = format!(" {name}=\"");
    html.match_indices(&mark)
        .map(move |(at, mark)| &html[at + mark.len()..])
        .filter_map(|rest| rest.split_once('"').map(|(value, _)| value))
        .collect::<Vec<_>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(html: &str) -> Site {
        let page = |name: &str, html: &str| (PathBuf::from(name), html.to_owned());
        let pages = BTreeMap::from([page("a.html", html), page("d/b.html", "<p id=\"x\">")]);
        Site { files: pages.keys().cloned().collect(), pages }
    }

    #[test]
    fn links_lead_somewhere() {
        for good in ["d/b.html#x", "./d/b.html", "https://kernel.org", "#"] {
            let problems = site(&format!("<a href=\"{good}\">")).problems();
            assert!(problems.is_empty(), "{problems:?}");
        }
        for bad in ["b.html", "d/b.html#y", "#y"] {
            assert_eq!(site(&format!("<a href=\"{bad}\">")).problems().len(), 1, "{bad}");
        }
        assert_eq!(site("<img src=\"https://a/b\">").problems().len(), 1);
        assert_eq!(site("<pre><code class=\"x\"></code></pre>{{#code").problems().len(), 2);
    }
}
