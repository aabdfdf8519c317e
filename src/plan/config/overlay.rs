//! The layers of a root, which config.json can only say in annotations.

use std::ffi::CString;
use std::path::Path;

use super::process;
use super::property::Property;
use crate::error::Result;

/// Directories with colons between them, the topmost layer first; relative ones start at the bundle.
pub const LOWER: &str = "jec.overlay.lower";
/// The directory that keeps what is changed; without it that is kept in memory, and goes.
pub const UPPER: &str = "jec.overlay.upper";
/// "true": no overlay, but a copy of the layer, where the kernel has no overlay for this user.
pub const COPY: &str = "jec.overlay.copy";
/// The id of the image whose layers these are: what `jec image commit` adds one to.
pub const IMAGE: &str = "jec.image";

/// A root that is made of layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The layers, which stay as they are; the topmost first, at least one.
    pub lower: Vec<CString>,
    /// Where to keep what is changed: a directory.
    pub upper: Option<CString>,
    /// A copy instead of an overlay.
    pub copies: bool,
    /// linux.mountLabel: what SELinux calls the files of a new file system.
    pub label: Option<CString>,
}

/// What the annotations ask for.
pub(super) fn overlay(config: &Property, bundle: &Path) -> Result<Option<Overlay>> {
    let mut asked = Overlay { lower: vec![], upper: None, copies: false, label: None };
    config.each_entry("annotations", |key, given| {
        match key {
            LOWER => {
                let text: String = given.read()?;
                let layers = text.split(':').map(|path| directory(given, bundle, path));
                asked.lower = layers.collect::<Result<_>>()?;
            }
            UPPER => asked.upper = Some(directory(given, bundle, &given.read::<String>()?)?),
            COPY => asked.copies = given.read::<String>()? == "true",
            _ => {}
        }
        Ok(())
    })?;
    let given = config.at("annotations")?;
    if asked.lower.is_empty() {
        let has_no_other = asked.upper.is_none() && !asked.copies;
        given.ensure(has_no_other, format!("{UPPER} and {COPY} need {LOWER}"))?;
        return Ok(None);
    }
    let can_copy = !asked.copies || asked.lower.len() == 1;
    given.ensure(can_copy, format!("{COPY}: only a single layer can be copied"))?;
    if let Some(label) = process::label(&config.at("linux")?, "mountLabel")? {
        asked.label = Some(CString::new(label)?);
    }
    Ok(Some(asked))
}

fn directory(given: &Property, bundle: &Path, path: &str) -> Result<CString> {
    given.ensure(!path.is_empty(), "has an empty path")?;
    given.to_c_string(bundle.join(path))
}
