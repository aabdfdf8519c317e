//! `jec pull`: an image from a registry into the store.

use std::io::{self, Write};

use crate::cli::PullArgs;
use crate::error::{Failure, Result};
use crate::images::source::{Access, REGISTRY, Source};
use crate::images::store::Store;
use crate::images::{bar, import};

/// Fetches, unpacks, and prints the digest of the manifest.
pub fn run(args: &PullArgs) -> Result<u8, Failure> {
    if args.quiet {
        bar::be_quiet();
    }
    let name = args.name.strip_prefix(REGISTRY).unwrap_or(&args.name);
    let access = Access { plain_http: args.plain_http, ca: args.ca.clone() };
    let source = Source { access, ..Source::parse(&format!("{REGISTRY}{name}"))? };
    let (image, name) = import::import(&Store::open()?, &source, None)?;
    let digest = image.manifest.unwrap_or(image.id);
    drop(writeln!(io::stdout(), "{digest}  {}", name.unwrap_or_default()));
    Ok(0)
}
