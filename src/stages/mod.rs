//! STAGES: every step of a container's life.
pub mod advice;
