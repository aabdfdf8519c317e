//! Tables: every flag and the property it becomes.
