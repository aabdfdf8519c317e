//! Text and paths of the configuration as the kernel takes them: ended by a NUL byte, which
//! JSON can hold (`\u0000`) and a C string cannot. What stood after it would be lost in silence.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::{Error, Result};

/// `text` as a C string; `property` is its path in the configuration.
pub(super) fn c_string(property: &str, text: impl Into<Vec<u8>>) -> Result<CString> {
    CString::new(text).map_err(|error| {
        Error::config(property, format!("has a NUL byte at {}", error.nul_position()))
    })
}

/// `path` as a C string.
pub(super) fn c_path(property: &str, path: &Path) -> Result<CString> {
    c_string(property, path.as_os_str().as_bytes())
}

/// `path` as a C string, refused unless it starts with a slash.
pub(super) fn absolute(property: &str, path: &Path) -> Result<CString> {
    if path.is_absolute() {
        return c_path(property, path);
    }
    let problem = format!("{:?} is not an absolute path", path.display().to_string());
    Err(Error::config(property, problem))
}

/// A list of absolute paths; absent means empty.
pub(super) fn absolute_list(property: &str, paths: Option<&Vec<String>>) -> Result<Vec<CString>> {
    let paths = paths.into_iter().flatten().enumerate();
    paths.map(|(at, path)| absolute(&format!("{property}[{at}]"), Path::new(path))).collect()
}
