//! The book's `console` blocks: read, executed in the lab machine, compared.
//!
//! [`chapter`] finds the fenced blocks of a chapter, [`console`] reads what is
//! typed in them and what is to be seen, [`guest`] types it, [`lab`] boots a
//! machine for it, [`judge`] compares and blesses, [`report`] keeps the result.

pub mod chapter;
pub mod console;
pub mod guest;
pub mod judge;
pub mod lab;
pub mod report;
