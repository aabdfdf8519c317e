//! The rules of the specification, on whole configurations.
