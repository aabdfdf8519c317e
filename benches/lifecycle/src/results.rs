//! What was measured, as it is written to a file: every value, so that anybody
//! can do other statistics with it.

use serde::{Deserialize, Serialize};

use crate::runtimes::Operation;
use crate::statistics::{Estimate, ratio};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub machine: Vec<(String, String)>,
    /// Name and version.
    pub runtimes: Vec<(String, String)>,
    /// What does not hold for all, or was not there.
    pub notes: Vec<String>,
    pub series: Vec<Series>,
    pub scale: Vec<Scale>,
    pub prices: Vec<Price>,
}

/// The floor with a switch, or with none: what remains without a part, or what comes with it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Price {
    pub switch: String,
    pub micros: Vec<f64>,
    pub cpu_micros: Vec<f64>,
}

/// One operation of one runtime: a value a round, and what was looked at in runs apart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Series {
    pub operation: Operation,
    /// With the seccomp profile.
    pub profile: bool,
    pub runtime: String,
    /// Wall time of each round, in microseconds.
    pub micros: Vec<f64>,
    /// User and system time of each round, in microseconds.
    pub cpu_micros: Vec<f64>,
    /// VmHWM of the largest process of the runtime.
    pub peak_kib: Option<u64>,
    /// System calls of all processes, the program's own few among them.
    pub calls: Option<u64>,
}

/// What was found about many containers, or very little memory.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Scale {
    pub runtime: String,
    /// The least memory.max under which a container starts, in KiB.
    pub least_memory_kib: Option<u64>,
    /// Processes of the runtime, and their PSS in KiB, while a detached container runs.
    pub stays_detached: Option<(u64, u64)>,
    /// The same while `run` waits.
    pub stays_waiting: Option<(u64, u64)>,
    pub thousand: Option<Thousand>,
}

/// Many containers alive at once. Times in microseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Thousand {
    /// create and start of each, in order.
    pub starts: Vec<f64>,
    pub list: Option<f64>,
    /// By how much MemAvailable fell, for each container.
    pub memory_kib: f64,
    /// Deleting all.
    pub teardown: f64,
}

impl Thousand {
    /// The first and the last tenth.
    pub fn ends(&self) -> (&[f64], &[f64]) {
        let tenth = (self.starts.len() / 10).max(1).min(self.starts.len());
        (&self.starts[..tenth], &self.starts[self.starts.len() - tenth..])
    }
}

impl Report {
    pub fn find(&self, operation: Operation, profile: bool, runtime: &str) -> Option<&Series> {
        self.series.iter().find(|series| {
            (series.operation, series.profile, series.runtime.as_str())
                == (operation, profile, runtime)
        })
    }

    /// How long `ours` takes, measured by `theirs`.
    pub fn ratio(
        &self,
        operation: Operation,
        profile: bool,
        ours: &str,
        theirs: &str,
    ) -> Option<Estimate> {
        let ours = self.find(operation, profile, ours)?;
        ratio(&ours.micros, &self.find(operation, profile, theirs)?.micros)
    }

    /// By how much 8 at once are faster than 8 in turn, for each round.
    pub fn speedups(&self, profile: bool, runtime: &str) -> Option<Vec<f64>> {
        let one = self.find(Operation::Run, profile, runtime)?;
        let eight = self.find(Operation::Eight, profile, runtime)?;
        let at_once = crate::runtimes::AT_ONCE as f64;
        Some(one.micros.iter().zip(&eight.micros).map(|(one, all)| one * at_once / all).collect())
    }
}
