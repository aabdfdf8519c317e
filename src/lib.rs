//! jec: just enough containment.

pub mod cgroup;
pub mod error;
pub mod filter;
pub mod plan;
pub mod stages;
pub mod sys;
