//! What usually causes an error, and the command that confirms it.

use crate::error::Error;

/// The likely cause of an error and how to confirm it.
pub struct Advice {
    /// What usually causes it, in words for one who never met the errno.
    pub cause: &'static str,
    /// A command that confirms the cause.
    pub check: &'static str,
}

/// The advice for an error in a stage, where there is one.
pub fn find(_stage: &str, _error: &Error) -> Option<Advice> {
    None
}
