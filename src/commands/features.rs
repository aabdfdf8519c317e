//! `jec features`: what jec can do, whatever the machine can (features.md).

use super::state::print;
use crate::error::Failure;
use crate::plan::features;

/// Prints it as JSON.
pub fn run() -> Result<u8, Failure> {
    print(&features::all()?)
}
