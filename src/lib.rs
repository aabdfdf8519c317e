//! jec: just enough containment.

pub mod cli;
pub mod error;
pub mod filter;
pub mod plan;
pub mod stages;
pub mod sys;
