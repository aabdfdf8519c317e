//! The source, as it is in the binary: of every stage, and of what their calls are made in.

use crate::stages::{STAGES, Stage};

/// Beside the stages.
const OTHERS: [(&str, &str); 11] = [
    ("src/cgroup/controllers.rs", include_str!("../../cgroup/controllers.rs")),
    ("src/cgroup/life.rs", include_str!("../../cgroup/life.rs")),
    ("src/cgroup/limits.rs", include_str!("../../cgroup/limits.rs")),
    ("src/cgroup/make.rs", include_str!("../../cgroup/make.rs")),
    ("src/cgroup/mod.rs", include_str!("../../cgroup/mod.rs")),
    ("src/copy_up.rs", include_str!("../../copy_up.rs")),
    ("src/hooks.rs", include_str!("../../hooks.rs")),
    ("src/stages/baton.rs", include_str!("../../stages/baton.rs")),
    ("src/state.rs", include_str!("../../state.rs")),
    ("src/state/files.rs", include_str!("../../state/files.rs")),
    ("src/tree.rs", include_str!("../../tree.rs")),
];

/// The path of a stage's module.
pub fn path(stage: &Stage) -> String {
    format!("src/stages/{}.rs", stage.module().replace('-', "_"))
}

/// The text of a file of the source.
pub fn of(file: &str) -> Option<&'static str> {
    let stage = STAGES.iter().find(|stage| path(stage) == file).map(|stage| stage.source);
    stage.or_else(|| OTHERS.iter().find(|other| other.0 == file).map(|other| other.1))
}
