//! jec: just enough containment.

pub mod advice;
pub mod cgroup;
pub mod cli;
pub mod commands;
pub mod copy_up;
pub mod error;
pub mod filter;
pub mod plan;
pub mod relay;
pub mod sides;
pub mod stages;
pub mod state;
pub mod sys;
pub mod tree;
